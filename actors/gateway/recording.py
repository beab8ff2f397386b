"""Recordings: asked for by the gateway, until there is one or no time, so that no agent's leaving ends one.

There is no claim. Being recorded is a state of a participant, not something that happens to them: whoever
asks again finds it so. And where a provider should not know that, a second file of the same call is not the
harm that a second ring is.
"""

from __future__ import annotations

import structlog

from warmxfer.actors.providers import Doubtful, NotDone
from warmxfer.schemas import Answer, CommandFailed, Fault, RecordingStarted, RecordParticipant, Retry

from .answers import failed, refused
from .desk import Desk
from .effects import look_until

UNANSWERED = "There was no time to ask for the recording."

log = structlog.get_logger(__name__)


async def record_participant(desk: Desk, transfer_id: str, command: RecordParticipant) -> Answer | None:
    """Ask until they are recorded: the provider may know of somebody a second later than the room does."""
    if desk.expired(command):
        return None
    last = failed(command, Fault.REFUSED, UNANSWERED)

    async def ask(within_s: float) -> Answer | None:
        nonlocal last
        try:
            await desk.provider.record_participant(command.room_id, command.participant_id, within_s=within_s)
        except NotDone as error:
            return refused(command, error)
        except Retry as error:
            last = refused(command, error)
            return None
        except Doubtful as error:
            # What it said tells more than that, asked at the last moment, it said nothing.
            if error.status is not None or last.status is None:
                last = failed(command, Fault.UNKNOWN, str(error), status=error.status)
            return None
        return RecordingStarted(command_id=command.command_id, participant_id=command.participant_id)

    answer = await look_until(ask, desk.answer_by(command)) or last
    if isinstance(answer, CommandFailed):
        # Of the supervisor's recording nobody else is told.
        log.warning("not_recorded", transfer_id=transfer_id, fault=answer.fault.value, cause=answer.detail)
    return answer
