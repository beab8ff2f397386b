"""The newest log record of a transfer as the actors read it: the state, and the commands that it sent.

The coordinator writes the record (`actors/coordinator/state_machine/record.py`). The other actors read only
what says which commands the transfer has sent and still wants. Fields that are not declared here are ignored,
so a record of a newer version can be read. The lengths are those of the messages that a record is made of: no
version has let a longer text into a log.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from warmxfer.schemas.fields import Facts, Id, LongText, SummaryText, Word

MESSAGES_MAX = 256
"""Commands and tasks of one record. A record has about ten."""
LAST_STAGES = frozenset({"completed", "cancelled", "failed"})
"""Stages that no other stage follows. A transfer in its bridge guard is still handled."""


class LogConfig(Struct, frozen=True):
    """The configuration of the transfer, as its request gave it."""

    destination: Any = None
    rescue: Any = None
    lines: Facts = field(default_factory=dict[str, Any])
    summary_prompt: LongText | None = None
    summarize_by: Word = "summarizer"
    brief_by: Word = "briefing"
    accept_by: Word | None = None
    record: bool = False


class LogRequest(Struct, frozen=True):
    """The request of the transfer."""

    room_id: Id
    config: LogConfig
    session: Id | None = None

    @property
    def session_name(self) -> str:
        return self.session or self.room_id


class LogPending(Struct, frozen=True):
    """A command whose reply is awaited."""

    kind: Word
    due_at: float


class LogState(Struct, frozen=True):
    """The state of the transfer after the record."""

    id: Id
    stage: Word
    request: LogRequest | None = None
    commands: int = 0
    """Number of commands so far. The newest command id ends with it."""
    begun: Annotated[list[Word], Meta(max_length=MESSAGES_MAX)] = field(default_factory=list[str])
    pending: Annotated[dict[Id, LogPending], Meta(max_length=MESSAGES_MAX)] = field(
        default_factory=dict[str, LogPending]
    )
    attempt: int = 1
    caller_call_id: Id | None = None
    supervisor_call_id: Id | None = None
    room_id: Id | None = None
    summary: SummaryText = ""
    session_lost: bool = False
    leg_doubtful: bool = False
    room_closing: bool = False
    closing_doubtful: bool = False
    caller_gone: bool = False
    caller_moved: bool = False
    caller_arrived: bool = False
    archived: bool = False
    """The rest of the log is in the archive. This record is the last one, for some time."""

    @property
    def ended(self) -> bool:
        """True if the transfer is over, and only clean-up may follow."""
        return self.stage in LAST_STAGES

    @property
    def caller_with_supervisor(self) -> bool:
        """True if the caller was put through and was not found alone since."""
        return self.caller_moved and self.caller_arrived and not self.caller_gone

    def awaits(self, kind: str) -> bool:
        """Return whether the reply to a command of this kind is outstanding."""
        return any(each.kind == kind for each in self.pending.values())


class LogRecord(Struct, frozen=True):
    """The newest record of a log."""

    at: float
    state: LogState
    outbox: Annotated[list[msgspec.Raw], Meta(max_length=MESSAGES_MAX)] = field(
        default_factory=list[msgspec.Raw]
    )


_decoder = msgspec.json.Decoder(LogRecord)


def decode_log_record(data: bytes) -> LogRecord | None:
    """Return the record in `data`, or None if it cannot be read."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
