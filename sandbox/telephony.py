"""How a call lives: rings, is answered, joins its room, is switched to another, ends once.

One task per live call: it rings the phone and then is the person who answered.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from .calls import Call, Calls
from .clock import Clock, now_s
from .errors import Refused
from .faults import FaultBook
from .happenings import Moved
from .ledger import About, By, Ledger
from .lines import Line
from .participants import SipTag
from .people import Person, Pickup
from .phonebook import PhoneBook
from .presence import Presence
from .rooms import Room, Rooms
from .webhooks import Outbox

log = structlog.get_logger(__name__)

SETUP_S = 0.05
"""From the order to dial until the far phone rings."""
SWITCH_S = 0.3
"""From an accepted switch until the call leaves its room."""
AUDIO_AFTER_SWITCH_S = 0.2

_WEBHOOKS = {
    "initiated": "call-started",
    "incoming": "call-started",
    "ringing": "call-ringing",
    "answered": "call-answered",
    "not-answered": "call-missed",
    "switch-room-initiated": "switch-room-initiated",
    "switch-room-completed": "switch-room-completed",
    "switch-room-failed": "switch-room-failed",
}
"""What is told about a status; every other status is an end: call-hangup."""


class Telephony:
    """Carries every call of the sandbox."""

    def __init__(
        self,
        clock: Clock,
        ledger: Ledger,
        faults: FaultBook,
        outbox: Outbox,
        presence: Presence,
        rooms: Rooms,
        calls: Calls,
        phonebook: PhoneBook,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._faults = faults
        self._outbox = outbox
        self._presence = presence
        self._rooms = rooms
        self._calls = calls
        self._phonebook = phonebook
        self._answer_watchers: dict[str, tuple[float, Callable[[], None]]] = {}

    def dial(self, call: Call) -> None:
        """Call somebody's phone; returns at once, the rest happens by itself."""
        self._calls.add(call)
        person = self._phonebook.who_has(call)
        self._ledger.note("dial", "api", call.about, to=call.callee)
        self._mark(call, "initiated")
        self._begin(call, self._place(call, person))

    def arrive(self, call: Call, room: Room) -> None:
        """Somebody calls in and is answered at once, in `room`."""
        self._calls.add(call)
        person = self._phonebook.who_has(call)
        self._ledger.note("incoming", "person", call.about, to=call.callee)
        self._mark(call, "incoming")
        line = self._answer(call, room, "cloud")
        if line is not None and call.participant is not None:
            self._presence.enable_audio(call.participant)
            self._begin(call, person.talk(line, person))

    def end(self, call: Call) -> None:
        """Hang up by order of the API. Raises Refused 400 when it is over already."""
        if call.over:
            raise Refused(400, "Call has already ended.")
        self._finish(call, "ended", "api")

    def hang_up(self, call: Call, by: By) -> None:
        """Somebody hangs up; over already: nothing happens."""
        if not call.over:
            self._finish(call, "ended", by)

    def switch(self, call: Call, room: Room, participant_id: str) -> None:
        """Begin to move an active call into `room`; completion comes later. Raises Refused 400."""
        if not call.active:
            raise Refused(
                400, f"Call is not active (status {call.status}): only an answered call can be switched."
            )
        if room.session is None:
            raise Refused(400, "Room has no active session: somebody must have joined it first.")
        about = About(call.id, room.id, participant_id, call.metadata or None)
        here = call.participant.room if call.participant else None
        self._ledger.note("switch", "api", about, fromRoomId=here.id if here else None)
        if call.moving is not None:
            call.moving.cancel()
        fault = self._faults.for_switch(call.id, room.id)
        self._mark(call, "switch-room-initiated", room)
        if fault is not None and fault.kind == "fails":
            call.moving = self._clock.later(SWITCH_S, lambda: self._fail_switch(call, room, "refused"))
            return
        travel_s = fault.delay_s if fault else 0.0
        if fault is not None and fault.kind == "never_arrives":
            travel_s = None
        call.moving = self._clock.later(SWITCH_S, lambda: self._depart(call, room, participant_id, travel_s))

    def watch_answers(self, call: Call, act: Callable[[], None]) -> None:
        """Act once, when an outbound call made from now on is answered, unless `call` is over by then."""
        self._answer_watchers[call.id] = (now_s(), act)

    def clear(self) -> None:
        """Drop every call without a word to anybody."""
        for call in self._calls:
            self._release(call)
        self._answer_watchers.clear()

    def _begin(self, call: Call, life: Coroutine[Any, Any, None]) -> None:
        call.life = asyncio.get_running_loop().create_task(life)
        call.life.add_done_callback(lambda task: self._report(call, task))

    def _report(self, call: Call, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("person_failed", call_id=call.id, exc_info=error)
            self.hang_up(call, "cloud")

    async def _place(self, call: Call, person: Person) -> None:
        """The outbound leg, from the order to dial to the end of the conversation."""
        await self._clock.sleep(SETUP_S)
        if person.pickup is Pickup.BUSY:
            await self._clock.sleep(person.ring_s)
            self._finish(call, "failed", "person", reason="busy", sipCode=486)
            return
        self._mark(call, "ringing")
        if person.pickup is Pickup.RINGS_OUT or person.ring_s > call.ringing_timeout_s:
            await self._clock.sleep(call.ringing_timeout_s)
            self._finish(call, "not-answered", "cloud", reason="no-answer", sipCode=480)
            return
        await self._clock.sleep(person.ring_s)
        if person.pickup is Pickup.REJECTS:
            self._finish(call, "rejected", "person", reason="rejected", sipCode=603)
            return
        if person.pickup is Pickup.DROPS:
            self._finish(call, "abandoned", "person", reason="callee-gone")
            return
        room = self._rooms.find(call.room_id)
        if room is None or room.disabled:
            self._finish(call, "failed", "cloud", reason="room-closed")
            return
        line = self._answer(call, room, "person")
        if line is not None and call.participant is not None:
            await self._clock.sleep(person.audio_s)
            self._presence.enable_audio(call.participant)
            await person.talk(line, person)

    def _answer(self, call: Call, room: Room, by: By) -> Line | None:
        """Somebody is on the line: into the room with them. None: the room took nobody in."""
        call.answered = True
        self._ledger.note("answered", by, call.about)
        self._mark(call, "answered")
        if call.max_duration_s is not None:
            call.after(self._clock, call.max_duration_s, lambda: self.hang_up(call, "cloud"))
        line = Line(call, self._clock, self)
        tag = SipTag(call.id, call.direction)
        call.participant = self._presence.newcomer(call.participant_id, call.participant_name, line, tag)
        call.participant.metadata = call.metadata
        try:
            self._presence.enter(room, call.participant, by)
        except Refused as full:
            self._finish(call, "failed", "cloud", reason=full.message)
            return None
        call.session_id = room.session.id if room.session else None
        if call.direction == "outbound":
            self._tell_answer_watchers(call)
        return line

    def _tell_answer_watchers(self, answered: Call) -> None:
        for watcher_id, (since_s, act) in list(self._answer_watchers.items()):
            if answered.started_at_s >= since_s:
                del self._answer_watchers[watcher_id]
                act()

    def _depart(self, call: Call, room: Room, participant_id: str, travel_s: float | None) -> None:
        """Leave the old room, and arrive in the new one `travel_s` later (None: never)."""
        who = call.participant
        if room.session is None or who is None:
            self._fail_switch(call, room, "room is empty")
            return
        if who.room is room and who.id == participant_id:
            self._complete_switch(call, room)
            return
        self._presence.leave(who, "user-left", "cloud")
        call.moving = None
        if travel_s is None:
            return
        if travel_s:
            call.moving = self._clock.later(travel_s, lambda: self._land(call, room, participant_id))
        else:
            self._land(call, room, participant_id)

    def _land(self, call: Call, room: Room, participant_id: str) -> None:
        old = call.participant
        if room.disabled or old is None:
            self._fail_switch(call, room, "room is closed")
            return
        who = self._presence.newcomer(participant_id, call.participant_name, old.listener, old.sip)
        who.metadata = call.metadata
        try:
            self._presence.enter(room, who, "cloud")
        except Refused as full:
            self._fail_switch(call, room, full.message)
            return
        call.participant, call.participant_id = who, participant_id
        self._calls.move(call, room.id)
        call.session_id = room.session.id if room.session else None
        self._complete_switch(call, room)
        call.after(self._clock, AUDIO_AFTER_SWITCH_S, lambda: self._presence.enable_audio(who))
        who.listener.notice(Moved())

    def _complete_switch(self, call: Call, room: Room) -> None:
        call.moving = None
        self._ledger.note("switch_completed", "cloud", call.about)
        self._mark(call, "switch-room-completed", room)
        self._outbox.call_event(call.id, room, "call-update", self._webhook_data(call))

    def _fail_switch(self, call: Call, room: Room, reason: str) -> None:
        call.moving = None
        self._ledger.note(
            "switch_failed", "cloud", About(call.id, room.id, call.participant_id), reason=reason
        )
        self._mark(call, "switch-room-failed", room, reason=reason)

    def _finish(self, call: Call, status: str, by: By, **details: str | int) -> None:
        """The one way a call ends, whoever ends it."""
        self._release(call)
        call.ended_at_s, call.ended_by = now_s(), by
        kind = "end" if by == "api" else "hangup"
        self._ledger.note(kind, by, call.about, status=status, **details)
        self._mark(call, status, None, **details)
        if call.participant is not None:
            self._presence.leave(call.participant, "user-left", by)

    def _release(self, call: Call) -> None:
        """Stop everything that still runs for this call."""
        self._answer_watchers.pop(call.id, None)
        for timer in call.timers:
            timer.cancel()
        call.timers.clear()
        if call.moving is not None:
            call.moving.cancel()
            call.moving = None
        if call.life is not None:
            call.life.cancel()

    def _mark(self, call: Call, status: str, room: Room | None = None, **details: str | int) -> None:
        call.mark(status, **details)
        data = self._webhook_data(call)
        if room is not None:
            data["roomId"] = room.id
        hook_room = room or self._rooms.find(call.room_id)
        self._outbox.call_event(call.id, hook_room, _WEBHOOKS.get(status, "call-hangup"), data)

    def _webhook_data(self, call: Call) -> dict[str, object]:
        return {
            **call.summary(),
            "type": call.direction,
            "sessionId": call.session_id,
            "participantId": call.participant_id,
        }
