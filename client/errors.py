"""Errors of the client, by what its user does: try again, or ask for another transfer."""

from __future__ import annotations

from warmxfer.schemas import InvalidRequest, RetryableError

START_TIMEOUT_S = 5.0
"""A coordinator starts a transfer within this time, unless no place is free. Then a client asks it."""
MAX_START_WAIT_S = 65.0
"""How much longer a request may wait for a free place: `WARMXFER_ADMISSION_WAIT_S` is at most 60 s."""


class NoCoordinator(RetryableError):
    """No coordinator has replied within the time, or none has run here yet. A request may be stored."""

    def __init__(self, within_s: float | None = None) -> None:
        within = "" if within_s is None else f" within {within_s:g} s"
        super().__init__(f"No coordinator replied{within}; start one with `warmxfer run coordinator`")


class NotStarted(RetryableError):
    """The transfer was requested, but no coordinator has started it."""

    def __init__(self, id: str) -> None:
        super().__init__(
            f"Transfer {id} was requested but has not started; see `warmxfer doctor` for what is missing"
        )


class NotArchived(RetryableError):
    """The transfer has ended, and is not archived yet."""

    def __init__(self, id: str) -> None:
        super().__init__(
            f"Transfer {id} has ended and is not archived yet, because its last commands may still be "
            f"carried out; erase it again in some minutes, and see `warmxfer report {id}` if it stays so"
        )


class StillRunning(RetryableError):
    """The transfer has not ended yet. It continues."""


class NoSuchTransfer(InvalidRequest):
    """There is no transfer with this id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"id is {id!r}, but no transfer has this id; see `warmxfer list`", field="id")


class ErasedTransfer(NoSuchTransfer):
    """The transfer was erased. Nothing is known of it but its id."""

    def __init__(self, id: str) -> None:
        InvalidRequest.__init__(
            self, f"id is {id!r}, a transfer that was erased: only its id is kept", field="id"
        )
