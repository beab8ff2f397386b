"""What can be set about a coordinator process, by environment."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from warmxfer.schemas import env_number

MAX_JOBS = 1_024
DEFAULT_MAX_TRANSFERS, MAX_MAX_TRANSFERS = 10_000, 1_000_000


class CoordinatorSettings(Struct, frozen=True):
    jobs: int = 64
    """Transfers moved at the same time by this process (WARMXFER_COORDINATOR_JOBS)."""
    max_transfers: int = DEFAULT_MAX_TRANSFERS
    """Transfers that may run at the same time, in all coordinators together (WARMXFER_MAX_TRANSFERS)."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> CoordinatorSettings:
        """Raises `Refused` with one sentence: the variable, its value, the remedy."""
        return cls(
            jobs=env_number(env, "WARMXFER_COORDINATOR_JOBS", int, 64, 1, MAX_JOBS),
            max_transfers=env_number(
                env, "WARMXFER_MAX_TRANSFERS", int, DEFAULT_MAX_TRANSFERS, 1, MAX_MAX_TRANSFERS
            ),
        )
