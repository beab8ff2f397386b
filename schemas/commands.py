"""What the coordinator tells the other actors to do. Imperative, one struct a command.

Every command carries

- `command_id`: its name within the transfer; the answer repeats it. The same id twice is the same command.
- `deadline_at`: epoch seconds by the broker's clock; after it nobody waits for the answer.

**Level commands** (`HoldCaller`, `ReleaseCaller`, `LeaveCall`; `BriefSupervisor`, `LeaveConsultation`) set
a standing state and go straight to the one process that holds the session or the consultation. They carry
a rising `fence`: whoever has acted on a higher number ignores a lower one.

**Effects** (`DialSupervisor`, `SwitchCaller`, `ReturnCaller`) happen at most once: before the provider is
asked, the effect's name is claimed for ever on `warmxfer.<id>.intent.<effect>`; who finds it claimed looks
up instead of doing it again.
"""

from __future__ import annotations

from msgspec import Struct

from .fields import SummaryText, snake_case
from .transfer import SIPDestination, SpokenLines


class Command(Struct, frozen=True, kw_only=True, tag=snake_case, tag_field="type"):
    """The base of all commands; never sent itself."""

    command_id: str
    deadline_at: float


# ── to the primary-session proxy ─────────────────────────────────────────────────────────────────


class HoldCaller(Command, frozen=True, kw_only=True):
    """Mute the caller's input, suspend auto-end, say `line` without being interruptible. -> CallerHeld"""

    fence: int
    line: str


class ReleaseCaller(Command, frozen=True, kw_only=True):
    """Unmute, restore auto-end, say `line` (None: nobody is there to hear it). -> CallerReleased

    With `stay_s` the caller is away and may yet be brought back: be there for so long, and say `line` and
    restore auto-end when they come.
    """

    fence: int
    line: str | None
    stay_s: float = 0.0


class LeaveCall(Command, frozen=True, kw_only=True):
    """The caller has been moved: the AI session leaves. -> CallLeft"""

    fence: int


# ── to the summarizer ────────────────────────────────────────────────────────────────────────────


class Summarize(Command, frozen=True, kw_only=True):
    """Turn the session's history into a briefing. -> SummaryReady"""

    session: str
    summarize_by: str
    prompt: str | None


# ── to the SIP gateway ───────────────────────────────────────────────────────────────────────────


class FindCallerCall(Command, frozen=True, kw_only=True):
    """Find the caller's SIP call in the primary room. -> CallerCallFound"""

    room_id: str
    call_id: str | None
    """Known already: then it is only checked to be up."""


class CreateRoom(Command, frozen=True, kw_only=True):
    """Open the consultation room; the same `key` gives the same room. -> RoomCreated"""

    key: str


class DialSupervisor(Command, frozen=True, kw_only=True):
    """Ring the supervisor into `room_id`, who will appear there as `participant_id`. -> SupervisorDialed"""

    attempt: int
    room_id: str
    participant_id: str
    ringing_timeout_s: int
    destination: SIPDestination


class SwitchCaller(Command, frozen=True, kw_only=True):
    """Check that both legs are up, then move the caller's leg into `room_id`. -> CallerSwitched"""

    room_id: str
    caller_call_id: str
    supervisor_call_id: str
    participant_id: str


class ReturnCaller(Command, frozen=True, kw_only=True):
    """See to it that the caller's leg is in the primary room `room_id`. -> CallerReturned"""

    room_id: str
    caller_call_id: str
    participant_id: str
    from_room_id: str


class EndCall(Command, frozen=True, kw_only=True):
    """See to it that the supervisor's leg of `attempt` is down, or never comes up. -> CallEnded"""

    attempt: int
    room_id: str
    participant_id: str
    call_id: str | None
    """None when the dial's answer never came: the leg is looked up by room and participant."""


class CheckLegs(Command, frozen=True, kw_only=True):
    """Ask the provider how both legs are, in case a webhook was lost. -> LegsChecked"""

    caller_call_id: str | None
    supervisor_call_id: str | None


class RecordParticipant(Command, frozen=True, kw_only=True):
    """See to it that somebody in `room_id` is being recorded. -> RecordingStarted"""

    room_id: str
    participant_id: str


class CloseRoom(Command, frozen=True, kw_only=True):
    """Deactivate the consultation room. -> RoomClosed"""

    room_id: str | None
    """None when it was never told whether there is one: it is the room of `key`."""
    key: str | None = None
    """As in `CreateRoom`."""
    caller_call_id: str | None = None
    """The leg on which closing must not hang up."""


# ── to the briefing agent ────────────────────────────────────────────────────────────────────────


class JoinConsultation(Command, frozen=True, kw_only=True):
    """Be in the consultation room and watch it, until told to leave. -> ConsultationJoined

    Held by one worker for as long as the consultation lasts; when that worker dies another takes over.
    """

    room_id: str
    participant_id: str
    supervisor_participant_id: str
    caller_participant_id: str
    fence: int = 0
    """Lower than that of every order for this consultation, and higher than those of an earlier one."""
    one_moment: str = SpokenLines().one_moment


class BriefSupervisor(Command, frozen=True, kw_only=True):
    """Greet, narrate, ask, listen. -> SupervisorReady | SupervisorDeclined | VoicemailDetected"""

    fence: int
    summary: SummaryText
    greeting: str
    question: str
    connecting: str
    understood: str = SpokenLines().understood


class LeaveConsultation(Command, frozen=True, kw_only=True):
    """Leave the consultation room. -> ConsultationLeft"""

    fence: int


ToPrimary = HoldCaller | ReleaseCaller | LeaveCall
ToSummarizer = Summarize
ToGateway = (
    FindCallerCall
    | CreateRoom
    | DialSupervisor
    | SwitchCaller
    | ReturnCaller
    | EndCall
    | CheckLegs
    | RecordParticipant
    | CloseRoom
)
ToBriefing = JoinConsultation
ToConsult = BriefSupervisor | LeaveConsultation
AnyCommand = ToPrimary | ToSummarizer | ToGateway | ToBriefing | ToConsult
