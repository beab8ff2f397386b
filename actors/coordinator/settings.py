"""What can be set about a coordinator process, by environment."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from warmxfer.schemas import env_number

MAX_JOBS = 1_024


class CoordinatorSettings(Struct, frozen=True):
    jobs: int = 64
    """Transfers moved at the same time by this process (WARMXFER_COORDINATOR_JOBS)."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> CoordinatorSettings:
        """Raises `Refused` with one sentence: the variable, its value, the remedy."""
        return cls(jobs=env_number(env, "WARMXFER_COORDINATOR_JOBS", int, 64, 1, MAX_JOBS))
