"""What happened. Past tense, one struct a fact; published on `warmxfer.<id>.event`.

An answer carries the `command_id` it answers; a room event or a webhook carries none. The coordinator
takes every event at least once, late, and in any order among different publishers.

Room events keep the original's names on the wire (`AUDIO_STREAM_ENABLED`, `PARTICIPANT_LEFT`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct, field

from .fields import ReasonText, SummaryText, snake_case
from .outcomes import Outcome
from .transfer import WarmTransferRequest


class Event(Struct, frozen=True, kw_only=True, tag=snake_case, tag_field="type"):
    """The base of all events; never sent itself."""


class CommandReply(Event, frozen=True, kw_only=True):
    """The base of events that answer a command."""

    command_id: str


# ── the beginning and the end, from users ────────────────────────────────────────────────────────


class TransferRequested(Event, frozen=True, kw_only=True):
    """A request that passed every check. `held_by` names a running transfer of the same caller, if any."""

    transfer_id: str
    request: WarmTransferRequest
    conflicting_transfer_id: str | None = field(name="held_by", default=None)


class TransferRefused(Event, frozen=True, kw_only=True):
    """A request that did not: `detail` is the sentence for its author.

    `outcome` is `too_busy` for one with nothing wrong with it, which may come again `retry_after_s` later.
    """

    transfer_id: str
    detail: str
    outcome: Outcome = Outcome.INVALID_REQUEST
    retry_after_s: float | None = None


class CancelRequested(Event, frozen=True, kw_only=True):
    """The asker wants the caller back."""

    reason: ReasonText


# ── from the coordinator, about itself ───────────────────────────────────────────────────────────


class TransferBroken(Event, frozen=True, kw_only=True):
    """A message of this transfer could be read and not be handled, however often it was tried.

    `kind` is where it came in (`request`, `cancel`, `event` or `timeout`), `cause` its dead letter's.
    """

    transfer_id: str
    kind: str
    cause: ReasonText


# ── from the primary-session proxy ───────────────────────────────────────────────────────────────


class CallerHeld(CommandReply, frozen=True, kw_only=True):
    """The caller is muted and hears the hold line."""

    caller_participant_id: str | None = None


class CallerReleased(Event, frozen=True, kw_only=True):
    """The caller talks with the AI again: told to (`command_id`), or by the proxy's own decision (None)."""

    command_id: str | None
    cause: Literal["commanded", "bus_silent", "session_closed"] = "commanded"


class CallLeft(CommandReply, frozen=True, kw_only=True):
    """The AI session has left the call."""


# ── from the summarizer ──────────────────────────────────────────────────────────────────────────


class SummaryReady(CommandReply, frozen=True, kw_only=True):
    """`source`: written by a model, taken from the transcript as it stands, or a static line."""

    summary: SummaryText
    source: Literal["model", "extract", "static"]


# ── from the SIP gateway ─────────────────────────────────────────────────────────────────────────


class CallerCallFound(CommandReply, frozen=True, kw_only=True):
    call_id: str
    participant_id: str | None = None


class RoomCreated(CommandReply, frozen=True, kw_only=True):
    room_id: str


class SupervisorDialed(CommandReply, frozen=True, kw_only=True):
    """The provider has the call. `response` is its answer as it came, or what the look-up found."""

    attempt: int
    call_id: str
    response: dict[str, Any] = field(default_factory=dict[str, Any])


class CallCause(StrEnum):
    """Why a leg is down, as the provider tells it."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    ABANDONED = "abandoned"
    FAILED = "failed"
    HUNG_UP = "hung_up"


class SupervisorCallEnded(Event, frozen=True, kw_only=True):
    """The supervisor's leg went down by itself (webhook)."""

    attempt: int
    call_id: str
    cause: CallCause
    sip_code: int | None = None


class CallerCallEnded(Event, frozen=True, kw_only=True):
    """The caller's leg went down (webhook)."""

    call_id: str


class CallerSwitched(CommandReply, frozen=True, kw_only=True):
    """The provider accepted the move; whether the caller arrives is seen in the room."""

    response: dict[str, Any] = field(default_factory=dict[str, Any])


class CallerReturned(CommandReply, frozen=True, kw_only=True):
    """The caller's leg is in the primary room, or gone (`caller_up` False)."""

    caller_up: bool


class CallEnded(CommandReply, frozen=True, kw_only=True):
    """The supervisor's leg is down for good. `existed` False: there is none, and nobody can begin one."""

    attempt: int
    existed: bool
    outcome_unknown: bool = field(name="doubtful", default=False)
    """One was begun and is not to be seen: the provider may still make it, later than anybody waits."""


class LegReport(Struct, frozen=True, kw_only=True):
    """One leg as the provider's call record has it."""

    up: bool
    room_id: str | None = None
    status: str = ""
    cause: CallCause | None = None
    sip_code: int | None = None


class LegsChecked(CommandReply, frozen=True, kw_only=True):
    """None: not asked, or the provider could not be reached."""

    caller: LegReport | None = None
    supervisor: LegReport | None = None


class RecordingStarted(CommandReply, frozen=True, kw_only=True):
    """The provider records them, and goes on until they leave the room or it is closed."""

    participant_id: str


class RoomClosed(CommandReply, frozen=True, kw_only=True):
    pass


# ── from the briefing agent ──────────────────────────────────────────────────────────────────────


class ConsultationJoined(CommandReply, frozen=True, kw_only=True):
    session_id: str | None = None


class SupervisorReady(Event, frozen=True, kw_only=True):
    """The supervisor said yes, after the narration, in their own leg."""


class SupervisorDeclined(Event, frozen=True, kw_only=True):
    reason: ReasonText = ""


class VoicemailDetected(Event, frozen=True, kw_only=True):
    """An answering machine took the call."""


class ConsultationLeft(CommandReply, frozen=True, kw_only=True):
    pass


# ── from rooms ───────────────────────────────────────────────────────────────────────────────────


class AudioStreamEnabled(Event, frozen=True, kw_only=True, tag="AUDIO_STREAM_ENABLED"):
    """A participant can be heard."""

    room_id: str
    participant_id: str
    kind: str = "audio"


class ParticipantJoined(Event, frozen=True, kw_only=True, tag="PARTICIPANT_JOINED"):
    room_id: str
    participant_id: str


class ParticipantLeft(Event, frozen=True, kw_only=True, tag="PARTICIPANT_LEFT"):
    room_id: str
    participant_id: str
    reason: str = ""


# ── from time, and from what went wrong ──────────────────────────────────────────────────────────


class DeadlinePassed(Event, frozen=True, kw_only=True):
    """The durable timer fired. `due_at` is when it was to."""

    due_at: float


class FailureKind(StrEnum):
    """Why a command failed, by what may be true in the world afterwards."""

    REFUSED = "refused"
    """Certainly not done, and trying again will not help."""
    UNKNOWN = "unknown"
    """It may or may not have been done, and looking did not tell."""
    CALLER_GONE = "caller_gone"
    SUPERVISOR_GONE = "supervisor_gone"
    CALLED_OFF = "called_off"
    """Forbidden before it began."""
    BROKEN = "broken"
    """A bug, or a message nobody could read."""


class CommandFailed(CommandReply, frozen=True, kw_only=True):
    failure: FailureKind = field(name="fault")
    detail: ReasonText = ""
    status: int | None = None
    """The provider's HTTP status, where there was one."""


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
