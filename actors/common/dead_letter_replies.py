"""Replies to commands that became dead letters, so that their transfer does not wait for the deadline."""

from __future__ import annotations

import msgspec
import structlog

from warmxfer.bus import Bus, Delivery
from warmxfer.schemas import Command, CommandFailed, DecodeError, FailureKind, decode_as, decode_command
from warmxfer.schemas.fields import Id

from .command_replies import MAX_DETAIL_CHARS, publish_reply
from .log_check import LogCheck
from .sent_by_log import FoundInLog

log = structlog.get_logger(__name__)


class CommandId(msgspec.Struct):
    """The part of a command that its reply needs."""

    command_id: Id


async def reply_to_dead_letter(
    bus: Bus,
    check: LogCheck,
    delivery: Delivery,
    command_types: tuple[type[Command], ...],
    cause: str,
    *,
    role: str,
) -> None:
    """Reply `CommandFailed` for a dead-lettered command, also for one that this version cannot read.

    Other messages are ignored: no actor waits for a reply to them. So are commands that the log has not sent:
    a reply to one would end the transfer.
    """
    command_id = _command_id(delivery.data, command_types)
    if command_id is None:
        return
    if await check.find(delivery.transfer_id, delivery.data) is not FoundInLog.SENT:
        log.warning("dead_letter_not_replied_to", transfer_id=delivery.transfer_id, seq=delivery.seq)
        return
    detail = cause[:MAX_DETAIL_CHARS]
    failed = CommandFailed(command_id=command_id, failure=FailureKind.BROKEN, detail=detail)
    await publish_reply(bus, delivery.transfer_id, failed, role=role)


def _command_id(data: bytes, command_types: tuple[type[Command], ...]) -> str | None:
    """Return the id of the command in `data`. None: there is none, or it is a command of another type."""
    try:
        command_id = decode_as(CommandId, data).command_id
    except DecodeError:
        return None
    try:
        command = decode_command(data)
    except DecodeError:
        return command_id
    return command_id if isinstance(command, command_types) else None
