"""The phases of one transfer: every phase once, in the order of `seq`.

A live subscription may deliver a phase twice, and delivers nothing while the connection is down. The stream
holds every phase. So `follow_phases` reads the stream first, a few times after it subscribed or reconnected,
and if a number is missing. A phase that arrives too early waits for those before it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import structlog

from warmxfer.bus import Bus, LiveMessage, RetryableError, Stored, subjects
from warmxfer.bus.polling import Follower
from warmxfer.schemas import PhaseChanged, decode_phase

from .archived import archived_phases
from .readable import decode_readable

MISSING_PHASE_WAIT_S = 0.5
"""How long to wait for a missing number before it is skipped."""

MAX_PHASES = 64
"""A transfer has 13 phases and publishes each at most once per attempt."""

log = structlog.get_logger(__name__)


async def follow_phases(
    bus: Bus, transfer_id: str, *, after_seq: int = 0
) -> AsyncGenerator[PhaseChanged, None]:
    """Yield the phases above `after_seq`, the final one last.

    Waits through outages, so the caller sets a deadline. Raises `InvalidRequest` for an invalid id. Raises
    `RetryableError` if our own connection is closed, because no phase can arrive any more.
    """
    last_seq = after_seq
    async with Follower(bus, subjects.phase(transfer_id)) as follower:
        pending = _by_seq(last_seq, await _read(bus, transfer_id, follower))
        while True:
            while phase := pending.pop(last_seq + 1, None):
                last_seq = phase.seq
                yield phase
                if phase.phase.final:
                    return
            message = await follower.next(MISSING_PHASE_WAIT_S if pending else None)
            if message is None and follower.ended:
                raise RetryableError(
                    f"The connection was closed while the phases of transfer {transfer_id} were read; "
                    "connect again"
                )
            live = phase_of(message)
            pending |= _by_seq(last_seq, [live] if live else [])
            if live is None or live.seq > last_seq + 1:
                pending |= _by_seq(last_seq, await _read(bus, transfer_id, follower))
            if live is None and pending and last_seq + 1 not in pending:
                log.warning("phase_missing", transfer_id=transfer_id, seq=last_seq + 1)
                last_seq = min(pending) - 1


async def _read(bus: Bus, transfer_id: str, follower: Follower) -> list[PhaseChanged]:
    """Return the phases so far, oldest first; an empty list while the broker is unreachable.

    A transfer without a stored phase may be archived.
    """
    try:
        stored = await bus.history(subjects.phase(transfer_id), MAX_PHASES)
        if stored:
            return [phase for each in stored if (phase := phase_of(each))]
        return await archived_phases(bus, transfer_id)
    except RetryableError as error:
        log.info("phases_not_read", transfer_id=transfer_id, error=str(error))
        follower.read_failed()
        return []


def phase_of(message: Stored | LiveMessage | None) -> PhaseChanged | None:
    """Return the phase in `message`; None if there is no message or it cannot be read."""
    return decode_readable(message, decode_phase) if message else None


def _by_seq(seq: int, phases: list[PhaseChanged]) -> dict[int, PhaseChanged]:
    return {phase.seq: phase for phase in phases if phase.seq > seq}
