"""Each command of a transfer, with its reply and its duration."""

from __future__ import annotations

from collections.abc import Sequence

from warmxfer.schemas import (
    BriefSupervisor,
    Command,
    CommandFailed,
    SupervisorDeclined,
    SupervisorReady,
    VoicemailDetected,
)
from warmxfer.schemas.report import CommandTime

from ..state_machine import Record, RecordedEvent

VERDICTS = (SupervisorReady, SupervisorDeclined, VoicemailDetected)
"""The replies to `BriefSupervisor`. They carry no command id."""


def command_times(records: Sequence[Record]) -> list[CommandTime]:
    """Return the commands that `records` sent, in their order. A command is sent by one record."""
    replies = _replies(records)
    verdict_at = next(((each.at, each.event) for each in records if isinstance(each.event, VERDICTS)), None)
    times: list[CommandTime] = []
    for record in records:
        for command in record.outbox:
            if not isinstance(command, Command):
                continue
            found = replies.get(command.command_id)
            if found is None and isinstance(command, BriefSupervisor):
                found = verdict_at
            times.append(_time(command, record.at, found))
    return times


def _replies(records: Sequence[Record]) -> dict[str, tuple[float, RecordedEvent]]:
    """Return the first reply to each command, by command id."""
    replies: dict[str, tuple[float, RecordedEvent]] = {}
    for record in records:
        command_id = getattr(record.event, "command_id", None)
        if isinstance(command_id, str):
            replies.setdefault(command_id, (record.at, record.event))
    return replies


def _time(command: Command, sent_at: float, found: tuple[float, RecordedEvent] | None) -> CommandTime:
    kind = str(command.__struct_config__.tag)
    if found is None:
        return CommandTime(command_id=command.command_id, kind=kind, sent_at=sent_at)
    replied_at, reply = found
    failed = reply if isinstance(reply, CommandFailed) else None
    return CommandTime(
        command_id=command.command_id,
        kind=kind,
        sent_at=sent_at,
        took_s=round(max(0.0, replied_at - sent_at), 6),
        reply=str(reply.__struct_config__.tag),
        failure=failed.failure.value if failed else "",
        status=failed.status if failed else None,
    )
