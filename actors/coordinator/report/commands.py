"""Each command of a transfer, with its reply and its duration."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from warmxfer.schemas import (
    BriefSupervisor,
    Command,
    CommandFailed,
    SupervisorDeclined,
    SupervisorReady,
    VoicemailDetected,
)

from ..state_machine import Record, RecordedEvent

VERDICTS = (SupervisorReady, SupervisorDeclined, VoicemailDetected)
"""The replies to `BriefSupervisor`. They carry no command id."""


class CommandTime(Struct, frozen=True, kw_only=True):
    """One command. `sent_at`: epoch seconds, when the message that caused the command was stored."""

    command_id: str
    kind: str
    """Its type on the wire, such as `dial_supervisor`."""
    sent_at: float
    took_s: float | None = None
    """Seconds until the reply was stored. None if no record has it: after the end few are recorded."""
    reply: str = ""
    """Type of the reply on the wire; empty if no reply is in the log."""
    failure: str = ""
    """How the command failed: a word of `FailureKind`; empty if it did not."""
    status: int | None = None
    """The provider's HTTP status of a failure, if there was one."""


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
