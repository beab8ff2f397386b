"""State of one transfer: a plain value, stored whole in every record of its log.

This file has only data. The handlers in the other files change the state; `step()` calls them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct, field

from warmxfer.schemas import Command, Outcome, SupervisorCallEnded, WarmTransferRequest, participant_ids
from warmxfer.schemas.fields import Evidence, EvidenceValue, Id, ReasonText, Sentence, SummaryText, Word

PENDING_MAX = 100
"""Tasks, and commands whose reply is awaited. A transfer has about ten."""


class Stage(StrEnum):
    """What the transfer waits for, one stage at a time. Users see the coarser phases."""

    NEW = "new"
    """No record exists yet."""
    PREPARING = "preparing"
    """The caller is put on hold, the call found, the room created, the summary written."""
    RINGING = "ringing"
    """The supervisor is being dialled: their audio or the summary is still missing."""
    BRIEFING = "briefing"
    """The briefing agent briefs the supervisor and asks them."""
    SWITCHING = "switching"
    """The provider was asked to move the caller; its reply is awaited."""
    ARRIVING = "arriving"
    """The provider accepted the move; the caller was not yet seen in the consultation room."""
    HANDING_OVER = "handing_over"
    """Caller and supervisor are together; the briefing agent is leaving, then both legs are checked."""
    RETURNING = "returning"
    """The bridge failed; the caller is being moved back."""
    UNWINDING = "unwinding"
    """The caller is released to the AI; legs, agent and room are being cleaned up."""
    GUARDING = "guarding"
    """The transfer is complete; the AI stays for a while, in case the supervisor leaves the caller alone."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """True once the final phase and the result are published. A guard may follow, and clean-up checks."""
        return self in ENDED


LAST_STAGES = frozenset({Stage.COMPLETED, Stage.CANCELLED, Stage.FAILED})
"""Stages that no other stage follows."""
ENDED = LAST_STAGES | {Stage.GUARDING}


class PreparationTask(StrEnum):
    """A task of the preparation, up to the briefing. The pacing decides the order."""

    HOLD = "hold"
    FIND = "find"
    SUMMARY = "summary"
    ROOM = "room"
    JOIN = "join"
    DIAL = "dial"
    VOICE = "voice"
    """The supervisor's audio is on. The supervisor does this task; no command starts it."""
    BRIEF = "brief"


class CallerPlace(StrEnum):
    """Where the caller is, according to the events so far."""

    WITH_AI = "with_ai"
    """In the primary room: no move was accepted, or the caller was moved back.

    Also used for a caller who hung up after the end, when no handler depends on the place.
    """
    SEEN_EARLY = "seen_early"
    """Seen in the consultation room before the reply to `SwitchCaller`. Only while switching."""
    IN_TRANSIT = "moved"
    """A move was requested, and is not confirmed: into the consultation room, or back to the AI."""
    OVERDUE = "overdue"
    """Moved, and not seen within the arrival time; a last leg check is awaited. Only while arriving."""
    ARRIVED = "arrived"
    """In the consultation room, with the supervisor."""
    HUNG_UP = "hung_up"

    @property
    def may_be_in_consultation(self) -> bool:
        """True if the caller may be in the consultation room: the room and its legs stay untouched."""
        return self in (CallerPlace.IN_TRANSIT, CallerPlace.OVERDUE, CallerPlace.ARRIVED)


class SupervisorLeg(StrEnum):
    """Whether the supervisor was heard, and whether a leg that was to be ended may be up."""

    UNHEARD = "unheard"
    HEARD = "heard"
    UNHEARD_UNCONFIRMED = "unheard_unconfirmed"
    """`EndCall` was sent and not confirmed: the leg may be up, or come up later."""
    HEARD_UNCONFIRMED = "heard_unconfirmed"

    @property
    def was_heard(self) -> bool:
        return self in (SupervisorLeg.HEARD, SupervisorLeg.HEARD_UNCONFIRMED)

    @property
    def may_be_up(self) -> bool:
        """True from `EndCall` on, until a reply confirms that the leg is down."""
        return self in (SupervisorLeg.UNHEARD_UNCONFIRMED, SupervisorLeg.HEARD_UNCONFIRMED)

    def heard(self) -> SupervisorLeg:
        """Return the value after the supervisor's audio was heard."""
        return SupervisorLeg.HEARD_UNCONFIRMED if self.may_be_up else SupervisorLeg.HEARD

    def with_end(self, *, confirmed: bool) -> SupervisorLeg:
        """Return the value after `EndCall` was sent (`confirmed` False), or confirmed by its reply."""
        if confirmed:
            return SupervisorLeg.HEARD if self.was_heard else SupervisorLeg.UNHEARD
        return SupervisorLeg.HEARD_UNCONFIRMED if self.was_heard else SupervisorLeg.UNHEARD_UNCONFIRMED


class RoomStatus(StrEnum):
    """State of the consultation room."""

    NONE = "none"
    """No room is known, and no `CreateRoom` has an unknown outcome."""
    CREATE_UNCONFIRMED = "create_unconfirmed"
    """`CreateRoom` failed or timed out: the room may exist, and its id is unknown."""
    OPEN = "open"
    CLOSING = "closing"
    """`CloseRoom` was sent: its reply is awaited, or the room is closed."""
    CLOSE_UNCONFIRMED = "close_unconfirmed"
    """`CloseRoom` was sent and not confirmed; the room may still be open."""
    STILL_OPEN = "still_open"
    """The room must be closed, and no `CloseRoom` for it is outstanding."""

    @property
    def exists(self) -> bool:
        """True if there is, or may be, a room to close."""
        return self is not RoomStatus.NONE

    @property
    def close_requested(self) -> bool:
        return self in (RoomStatus.CLOSING, RoomStatus.CLOSE_UNCONFIRMED)

    @property
    def may_be_open(self) -> bool:
        """True if the room was to be closed and may be open."""
        return self in (RoomStatus.CLOSE_UNCONFIRMED, RoomStatus.STILL_OPEN)

    def close_unconfirmed(self) -> RoomStatus:
        """Return the status after `CloseRoom` failed, timed out or was not waited for."""
        return RoomStatus.CLOSE_UNCONFIRMED if self is RoomStatus.CLOSING else self

    def close_confirmed(self) -> RoomStatus:
        """Return the status after a reply said that the room is closed."""
        after = {RoomStatus.CLOSE_UNCONFIRMED: RoomStatus.CLOSING, RoomStatus.STILL_OPEN: RoomStatus.OPEN}
        return after.get(self, self)


Tasks = Annotated[list[PreparationTask], Meta(max_length=PENDING_MAX)]


class PendingCommand(Struct, frozen=True):
    """A command whose reply is awaited."""

    kind: Word
    """The command's tag, such as `dial_supervisor`."""
    due_at: float


class Decision(Struct, frozen=True):
    """The outcome, once decided.

    The first decision stands, with one exception: CALLER_NOT_FOUND becomes CALLER_LEFT if the caller is then
    seen leaving.
    """

    outcome: Outcome
    detail: Sentence
    evidence: Evidence = field(default_factory=dict[str, EvidenceValue])


class TransferFields(Struct, kw_only=True):
    """The fields that `Transfer` and its stored form share. Moments: epoch seconds by the broker's clock."""

    id: Id
    stage: Stage
    started_at: float
    request: WarmTransferRequest | None = None
    """None only if the request was refused before the transfer began."""

    seq: int = 0
    """Records so far: this state is the result of record number `seq`."""
    phases: int = 0
    commands: int = 0

    done: Tasks = field(default_factory=list[PreparationTask])
    begun: Tasks = field(default_factory=list[PreparationTask])
    pending: Annotated[dict[Id, PendingCommand], Meta(max_length=PENDING_MAX)] = field(
        default_factory=dict[str, PendingCommand]
    )
    stage_due_at: float | None = None
    check_due_at: float | None = None
    checks: int = 0
    timer_due_at: float | None = field(name="armed_at", default=None)
    """When the one durable timer of this transfer fires. None if no timer is set."""

    attempt: int = 1
    caller_call_id: Id | None = None
    caller_participant_id: Id | None = None
    caller_released: bool = field(name="caller_free", default=False)
    """The session unmuted the caller, on a command or by itself. It says nothing about the caller's place."""

    session_lost: bool = False
    """No session answered the release of a caller who had not hung up, nor holds them for a new transfer."""
    rescue_requested: bool = False
    """`RescueCaller` was sent, and may not be sent again: no reply said that it is not needed yet or has not
    begun, and clean-up did not end without a reply."""

    room_id: Id | None = None
    consultation_session_id: Id | None = None
    supervisor_call_id: Id | None = None
    provider_wait_s: float = 0.0
    """How long commands of this transfer have waited for the provider's rate limit, together."""
    leg_reported: bool = False
    """The provider reports changes of the supervisor's leg by webhook, as far as a leg check could tell."""
    recording: Sentence = ""
    """The result of the caller's recording in the consultation room, for the evidence. Empty if unknown."""

    end_leg_on_leave: bool = False
    """Whether the supervisor's leg is ended only when the briefing agent has left, which speaks a notice."""
    accepted_by: Word = ""
    """How the supervisor accepted, "voice" or "key", for the evidence. Empty if unknown."""
    accepted_words: ReasonText = ""
    """What the supervisor said or pressed to accept, for the evidence."""

    ended_at: float | None = None
    """When the transfer ended. Outages move it later: they do not use up the time for clean-up checks."""
    last_leg_check_id: Id = field(name="late_look", default="")
    """Command id of the newest leg check that decides although its reply is not awaited; empty if none does.

    Replies to earlier checks are too old. Only from the handover on.
    """
    summary: SummaryText = ""
    decision: Decision | None = field(name="verdict", default=None)

    alone_notice_s: float | None = None
    """How long a return in the guard may fail before a notice says so. None: an older version began it."""
    alone_notice_at: float | None = None
    """When that notice is due. None: the caller is not alone, or the notice is published."""

    archive_after_s: float | None = None
    """How long after its end the transfer is archived. None: a version that archives nothing began it."""
    archive_due_at: float | None = None
    """When the transfer is archived, if nothing has to be checked then. None before its end."""
    archived: bool = False
    """The archive has the transfer, and this is the last record of its log. Nothing changes it any more."""

    begun_by_version: int = 3
    """Version of the state machine that began the transfer; 3 for each one before 4.

    A rule that a version adds holds for the transfers that this version began, and for no earlier one. So
    every log replays to what is stored.
    """
    agent_asked_to_leave: bool = False
    """The briefing agent was asked to leave when the caller arrived. It may have left. Since version 4."""
    last_end_call_id: Id = ""
    """Command id of the newest `EndCall` without a reply: the only one whose reply is handled when none is
    awaited. Since version 4."""
    found_alone_at: float | None = None
    """When a caller who could not be returned was found alone, since they were last with the supervisor. The
    search for them begins again then. Since version 4."""


class Transfer(TransferFields, kw_only=True):
    """One warm transfer."""

    caller: CallerPlace = CallerPlace.WITH_AI
    room: RoomStatus = RoomStatus.NONE
    supervisor_leg: SupervisorLeg = SupervisorLeg.UNHEARD

    @property
    def supervisor_participant_id(self) -> str:
        return participant_ids.supervisor(self.id, self.attempt)

    @property
    def caller_consult_id(self) -> str:
        """The caller's participant id in the consultation room."""
        return participant_ids.caller_consult(self.id)

    @property
    def caller_return_id(self) -> str:
        """The caller's participant id after the move back into the primary room."""
        return participant_ids.caller_return(self.id)

    @property
    def rescuer_participant_id(self) -> str:
        """The id of a person who is dialled into the primary room to rescue the caller."""
        return participant_ids.rescuer(self.id)

    @property
    def agent_participant_id(self) -> str:
        return participant_ids.agent(self.id)

    @property
    def follows_version_4(self) -> bool:
        """True if the transfer follows the rules that came with version 4 of the state machine."""
        return self.begun_by_version >= 4

    @property
    def waits_for_archive(self) -> bool:
        """True if the transfer is over, with its guard and its clean-up checks."""
        return self.stage in LAST_STAGES and self.check_due_at is None

    def awaits(self, *commands: type[Command]) -> bool:
        """True while the reply to a command of one of these types is outstanding."""
        kinds = {wire_name(each) for each in commands}
        return any(each.kind in kinds for each in self.pending.values())

    def is_supervisors_leg(self, event: SupervisorCallEnded) -> bool:
        """Return whether the leg that ended is the one that was dialled.

        A dial that the provider executed twice has two legs with the same marks, and a webhook may name any
        call. So once the reply to the dial has named its call, only that one counts, since version 4.
        """
        named = self.supervisor_call_id if self.follows_version_4 else None
        return event.attempt == self.attempt and named in (None, event.call_id)


def wire_name(command: type[Command]) -> str:
    """Return the tag of a command type on the wire: `DialSupervisor` -> `dial_supervisor`."""
    return str(command.__struct_config__.tag)
