"""The report of one transfer as data: when each step happened, who ended it, and what is unconfirmed.

Every moment is the time at which the broker stored the message that caused the record (epoch seconds).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct, field

from .fields import LIST_MAX, Evidence, EvidenceValue, Id, Sentence, Word

COMMANDS_MAX = 10 * LIST_MAX
"""A record sends less than 10 commands."""


class EndedBy(StrEnum):
    """Who or what ended a transfer without a bridge, or the talk after it."""

    CALLER = "caller"
    SUPERVISOR = "supervisor"
    USER = "user"
    """A cancel."""
    MACHINE = "machine"
    """An answering machine took the call."""
    TIMER = "timer"
    PROVIDER = "provider"
    ADMISSION = "admission"
    """The request was refused."""
    ACTOR = "actor"
    """An actor or a session was absent, or failed."""


class Moments(Struct, frozen=True, kw_only=True):
    """When each step happened; None if it did not happen, or no record says so."""

    asked_at: float
    held_at: float | None = None
    """The caller was muted and heard the hold line."""
    first_ring_at: float | None = None
    """The provider accepted the first dial."""
    heard_at: float | None = None
    """The supervisor's audio was on."""
    accepted_at: float | None = None
    """The supervisor said yes."""
    together_at: float | None = None
    """Caller and supervisor were seen in the consultation room."""
    over_at: float | None = None
    """The result was published."""
    released_at: float | None = None
    """The caller talked with the AI again."""
    talk_ended_at: float | None = None
    """One of the two left after they were together. Known only while the AI watches over the bridge."""


class Durations(Struct, frozen=True, kw_only=True):
    """Seconds between moments; None if one of them is unknown."""

    to_human_s: float | None = None
    """From the request until the caller and the supervisor were together."""
    hold_s: float | None = None
    """From the hold until the caller was with the supervisor, back with the AI, or gone."""
    ring_s: float | None = None
    briefing_s: float | None = None
    """From the supervisor's audio until their yes."""
    talk_s: float | None = None
    total_s: float | None = None


class Attempt(Struct, frozen=True, kw_only=True):
    """One dial of the supervisor. Moments: epoch seconds by the broker's clock; None if it did not happen."""

    number: int
    asked_at: float
    """The coordinator sent `DialSupervisor`."""
    ringing_at: float | None = None
    """The provider accepted the dial."""
    heard_at: float | None = None
    """The supervisor's audio was on."""
    outcome: Word = ""
    """`accepted`, `proceeded`, or the outcome of the transfer that it ended with; empty while it runs."""
    decided_by: Word = ""
    """Type of the event that decided the attempt, such as `supervisor_ready` or `deadline_passed`."""
    timer: Word = ""
    """Name of the timer whose end decided the attempt; empty if none did."""
    cause: Word = ""
    """Why the supervisor's leg went down, if the provider reported it before the attempt was decided."""
    sip_code: int | None = None


class CommandTime(Struct, frozen=True, kw_only=True):
    """One command. `sent_at`: epoch seconds, when the message that caused the command was stored."""

    command_id: Id
    kind: Word
    """Its type on the wire, such as `dial_supervisor`."""
    sent_at: float
    took_s: float | None = None
    """Seconds until the reply was stored. None if no record has it: after the end few are recorded."""
    reply: Word = ""
    """Type of the reply on the wire; empty if no reply is in the log."""
    failure: Word = ""
    """How the command failed: a word of `FailureKind`; empty if it did not."""
    status: int | None = None
    """The provider's HTTP status of a failure, if there was one."""
    again: bool = False
    """The same command was sent before: the coordinator tried again, or checked the legs again."""


class TransferReport(Struct, frozen=True, kw_only=True):
    """What the log of one transfer tells. It holds no phone number, no transcript and no summary.

    `detail` and `evidence` are those of the result: they may hold words of the supervisor, or the reason of a
    cancel.
    """

    transfer_id: Id
    stage: Word
    outcome: Word = ""
    """Empty while the transfer runs."""
    detail: Sentence = ""
    ended_by: EndedBy | None = None
    """None while the transfer runs, if the end of the talk was not seen, or if a newer version ended it."""
    moments: Moments
    durations: Durations
    attempts: Annotated[list[Attempt], Meta(max_length=LIST_MAX)]
    commands: Annotated[list[CommandTime], Meta(max_length=COMMANDS_MAX)]
    recordings: Annotated[list[Id], Meta(max_length=LIST_MAX)]
    """Participant ids that the provider records."""
    unconfirmed: Annotated[list[Sentence], Meta(max_length=LIST_MAX)]
    """One sentence for each thing that the log does not confirm."""
    evidence: Evidence = field(default_factory=dict[str, EvidenceValue])
    records: int
    """Transitions of the log that the report was made from."""
