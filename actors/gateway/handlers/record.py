"""RecordParticipant: the gateway starts recordings, so that a recording continues after an agent leaves.

No at-most-once claim is needed: starting a recording is idempotent. If a provider did not ensure that, a
second file of the same call would do less harm than a second ring.
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
from ..context import GatewayContext
from ..provider_polling import poll_until

NO_TIME = "There was no time to ask for the recording."

log = structlog.get_logger(__name__)


async def record_participant(
    context: GatewayContext, transfer_id: str, command: RecordParticipant
) -> CommandReply | None:
    """Start the recording; repeat until it runs or the deadline is near.

    The provider may list a participant a second later than the room does.
    """
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
            # An earlier reply with a status says more than a last request that was cut off.
            if error.status is not None or last_failure.status is None:
                last_failure = command_failed(command, FailureKind.UNKNOWN, str(error), status=error.status)
            return None
        return RecordingStarted(command_id=command.command_id, participant_id=command.participant_id)

    reply = await poll_until(attempt, context.reply_deadline(command)) or last_failure
    if isinstance(reply, CommandFailed):
        # No other log line mentions a failed recording of the supervisor.
        log.warning(
            "recording_not_started", transfer_id=transfer_id, fault=reply.failure.value, cause=reply.detail
        )
    return reply
