"""Each command of a transfer, with its reply and its duration."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

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
    sent = set[bytes]()
    for record in records:
        for command in record.outbox:
            if not isinstance(command, Command):
                continue
            found = replies.get(command.command_id)
            if found is None and isinstance(command, BriefSupervisor):
                found = verdict_at
            content = _content(command)
            times.append(_time(command, record.at, found, again=content in sent))
            sent.add(content)
    return times


def _content(command: Command) -> bytes:
    """Return what a command asks for. A repeat has the same, with another id and another deadline."""
    changes: dict[str, object] = {"command_id": "", "deadline_at": 0.0, "first_event": UNSET}
    if hasattr(command, "fence"):
        changes["fence"] = 0
    return msgspec.json.encode(msgspec.structs.replace(command, **changes))


def _replies(records: Sequence[Record]) -> dict[str, tuple[float, RecordedEvent]]:
    """Return the first reply to each command, by command id."""
    replies: dict[str, tuple[float, RecordedEvent]] = {}
    for record in records:
        command_id = getattr(record.event, "command_id", None)
        if isinstance(command_id, str):
            replies.setdefault(command_id, (record.at, record.event))
    return replies


def _time(
    command: Command, sent_at: float, found: tuple[float, RecordedEvent] | None, *, again: bool
) -> CommandTime:
    kind = str(command.__struct_config__.tag)
    if found is None:
        return CommandTime(command_id=command.command_id, kind=kind, sent_at=sent_at, again=again)
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
        again=again,
    )
