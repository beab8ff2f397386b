"""Events: what happened. Past tense, one struct per event, published on `wx.<partition>.<id>.event.<role>`.

A reply carries the `command_id` of its command. A room event or a webhook carries none. The coordinator may
receive every event more than once and late. Events of different publishers arrive in any order.

Room events keep the names of VideoSDK's `WarmTransferRunner` (`AUDIO_STREAM_ENABLED`, `PARTICIPANT_LEFT`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from .fields import Id, ProviderAnswer, ReasonText, Sentence, SummaryText, Word, snake_case
from .outcomes import Outcome
from .transfer import WarmTransferRequest

__all__ = [
    "AnyEvent",
    "AudioStreamEnabled",
    "CallCause",
    "CallEnded",
    "CallLeft",
    "CallerCallEnded",
    "CallerCallFound",
    "CallerHeld",
    "CallerReleased",
    "CallerRescued",
    "CallerReturned",
    "CallerSwitched",
    "CancelRequested",
    "CommandFailed",
    "CommandReply",
    "ConsultationJoined",
    "ConsultationLeft",
    "DeadlinePassed",
    "Event",
    "FailureKind",
    "LegReport",
    "LegsChecked",
    "ParticipantJoined",
    "ParticipantLeft",
    "RecordingStarted",
    "RoomClosed",
    "RoomCreated",
    "SummaryReady",
    "SupervisorCallEnded",
    "SupervisorDeclined",
    "SupervisorDialed",
    "SupervisorReady",
    "TransferBroken",
    "TransferRefused",
    "TransferRequested",
    "VoicemailDetected",
]


class Event(Struct, frozen=True, kw_only=True, tag=snake_case, tag_field="type"):
    """Base of all events. It is never sent itself."""


class CommandReply(Event, frozen=True, kw_only=True):
    """Base of the events that reply to a command."""

    command_id: Id
    rate_wait_s: float | UnsetType = UNSET
    """How long the command waited for the provider's rate limit. Left out if it was no noticeable time."""


# ── from users ───────────────────────────────────────────────────────────────────────────────────


class TransferRequested(Event, frozen=True, kw_only=True):
    """A request that passed every check.

    `conflicting_transfer_id` names a running transfer of the same caller, if any. `waited_s` is how long the
    request waited for its start. The deadlines of the transfer begin after it.
    """

    transfer_id: Id
    request: WarmTransferRequest
    conflicting_transfer_id: Id | None = field(name="held_by", default=None)
    archive_after_s: float | None = None
    """How long after its end the transfer is archived, as its coordinator is set. None: never."""
    alone_notice_s: float | None = None
    """How long the return of a caller who is alone may fail before a notice says so. None: until its end."""
    begun_by_version: int = 3
    """Version of the state machine that begins the transfer; 3 for each one before 4."""
    waited_s: float = 0.0


class TransferRefused(Event, frozen=True, kw_only=True):
    """A request that was rejected. `detail` is the sentence for its author.

    `outcome` is `too_busy` for a valid request that may be repeated after `retry_after_s`. `limit` says in
    one word what was used up.
    """

    transfer_id: Id
    detail: Sentence
    outcome: Outcome = Outcome.INVALID_REQUEST
    retry_after_s: float | None = None
    archive_after_s: float | None = None
    limit: Word = ""


class CancelRequested(Event, frozen=True, kw_only=True):
    """The user cancelled the transfer and wants the caller back."""

    reason: ReasonText


# ── from the coordinator, about itself ───────────────────────────────────────────────────────────


class TransferBroken(Event, frozen=True, kw_only=True):
    """A message of this transfer was read but could not be handled, in any of its deliveries.

    `kind` is the subject's kind (`request`, `cancel`, `event` or `timeout`). `cause` is that of its dead
    letter.
    """

    transfer_id: Id
    kind: Word
    cause: ReasonText
    archive_after_s: float | None = None


# ── from the primary session ─────────────────────────────────────────────────────────────────────


class CallerHeld(CommandReply, frozen=True, kw_only=True):
    """The caller is muted and hears the hold line."""

    caller_participant_id: Id | None = None


class CallerReleased(Event, frozen=True, kw_only=True):
    """The caller talks with the AI again.

    `command_id` is None if the session released the caller by its own decision.
    """

    command_id: Id | None
    cause: Literal["commanded", "bus_silent", "session_closed", "new_transfer"] = "commanded"


class CallLeft(CommandReply, frozen=True, kw_only=True):
    """The AI session has left the call. Only sessions of an older version say it; it has no effect."""


# ── from the summarizer ──────────────────────────────────────────────────────────────────────────


class SummaryReady(CommandReply, frozen=True, kw_only=True):
    """The summary. `source` is a model, an extract of the transcript, or a fixed line."""

    summary: SummaryText
    source: Literal["model", "extract", "static"]


# ── from the SIP gateway ─────────────────────────────────────────────────────────────────────────


class CallerCallFound(CommandReply, frozen=True, kw_only=True):
    call_id: Id
    participant_id: Id | None = None


class RoomCreated(CommandReply, frozen=True, kw_only=True):
    room_id: Id


class SupervisorDialed(CommandReply, frozen=True, kw_only=True):
    """The provider accepted the dial. `response` is its response, or what a look-up found."""

    attempt: int
    call_id: Id
    response: ProviderAnswer = field(default_factory=dict[str, Any])


class CallCause(StrEnum):
    """Why a leg is down, as the provider reports it."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    ABANDONED = "abandoned"
    FAILED = "failed"
    HUNG_UP = "hung_up"


class SupervisorCallEnded(Event, frozen=True, kw_only=True):
    """The supervisor's leg ended without a command (webhook)."""

    attempt: int
    call_id: Id
    cause: CallCause
    sip_code: int | None = None


class CallerCallEnded(Event, frozen=True, kw_only=True):
    """The caller's leg ended (webhook)."""

    call_id: Id


class CallerSwitched(CommandReply, frozen=True, kw_only=True):
    """The provider accepted the move. Room events show whether the caller arrives."""

    response: ProviderAnswer = field(default_factory=dict[str, Any])


class CallerReturned(CommandReply, frozen=True, kw_only=True):
    """The caller's leg is in the primary room, or it has ended (`caller_up` False)."""

    caller_up: bool


class CallerRescued(CommandReply, frozen=True, kw_only=True):
    """The provider accepted the dial or the dispatch. Whether the person answers is not awaited."""

    by: Literal["dial", "agent"]
    call_id: Id | None = None
    """The leg of a dial."""


class CallEnded(CommandReply, frozen=True, kw_only=True):
    """The supervisor's leg is down for good. `existed` is False if there is none and none can start."""

    attempt: int
    existed: bool
    outcome_unknown: bool = field(name="doubtful", default=False)
    """A dial was started and no call is visible. The provider may still make the call, after the deadline."""


class LegReport(Struct, frozen=True, kw_only=True):
    """One leg as the provider's call record shows it."""

    up: bool
    room_id: Id | None = None
    status: Word = ""
    cause: CallCause | None = None
    sip_code: int | None = None


class LegsChecked(CommandReply, frozen=True, kw_only=True):
    """The state of both legs. None: not requested, or the provider was unreachable."""

    caller: LegReport | None = None
    supervisor: LegReport | None = None
    webhooks: bool | None = None
    """Whether the provider reports changes of the supervisor's leg by webhook. None: unknown."""


class RecordingStarted(CommandReply, frozen=True, kw_only=True):
    """The provider records the participant until they leave the room or it is closed."""

    participant_id: Id


class RoomClosed(CommandReply, frozen=True, kw_only=True):
    pass


# ── from the briefing agent ──────────────────────────────────────────────────────────────────────


class ConsultationJoined(CommandReply, frozen=True, kw_only=True):
    session_id: Id | None = None


class SupervisorReady(Event, frozen=True, kw_only=True):
    """The supervisor said yes, after the summary, on their own leg."""

    by: Literal["voice", "key"] | None = None
    """None is left only in events of older versions."""
    words: ReasonText = ""
    """What the supervisor said or pressed."""


class SupervisorDeclined(Event, frozen=True, kw_only=True):
    reason: ReasonText = ""


class VoicemailDetected(Event, frozen=True, kw_only=True):
    """An answering machine took the call."""


class ConsultationLeft(CommandReply, frozen=True, kw_only=True):
    pass


# ── from rooms ───────────────────────────────────────────────────────────────────────────────────


class AudioStreamEnabled(Event, frozen=True, kw_only=True, tag="AUDIO_STREAM_ENABLED"):
    """A participant's audio started."""

    room_id: Id
    participant_id: Id
    kind: Word = "audio"


class ParticipantJoined(Event, frozen=True, kw_only=True, tag="PARTICIPANT_JOINED"):
    room_id: Id
    participant_id: Id


class ParticipantLeft(Event, frozen=True, kw_only=True, tag="PARTICIPANT_LEFT"):
    room_id: Id
    participant_id: Id
    reason: ReasonText = ""


# ── from timers and failures ─────────────────────────────────────────────────────────────────────


class DeadlinePassed(Event, frozen=True, kw_only=True):
    """The durable timer fired. It was due at `due_at`."""

    due_at: float


class FailureKind(StrEnum):
    """Why a command failed, by its possible effect."""

    REFUSED = "refused"
    """Certainly not done, and a retry will not help."""
    UNKNOWN = "unknown"
    """It may have been done, and a look-up did not tell."""
    CALLER_GONE = "caller_gone"
    SUPERVISOR_GONE = "supervisor_gone"
    CALLED_OFF = "called_off"
    """Forbidden before it started."""
    BROKEN = "broken"
    """A bug, or a message that could not be decoded."""


class CommandFailed(CommandReply, frozen=True, kw_only=True):
    failure: FailureKind = field(name="fault")
    detail: ReasonText = ""
    status: int | None = None
    """The provider's HTTP status, if there was one."""
    not_begun: bool = False
    """Nothing was done at the provider, and the command may be sent again. An older gateway leaves it out."""
    room_missing: bool = False
    """The provider has no such primary room. An older gateway does not say so."""


AnyEvent = (
    TransferRequested
    | TransferRefused
    | CancelRequested
    | TransferBroken
    | CallerHeld
    | CallerReleased
    | CallLeft
    | SummaryReady
    | CallerCallFound
    | RoomCreated
    | SupervisorDialed
    | SupervisorCallEnded
    | CallerCallEnded
    | CallerSwitched
    | CallerReturned
    | CallerRescued
    | CallEnded
    | LegsChecked
    | RecordingStarted
    | RoomClosed
    | ConsultationJoined
    | SupervisorReady
    | SupervisorDeclined
    | VoicemailDetected
    | ConsultationLeft
    | AudioStreamEnabled
    | ParticipantJoined
    | ParticipantLeft
    | DeadlinePassed
    | CommandFailed
)
