"""Settings of a coordinator process, from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from warmxfer.schemas import env_number

from ..common.dial_policy import DialPolicy

MAX_JOBS = 1_024
MAX_STORE_MB = 1_000_000_000
DEFAULT_MAX_WAIT_S, MAX_MAX_WAIT_S = 15.0, 60.0
DEFAULT_MAX_TRANSFERS, MAX_MAX_TRANSFERS = 10_000, 1_000_000

DEFAULT_ARCHIVE_AFTER_S, MIN_ARCHIVE_AFTER_S, MAX_ARCHIVE_AFTER_S = 60.0, 45.0, 86_400.0
"""A coordinator that is stopped for this long notices it before its next output. So the least is longer than
`PAUSED_PROCESS_S` of `coordinator.py`.
"""


class CoordinatorSettings(Struct, frozen=True):
    jobs: int = 64
    """Transfers that this process handles at the same time (WARMXFER_COORDINATOR_JOBS)."""
    max_transfers: int = DEFAULT_MAX_TRANSFERS
    """Running transfers allowed in all coordinators together (WARMXFER_MAX_TRANSFERS)."""
    max_store_mb: int = 0
    """Storage of the stream on one server, in 1,000,000 bytes (WARMXFER_MAX_STORE_MB). 0: only the account's
    limit."""
    policy: DialPolicy = field(default_factory=DialPolicy)
    """What may be dialled (WARMXFER_DIAL_…): as the gateways have it."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What the process announces."""
        return {**self.policy.facts, "max_store_mb": str(self.max_store_mb or "")}

    max_wait_s: float = DEFAULT_MAX_WAIT_S
    """How long a request may wait for its start before it is refused (WARMXFER_ADMISSION_WAIT_S)."""

    archive_after_s: float = DEFAULT_ARCHIVE_AFTER_S
    """How long after its end a transfer is archived (WARMXFER_ARCHIVE_AFTER_S)."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> CoordinatorSettings:
        """Read the settings. Raises `InvalidRequest`, which names the variable, its value and the remedy."""
        return cls(
            jobs=env_number(env, "WARMXFER_COORDINATOR_JOBS", int, 64, 1, MAX_JOBS),
            max_store_mb=env_number(env, "WARMXFER_MAX_STORE_MB", int, 0, 1, MAX_STORE_MB),
            archive_after_s=env_number(
                env,
                "WARMXFER_ARCHIVE_AFTER_S",
                float,
                DEFAULT_ARCHIVE_AFTER_S,
                MIN_ARCHIVE_AFTER_S,
                MAX_ARCHIVE_AFTER_S,
            ),
            max_wait_s=env_number(
                env, "WARMXFER_ADMISSION_WAIT_S", float, DEFAULT_MAX_WAIT_S, 0.0, MAX_MAX_WAIT_S
            ),
            max_transfers=env_number(
                env, "WARMXFER_MAX_TRANSFERS", int, DEFAULT_MAX_TRANSFERS, 1, MAX_MAX_TRANSFERS
            ),
            policy=DialPolicy.from_env(env),
        )
