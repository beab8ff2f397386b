"""Following one transfer: every phase once, in the order of `seq`, however it was heard.

What is heard live may repeat, and stops while the connection is away; the stream has all of it. So the
stream is read first, again where a number is missing, and again whenever it was quiet for a while. What
is heard ahead of its turn waits for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import structlog

from warmxfer.bus import Bus, InvalidRequest, LiveMessage, RetryableError, Stored, subjects
from warmxfer.bus.polling import growing_pauses
from warmxfer.schemas import DecodeError, PhaseChanged, decode_phase

MAX_POLL_PAUSE_S = 5.0
MISSING_PHASE_WAIT_S = 0.5
"""How long a missing number is waited for before the follower goes on without it."""

MAX_PHASES = 64
"""A transfer has 13 words for its phases and says each at most once per attempt."""

log = structlog.get_logger(__name__)


async def follow_phases(
    bus: Bus, transfer_id: str, *, after_seq: int = 0
) -> AsyncGenerator[PhaseChanged, None]:
    """Yield the phases above `after_seq`, the final one last.

    Outages are waited out, so the caller puts a deadline around it. Raises `Refused` for a bad id, and
    `Retry` when our own connection is closed: nothing will come, and nothing is left to wait for.
    """
    last_seq, pauses_s = after_seq, growing_pauses(MAX_POLL_PAUSE_S)
    async with bus.subscribe(subjects.phase(transfer_id)) as subscription:
        pending = _by_seq(last_seq, await stored_phases(bus, transfer_id))
        while True:
            while phase := pending.pop(last_seq + 1, None):
                last_seq = phase.seq
                yield phase
                if phase.phase.final:
                    return
            message = await subscription.next(MISSING_PHASE_WAIT_S if pending else next(pauses_s))
            if message is None and subscription.ended:
                raise RetryableError(
                    f"The connection was closed while the phases of transfer {transfer_id} were read; "
                    "connect again"
                )
            live = phase_of(message)
            pending |= _by_seq(last_seq, [live] if live else [])
            if live is None or live.seq > last_seq + 1:
                pending |= _by_seq(last_seq, await stored_phases(bus, transfer_id))
            if live is None and pending and last_seq + 1 not in pending:
                log.warning("phase_missing", transfer_id=transfer_id, seq=last_seq + 1)
                last_seq = min(pending) - 1


async def stored_phases(bus: Bus, transfer_id: str) -> list[PhaseChanged]:
    """The phases in the stream, oldest first; empty as well while the bus is away."""
    try:
        stored = await bus.history(subjects.phase(transfer_id), MAX_PHASES)
    except RetryableError as error:
        log.info("phases_not_read", transfer_id=transfer_id, error=str(error))
        return []
    return [phase for each in stored if (phase := phase_of(each))]


def phase_of(message: Stored | LiveMessage | None) -> PhaseChanged | None:
    """The phase a message tells; None for none, and for what cannot be read.

    That is what a newer version wrote otherwise, what a stranger wrote, and the answer to a request whose id
    no subject should hold: whoever looks at the phases of all must not fall over the one.
    """
    if message is None:
        return None
    try:
        subjects.parse(message.subject)
        return decode_phase(message.data)
    except (InvalidRequest, DecodeError) as error:
        log.warning("phase_not_decoded", error=str(error))
        return None


def _by_seq(seq: int, phases: list[PhaseChanged]) -> dict[int, PhaseChanged]:
    return {phase.seq: phase for phase in phases if phase.seq > seq}
