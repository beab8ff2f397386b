"""The telephony cloud: rooms, participants, legs, and the ledger of what it executed.

Invariant: a method here takes effect at once and does not fail at random. Lost and late requests and stale
look-ups are in `provider.py`; what people do is in `people.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from warmxfer.adapters.telephony import (
    CallEndedNotice,
    CallRecord,
    CallUpNotice,
    DialRequest,
    NotFound,
    Notice,
    NotReady,
    ParticipantJoinedNotice,
    ParticipantLeftNotice,
    Rejected,
)
from warmxfer.schemas import CallCause

if TYPE_CHECKING:
    from .world import World

MOVE_S = (0.1, 1.5)
RESCUE = "rescue"
"""The attempt in the metadata of a rescue, and its name in the ledger."""
DISPATCH_S = 1.0
RECORDABLE_S = 1.0
"""Time from joining a room until a participant can be recorded."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One effect that the cloud executed. `faulty`: the cloud did it without an order."""

    at: float
    what: str
    transfer_id: str
    call_id: str = ""
    room_id: str = ""
    faulty: bool = False


@dataclass(frozen=True, slots=True)
class Utterance:
    """A finished utterance, and the calls of the people who heard it."""

    participant_id: str
    words: str
    heard_by: tuple[str, ...]
    at: float
    """When the utterance ended."""


@dataclass(slots=True)
class Call:
    """One leg: its current record and all earlier ones."""

    record: CallRecord
    transfer_id: str = ""
    repeated_by_cloud: bool = False
    past: list[tuple[float, CallRecord]] = field(default_factory=list)
    answered_at: float | None = None
    ended_at: float | None = None

    @property
    def is_rescue(self) -> bool:
        """Whether a person was dialled to rescue a caller: it is no leg of the supervisor."""
        return self.record.metadata.get("attempt") == RESCUE

    def as_of(self, at: float) -> CallRecord | None:
        """Return the record as it was at `at`, or None if there was none yet."""
        return next((record for since, record in reversed(self.past) if since <= at), None)


@dataclass(slots=True)
class Participant:
    """A participant of a room. `on_event` is called with what happens there."""

    participant_id: str
    audible: bool = False
    call: Call | None = None
    entered_at: float = 0.0
    recorded: bool = False
    on_event: Callable[[str, str, str], None] | None = None
    """(what, participant id, words): joined, left, audible, said, closed."""


@dataclass(slots=True)
class Room:
    id: str
    open: bool = True
    participants: dict[str, Participant] = field(default_factory=dict)


class Cloud:
    """Rooms, legs and ledger of the simulated provider."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.rooms: dict[str, Room] = {}
        self.calls: dict[str, Call] = {}
        self.ledger: list[LedgerEntry] = []
        self.orders: list[LedgerEntry] = []
        """Orders that reached the cloud, executed or not."""
        self.utterances: list[Utterance] = []
        self.on_dialed: Callable[[Call, DialRequest], None] = lambda call, order: None
        self.on_arrived: Callable[[Call, str], None] = lambda call, room_id: None
        """Called when a call has been moved into a room."""
        self.on_said: Callable[[Call, str], None] = lambda call, words: None

    def enter_ledger(
        self, what: str, transfer_id: str, call_id: str = "", room_id: str = "", *, faulty: bool = False
    ) -> None:
        self.ledger.append(LedgerEntry(self._world.now, what, transfer_id, call_id, room_id, faulty))
        self._world.trace.add(
            "cloud", f"{what} {transfer_id} {call_id} {room_id}{' (its own fault)' if faulty else ''}"
        )

    # ── rooms and participants ─────────────────────────────────────────────────────────────────

    def room(self, room_id: str) -> Room:
        """Return an open room. Raises `NotFound` for any other."""
        room = self.rooms.get(room_id)
        if room is None or not room.open:
            raise NotFound(f"room {room_id} is not there", status=404)
        return room

    def open_room(self, key: str) -> str:
        """Return the id of the room of this key; create the room if needed. Idempotent."""
        room_id = f"room-{key}"
        if room_id not in self.rooms:
            self.rooms[room_id] = Room(room_id)
            self.enter_ledger("room_opened", key, room_id=room_id)
        return room_id

    def close_room(self, room_id: str) -> None:
        room = self.room(room_id)
        room.open = False
        self.enter_ledger("room_closed", room_id.removeprefix("room-"), room_id=room_id)
        for participant in list(room.participants.values()):
            if participant.on_event is not None:
                participant.on_event("closed", participant.participant_id, "deactivated")
            self.leave(room, participant.participant_id, "room closed")
            if participant.call is not None:
                self.hang_up(participant.call, CallCause.HUNG_UP)

    def enter(self, room: Room, participant: Participant) -> None:
        before = room.participants.pop(participant.participant_id, None)
        if before is not None and before.on_event is not None:
            before.on_event("closed", participant.participant_id, "replaced")
        room.participants[participant.participant_id] = participant
        participant.entered_at = self._world.now
        self._world.trace.add(room.id, f"enters {participant.participant_id}")
        if before is None:
            self._announce(room, "joined", participant.participant_id, "")
            self._notify(ParticipantJoinedNotice(room.id, participant.participant_id))

    def record(self, room_id: str, participant_id: str) -> None:
        """Record a participant until they leave. Idempotent."""
        participant = self.room(room_id).participants.get(participant_id)
        if participant is None or self._world.now < participant.entered_at + RECORDABLE_S:
            raise NotReady(f"{participant_id} is not yet there", status=400)
        if not participant.recorded:
            participant.recorded = True
            call_id = participant.call.record.call_id if participant.call else ""
            self.enter_ledger("recorded", room_id.removeprefix("room-"), call_id, room_id)

    def make_audible(self, room: Room, participant_id: str) -> None:
        participant = room.participants.get(participant_id)
        if participant is not None and not participant.audible:
            participant.audible = True
            self._announce(room, "audible", participant_id, "")

    def leave(self, room: Room, participant_id: str, reason: str) -> None:
        if room.participants.pop(participant_id, None) is not None:
            self._world.trace.add(room.id, f"leaves {participant_id}: {reason}")
            self._announce(room, "left", participant_id, reason)
            self._notify(ParticipantLeftNotice(room.id, participant_id, reason))

    def say(self, room_id: str, participant_id: str, words: str) -> None:
        """End an utterance: agents receive it as an event, people hear it."""
        room = self.rooms[room_id]
        if participant_id not in room.participants:
            return
        self._world.trace.add(room_id, f"{participant_id} says {words}")
        self._announce(room, "said", participant_id, words)
        hearers = [
            each.call
            for each in room.participants.values()
            if each.call and each.participant_id != participant_id
        ]
        heard_by = tuple(each.record.call_id for each in hearers)
        self.utterances.append(Utterance(participant_id, words, heard_by, self._world.now))
        for call in hearers:
            self.on_said(call, words)

    def press(self, room_id: str, participant_id: str, digit: str) -> None:
        """Report a key that a person pressed to the agents, in order with speech."""
        room = self.rooms[room_id]
        if participant_id in room.participants:
            self._world.trace.add(room_id, f"{participant_id} presses {digit}")
            self._announce(room, "key", participant_id, digit)

    def _announce(self, room: Room, what: str, participant_id: str, words: str) -> None:
        for participant in list(room.participants.values()):
            if participant.on_event is not None and participant.participant_id != participant_id:
                participant.on_event(what, participant_id, words)

    # ── legs ─────────────────────────────────────────────────────────────────────────────────────

    def note(self, call: Call, **changes: object) -> None:
        """Replace the leg's record, and keep the old one for stale look-ups."""
        call.record = replace(call.record, **changes)  # type: ignore[arg-type]
        call.past.append((self._world.now, call.record))

    def call_in(self, room_id: str, participant_id: str) -> Call:
        """Create a caller's leg, answered by the AI in a room of its own."""
        room = self.rooms[room_id] = Room(room_id)
        call = self._new_call(
            CallRecord(f"in-{room_id}", True, "answered", "inbound", room_id, participant_id)
        )
        call.answered_at = self._world.now
        self.enter(room, Participant(participant_id, audible=True, call=call))
        return call

    def dial(self, order: DialRequest, *, repeated_by_cloud: bool = False) -> Call:
        transfer_id = order.metadata["warmxferId"]
        self.room(order.room_id)
        call = self._new_call(
            CallRecord(
                f"out-{len(self.calls)}",
                True,
                "ringing",
                "outbound",
                order.room_id,
                order.participant_id,
                metadata=dict(order.metadata),
                started=f"{self._world.now:.6f}",
            ),
            transfer_id,
            repeated_by_cloud,
        )
        what = RESCUE if call.is_rescue else "dial"
        self.enter_ledger(what, transfer_id, call.record.call_id, order.room_id, faulty=repeated_by_cloud)
        self._notify(CallUpNotice(call.record.call_id))
        self.on_dialed(call, order)
        return call

    def dispatch(self, room_id: str, transfer_id: str) -> None:
        """Accept the dispatch of an agent, which joins the room a moment later."""
        room = self.room(room_id)
        self.enter_ledger(RESCUE, transfer_id, room_id=room_id)
        agent = Participant(f"dispatched-{transfer_id}", audible=True)
        self._world.later(DISPATCH_S, self.enter, room, agent)

    def _new_call(self, record: CallRecord, transfer_id: str = "", repeated_by_cloud: bool = False) -> Call:
        call = self.calls[record.call_id] = Call(record, transfer_id, repeated_by_cloud)
        call.past.append((self._world.now, record))
        return call

    def answer(self, call: Call) -> bool:
        """Answer the phone. Returns False if it has stopped ringing or its room is closed."""
        room = self.rooms[call.record.room_id or ""]
        if not call.record.up:
            return False
        if not room.open:
            self.hang_up(call, CallCause.FAILED)
            return False
        call.answered_at = self._world.now
        self.note(call, status="answered")
        self.enter_ledger("answered", call.transfer_id, call.record.call_id, room.id)
        self.enter(room, Participant(call.record.participant_id or "", call=call))
        return True

    def switch(self, call_id: str, room_id: str, participant_id: str) -> None:
        """Accept a move. It succeeds or fails a moment later."""
        call = self.calls.get(call_id)
        if call is None or not call.record.up:
            raise Rejected("the call is not up", status=400)
        if not self.room(room_id).participants:
            raise Rejected("Room has no active session: a participant must have joined it first.", status=400)
        call.transfer_id = call.transfer_id or participant_id.partition("-")[2]
        self.enter_ledger("switch", participant_id.partition("-")[2], call_id, room_id)
        self.note(call, moving=True)
        self._world.later(
            self._world.chance.uniform(*MOVE_S), self._finish_move, call, room_id, participant_id
        )

    def _finish_move(self, call: Call, room_id: str, participant_id: str) -> None:
        if not call.record.up:
            return
        room_empty = not (self.rooms[room_id].open and self.rooms[room_id].participants)
        fails = room_empty or self._world.faults.strikes("move_fails", call.transfer_id)
        if fails:
            self.note(call, moving=False, failed_moves=call.record.failed_moves + 1)
            self.enter_ledger("move_failed", call.transfer_id, call.record.call_id, room_id)
            return
        before = self.rooms[call.record.room_id or ""]
        self.leave(before, call.record.participant_id or "", "moved")
        self.note(
            call,
            moving=False,
            completed_moves=call.record.completed_moves + 1,
            room_id=room_id,
            participant_id=participant_id,
        )
        self.enter_ledger("moved", participant_id.partition("-")[2], call.record.call_id, room_id)
        self.enter(self.rooms[room_id], Participant(participant_id, audible=True, call=call))
        self._announce(self.rooms[room_id], "audible", participant_id, "")
        self.on_arrived(call, room_id)

    def end(self, call_id: str) -> None:
        call = self.calls.get(call_id)
        if call is None or not call.record.up:
            raise NotFound("the call is not up", status=404)
        self.enter_ledger("end", call.transfer_id, call_id)
        self.hang_up(call, CallCause.HUNG_UP if call.answered_at is not None else CallCause.ABANDONED)

    def hang_up(self, call: Call, cause: CallCause, sip_code: int | None = None) -> None:
        """End the leg, for the given cause. Idempotent."""
        if not call.record.up:
            return
        call.ended_at = self._world.now
        self.note(call, up=False, moving=False, status="ended", cause=cause, sip_code=sip_code)
        self.enter_ledger("down", call.transfer_id, call.record.call_id, call.record.room_id or "")
        record = call.record
        if (record.room_id or "") in self.rooms:
            room = self.rooms[record.room_id or ""]
            participant = room.participants.get(record.participant_id or "")
            if participant is not None and participant.call is call:
                self.leave(room, record.participant_id or "", cause.value)
        self._notify(
            CallEndedNotice(
                record.call_id, record.participant_id, record.direction, record.metadata, cause, sip_code
            )
        )

    def _notify(self, notice: Notice) -> None:
        self._world.webhooks.send(notice)
