"""What a pull consumer does next, decided from what the broker said about a pull. Pure.

The broker ends a pull, or keeps it open, with a message that has a status and a description:

    100                     heartbeat: the pull is open, the consumer is live
    408                     the pull expired as requested
    409 Consumer Deleted    the consumer was deleted, or its stream was
    404, 503                no consumer answers: it does not exist, its stream does not, or it has no leader
    409, any other          the leader changed, the server shuts down, or a limit was exceeded
    any other               unknown: the pull is taken as ended

Invariant: only a message, a heartbeat or an expiry shows that the consumer is live. An error does not.
"""

from __future__ import annotations

from enum import Enum, auto

PAUSE_MIN_S = 0.2
PAUSE_MAX_S = 4.0
"""Longest pause between two attempts. Work must go on within 10 s after the stream is there again."""


class PullStep(Enum):
    """What follows a status."""

    CONTINUE = auto()
    """The pull is still open."""
    PULL = auto()
    """The pull has ended as requested: request again."""
    RESTART = auto()
    """All pulls are in doubt: start again with a new inbox after a pause."""
    ENSURE = auto()
    """The consumer or its stream may be missing: create it again after a pause, then start again."""


def step_after(status: str, description: str) -> PullStep:
    """Return what to do after the broker answered a pull with `status` and `description`."""
    match status:
        case "100":
            return PullStep.CONTINUE
        case "408":
            return PullStep.PULL
        case "404" | "503":
            return PullStep.ENSURE
        case "409" if "deleted" in description.lower() or "push based" in description.lower():
            return PullStep.ENSURE
        case _:
            return PullStep.RESTART


def next_pause(pause_s: float) -> float:
    """Return the pause after one of `pause_s`."""
    return min(2 * pause_s, PAUSE_MAX_S)
