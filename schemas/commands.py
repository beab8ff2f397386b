"""Commands: what the coordinator asks the other actors to do. Imperative names, one struct per command.

Every command carries:

- `command_id`: identifies the command within the transfer. The reply repeats it. The same id twice is the
  same command.
- `deadline_at`: epoch seconds by the broker's clock. After it, the coordinator no longer waits for the reply.

Level commands set a lasting state: `HoldCaller`, `ReleaseCaller`, `LeaveCall`, `BriefSupervisor`,
`LeaveConsultation`. They go directly to the process that holds the session or the consultation. They carry a
fencing token (`fence`) that grows: a process ignores a command with a lower token than one it has executed.

Effects happen at most once: `DialSupervisor`, `SwitchCaller`, `ReturnCaller`, `RescueCaller`. Before the
gateway calls the provider, it claims the effect for good on `wx.<partition>.<id>.intent.<effect>`. If the
effect is claimed already, the gateway looks up its result instead of repeating it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from .fields import Id, Line, LongText, SummaryText, Word, snake_case
from .transfer import Rescue, SIPDestination, SpokenLines

__all__ = [
    "AnyCommand",
    "BriefSupervisor",
    "CheckLegs",
    "CloseRoom",
    "Command",
    "CreateRoom",
    "DialSupervisor",
    "EndCall",
    "FindCallerCall",
    "HoldCaller",
    "JoinConsultation",
    "LeaveCall",
    "LeaveConsultation",
    "RecordParticipant",
    "ReleaseCaller",
    "RescueCaller",
    "ReturnCaller",
    "Summarize",
    "SwitchCaller",
    "ToBriefing",
    "ToConsult",
    "ToGateway",
    "ToPrimary",
    "ToSummarizer",
]


class Command(Struct, frozen=True, kw_only=True, tag=snake_case, tag_field="type"):
    """Base of all commands. It is never sent itself."""

    command_id: Id
    deadline_at: float
    first_event: int | UnsetType = UNSET
    """Number of the first event of the transfer in its stream. While that event is stored, no claim of the
    transfer was lost: both are in one stream. Left out if no event has come yet.
    """


# ── to the primary session ───────────────────────────────────────────────────────────────────────


class HoldCaller(Command, frozen=True, kw_only=True):
    """Mute the caller's input, suspend auto-end, and say `line` uninterruptibly. -> CallerHeld"""

    fence: int
    line: Line
    transfer_id: Id | UnsetType = UNSET
    """The transfer, on a subject that names a session only. Left out on one that names the transfer."""


class ReleaseCaller(Command, frozen=True, kw_only=True):
    """Unmute the caller, restore auto-end, and say `line`. -> CallerReleased

    `line` is None if the caller cannot hear it. With `stay_s` the caller is in the consultation room and may
    return. The session then stays for that time. When the caller returns, it says `line` and restores
    auto-end.
    """

    fence: int
    line: Line | None
    stay_s: float = 0.0
    transfer_id: Id | UnsetType = UNSET
    """The transfer, on a subject that names a session only. Left out on one that names the transfer."""


class LeaveCall(Command, frozen=True, kw_only=True):
    """Leave the call with the AI session, because the caller was moved. It has no reply."""

    fence: int
    transfer_id: Id | UnsetType = UNSET
    """The transfer, on a subject that names a session only. Left out on one that names the transfer."""


# ── to the summarizer ────────────────────────────────────────────────────────────────────────────


class Summarize(Command, frozen=True, kw_only=True):
    """Turn the session's transcript into a briefing text. -> SummaryReady"""

    session: Id
    summarize_by: Word
    prompt: LongText | None


# ── to the SIP gateway ───────────────────────────────────────────────────────────────────────────


class FindCallerCall(Command, frozen=True, kw_only=True):
    """Find the caller's SIP call in the primary room. -> CallerCallFound"""

    room_id: Id
    call_id: Id | None
    """If the call id is known, the gateway only checks that the call is up."""


class CreateRoom(Command, frozen=True, kw_only=True):
    """Create the consultation room. The same `key` gives the same room. -> RoomCreated"""

    key: Id


class DialSupervisor(Command, frozen=True, kw_only=True):
    """Dial the supervisor into `room_id`, to join as `participant_id`. -> SupervisorDialed"""

    attempt: int
    room_id: Id
    participant_id: Id
    ringing_timeout_s: int
    destination: SIPDestination
    caller_room_id: Id | UnsetType = UNSET
    """The primary room, for which dials are counted. An older coordinator does not say it."""


class SwitchCaller(Command, frozen=True, kw_only=True):
    """Check that both legs are up, then move the caller's leg into `room_id`. -> CallerSwitched"""

    room_id: Id
    caller_call_id: Id
    supervisor_call_id: Id
    participant_id: Id


class ReturnCaller(Command, frozen=True, kw_only=True):
    """Make sure that the caller's leg is in the primary room `room_id`. -> CallerReturned"""

    room_id: Id
    caller_call_id: Id
    participant_id: Id
    from_room_id: Id


class EndCall(Command, frozen=True, kw_only=True):
    """Make sure that the supervisor's leg of `attempt` is down and cannot come up. -> CallEnded"""

    attempt: int
    room_id: Id
    participant_id: Id
    call_id: Id | None
    """None if no reply to the dial came. The leg is then looked up by room and participant."""


class CheckLegs(Command, frozen=True, kw_only=True):
    """Read the state of both legs from the provider, in case a webhook was lost. -> LegsChecked"""

    caller_call_id: Id | None
    supervisor_call_id: Id | None


class RescueCaller(Command, frozen=True, kw_only=True):
    """Bring a person or an agent into `room_id`, to a caller whose session is lost. -> CallerRescued

    The gateway checks first that the caller's leg is up and that the caller is not with the supervisor.
    """

    room_id: Id
    """The primary room."""
    caller_call_id: Id | None
    """None if it is unknown. The gateway then looks for the caller's leg in `room_id`."""
    supervisor_call_id: Id | None
    consultation_room_id: Id | None
    """None if the caller is certainly not there."""
    participant_id: Id
    """The id under which a dialled person joins."""
    ringing_timeout_s: int
    rescue: Rescue


class RecordParticipant(Command, frozen=True, kw_only=True):
    """Make sure that a participant in `room_id` is recorded. -> RecordingStarted"""

    room_id: Id
    participant_id: Id


class CloseRoom(Command, frozen=True, kw_only=True):
    """Deactivate the consultation room. -> RoomClosed"""

    room_id: Id | None
    """None if it is unknown whether the room exists. It is then the room of `key`."""
    key: Id | None = None
    """As in `CreateRoom`."""
    caller_call_id: Id | None = None
    """The leg that closing the room must not hang up."""


# ── to the briefing agent ────────────────────────────────────────────────────────────────────────


class JoinConsultation(Command, frozen=True, kw_only=True):
    """Join the consultation room and watch it until `LeaveConsultation`. -> ConsultationJoined

    One worker keeps this command in flight for the whole consultation. If that worker dies, another takes
    over.
    """

    room_id: Id
    participant_id: Id
    supervisor_participant_id: Id
    caller_participant_id: Id
    fence: int = 0
    """Lower than the token of every other command of this consultation, higher than those of earlier ones."""
    one_moment: Line = SpokenLines().one_moment
    identify: Line = SpokenLines().identify
    identify_key: Line = SpokenLines().identify_key
    screening: Line = SpokenLines().screening
    language: Word | None = None
    """The language of the lines, as an ISO 639-1 code, if the request names one."""
    transfer_id: Id | UnsetType = UNSET
    """The transfer, on a subject that names a session only. Left out on one that names the transfer."""


class BriefSupervisor(Command, frozen=True, kw_only=True):
    """Greet the supervisor, tell the summary and ask the question.

    Replies: SupervisorReady | SupervisorDeclined | VoicemailDetected
    """

    fence: int
    summary: SummaryText
    greeting: Line
    question: Line
    connecting: Line
    understood: Line = SpokenLines().understood
    confirm: Line = SpokenLines().confirm
    keys: Line = SpokenLines().keys
    accept_by: Literal["voice", "either", "key"] | None = None
    """None: either, where the provider reports digits; else voice."""


class LeaveConsultation(Command, frozen=True, kw_only=True):
    """Speak to the end for at most `finish_s`, then leave the consultation room. -> ConsultationLeft"""

    fence: int
    notice: Line | None = None
    """Said to the supervisor before leaving, instead of what is being said."""
    finish_s: float = 0.0


ToPrimary = HoldCaller | ReleaseCaller | LeaveCall
ToSummarizer = Summarize
ToGateway = (
    FindCallerCall
    | CreateRoom
    | DialSupervisor
    | SwitchCaller
    | ReturnCaller
    | RescueCaller
    | EndCall
    | CheckLegs
    | RecordParticipant
    | CloseRoom
)
ToBriefing = JoinConsultation
ToConsult = BriefSupervisor | LeaveConsultation
AnyCommand = ToPrimary | ToSummarizer | ToGateway | ToBriefing | ToConsult
