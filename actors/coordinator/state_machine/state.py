"""What a transfer remembers: one plain value, kept whole in every record of its log.

Nouns only. What changes it is in the files beside this one.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from warmxfer.schemas import Outcome, WarmTransferRequest, participant_ids


class Stage(StrEnum):
    """Where a transfer stands, for the machine: finer than the phases users see, one at a time."""

    NEW = "new"
    """No record yet."""
    PREPARING = "preparing"
    """Holding the caller, finding the call, opening the room, writing the summary."""
    RINGING = "ringing"
    """The supervisor is being dialled; nobody has been heard yet, or the summary is still to come."""
    BRIEFING = "briefing"
    """The supervisor is being told and asked."""
    SWITCHING = "switching"
    """The provider was asked to move the caller; its answer is awaited."""
    ARRIVING = "arriving"
    """The move was accepted; the caller is yet to be seen in the consultation room."""
    HANDING_OVER = "handing_over"
    """Caller and supervisor are together; the briefing agent is on its way out."""
    RETURNING = "returning"
    """The bridge did not hold: the caller is being moved back."""
    UNWINDING = "unwinding"
    """The caller is given back to the AI; legs and rooms are being cleared away."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in ENDED


ENDED = frozenset({Stage.COMPLETED, Stage.CANCELLED, Stage.FAILED})


class PreparationTask(StrEnum):
    """What has to be done before the supervisor can be asked; in which order is a matter of pacing."""

    HOLD = "hold"
    FIND = "find"
    SUMMARY = "summary"
    ROOM = "room"
    JOIN = "join"
    DIAL = "dial"
    VOICE = "voice"
    """The supervisor is heard: done by them, never begun by us."""
    BRIEF = "brief"


class PendingCommand(Struct, frozen=True):
    """A command whose answer is awaited."""

    kind: str
    """The command's tag, such as `dial_supervisor`."""
    due_at: float


class Decision(Struct, frozen=True):
    """How the transfer ends, once that is decided. The first verdict stands, but for who was looked for, not
    found, and is then seen to have left."""

    outcome: Outcome
    detail: str
    evidence: dict[str, str | int | float | bool | None] = field(
        default_factory=dict[str, str | int | float | bool | None]
    )


class Transfer(Struct, kw_only=True):
    """One warm transfer. Times are epoch seconds by the broker's clock."""

    id: str
    stage: Stage
    started_at: float
    request: WarmTransferRequest | None = None
    """None only when the request was refused before it began."""

    seq: int = 0
    """Records so far: this state is the outcome of record number `seq`."""
    phases: int = 0
    commands: int = 0

    done: list[PreparationTask] = field(default_factory=list[PreparationTask])
    begun: list[PreparationTask] = field(default_factory=list[PreparationTask])
    pending: dict[str, PendingCommand] = field(default_factory=dict[str, PendingCommand])
    stage_due_at: float | None = None
    check_due_at: float | None = None
    checks: int = 0
    timer_due_at: float | None = field(name="armed_at", default=None)
    """When the one durable timer of this transfer is set to fire; None: not set."""

    attempt: int = 1
    caller_call_id: str | None = None
    caller_participant_id: str | None = None
    caller_gone: bool = False
    caller_free: bool = False
    """The session has let the caller talk again, told to or by itself."""
    caller_moved: bool = False
    """The provider was asked to move the caller into the consultation room, and may have done so."""
    caller_arrived: bool = False
    arrival_rechecked: bool = field(name="last_look", default=False)
    """The time to arrive is over, and the provider is asked once more before the caller is moved back."""

    room_id: str | None = None
    room_doubtful: bool = False
    """It may have been opened, and nobody has told which it is."""
    room_closing: bool = False
    closing_doubtful: bool = False
    """It was told to be closed, and may be open: the provider would not, or nobody has told."""
    consultation_session_id: str | None = None
    supervisor_call_id: str | None = None
    supervisor_heard: bool = False
    recording: str = ""
    """What became of the caller's recording in the consultation room, for the evidence; empty: not told."""
    leg_doubtful: bool = False
    """It was to be ended, and may be up or come up yet: nobody has seen it come or go."""

    ended_at: float | None = None
    """Moved on by outages since, the broker's and the provider's: they do not use up the time for looking."""
    last_leg_check_id: str = field(name="late_look", default="")
    """The last look at the legs after the end, by its command's id: what an earlier one saw is too old."""
    summary: str = ""
    decision: Decision | None = field(name="verdict", default=None)

    @property
    def supervisor_participant_id(self) -> str:
        return participant_ids.supervisor(self.id, self.attempt)

    @property
    def caller_consult_id(self) -> str:
        """The caller's participant id in the consultation room."""
        return participant_ids.caller_consult(self.id)

    @property
    def caller_return_id(self) -> str:
        """The caller's participant id when moved back into the primary room."""
        return participant_ids.caller_return(self.id)

    @property
    def agent_participant_id(self) -> str:
        return participant_ids.agent(self.id)

    @property
    def caller_away(self) -> bool:
        """The caller may be in the consultation room: nothing may happen to it, or to who is there."""
        return self.caller_moved and not self.caller_gone

    def awaits(self, kind: str) -> bool:
        """True while an answer to a command of this kind is outstanding."""
        return any(each.kind == kind for each in self.pending.values())
