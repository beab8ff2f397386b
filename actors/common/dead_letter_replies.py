"""Replies to commands that became dead letters, so that their transfer does not wait for the deadline."""

from __future__ import annotations

import structlog

from warmxfer.bus import Bus, DeadLetter, Delivery, NewerVersionNeeded
from warmxfer.schemas import Command, CommandFailed, FailureKind, undecoded_command_id

from .command_replies import publish_reply, read_command
from .log_check import LogCheck
from .sent_by_log import Held

log = structlog.get_logger(__name__)


async def reply_to_dead_letter(
    bus: Bus, check: LogCheck, delivery: Delivery, command_type: type[Command], cause: str, *, role: str
) -> None:
    """Reply `CommandFailed` for a dead-lettered command, also for one of a newer version.

    Other messages are ignored: no actor waits for a reply to them. So are commands that the log has not sent:
    a reply to one would end the transfer.
    """
    try:
        command_id = read_command(delivery, command_type, "").command_id
    except NewerVersionNeeded:
        command_id = undecoded_command_id(delivery.data)
    except DeadLetter:
        return
    if command_id is None:
        return
    if await check.find(delivery.transfer_id, delivery.data) is not Held.SENT:
        log.warning("dead_letter_not_replied_to", transfer_id=delivery.transfer_id, seq=delivery.seq)
        return
    failed = CommandFailed(command_id=command_id, failure=FailureKind.BROKEN, detail=cause)
    await publish_reply(bus, delivery.transfer_id, failed, role=role)
