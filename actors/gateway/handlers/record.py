"""Recordings: asked for by the gateway, until there is one or no time, so that no agent's leaving ends one.

There is no claim. Being recorded is a state of a participant, not something that happens to them: whoever
asks again finds it so. And where a provider should not know that, a second file of the same call is not the
harm that a second ring is.
"""

from __future__ import annotations

import structlog

from warmxfer.adapters.telephony import OutcomeUnknown, Rejected
from warmxfer.schemas import (
    CommandFailed,
    CommandReply,
    FailureKind,
    RecordingStarted,
    RecordParticipant,
    RetryableError,
)

from ...common.command_replies import command_failed, command_rejected
from ..at_most_once import poll_until
from ..context import GatewayContext

NO_TIME = "There was no time to ask for the recording."

log = structlog.get_logger(__name__)


async def record_participant(
    context: GatewayContext, transfer_id: str, command: RecordParticipant
) -> CommandReply | None:
    """Ask until they are recorded: the provider may know of somebody a second later than the room does."""
    if context.expired(command):
        return None
    last_failure = command_failed(command, FailureKind.REFUSED, NO_TIME)

    async def attempt(within_s: float) -> CommandReply | None:
        nonlocal last_failure
        try:
            await context.provider.record_participant(
                command.room_id, command.participant_id, within_s=within_s
            )
        except Rejected as error:
            return command_rejected(command, error)
        except RetryableError as error:
            last_failure = command_rejected(command, error)
            return None
        except OutcomeUnknown as error:
            # What it said tells more than that, asked at the last moment, it said nothing.
            if error.status is not None or last_failure.status is None:
                last_failure = command_failed(command, FailureKind.UNKNOWN, str(error), status=error.status)
            return None
        return RecordingStarted(command_id=command.command_id, participant_id=command.participant_id)

    reply = await poll_until(attempt, context.reply_deadline(command)) or last_failure
    if isinstance(reply, CommandFailed):
        # Of the supervisor's recording nobody else is told.
        log.warning(
            "recording_not_started", transfer_id=transfer_id, fault=reply.failure.value, cause=reply.detail
        )
    return reply
