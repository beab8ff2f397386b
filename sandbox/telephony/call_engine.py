"""State changes of a call: it rings, is answered, joins its room, and ends once.

Each live call has one task, which rings the phone and then runs the script of the person who answered.
`room_switch.py` moves calls between rooms.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import structlog

from ..clock import Clock, now_s
from ..errors import HttpError
from ..ledger import By, Ledger
from ..people.personas import Person, Pickup
from ..people.phonebook import PhoneBook
from ..rooms.room_activity import RoomActivity
from ..rooms.rooms import Room, Rooms, SipTag
from .call_status import CallStatus
from .calls import Call, Calls
from .keypad import Keypad
from .phone import Phone

log = structlog.get_logger(__name__)

SETUP_S: Final = 0.05
"""Delay between the dial request and the ringing of the phone."""


class CallEngine:
    """Runs all calls of the sandbox, from the first ring to the end."""

    def __init__(
        self,
        clock: Clock,
        ledger: Ledger,
        activity: RoomActivity,
        rooms: Rooms,
        calls: Calls,
        phonebook: PhoneBook,
        call_status: CallStatus,
        keypad: Keypad,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._activity = activity
        self._rooms = rooms
        self._calls = calls
        self._phonebook = phonebook
        self._call_status = call_status
        self._keypad = keypad
        self._answer_watchers: dict[str, tuple[float, Callable[[], None]]] = {}

    def dial(self, call: Call) -> None:
        """Start an outbound call. Does not block; a task runs the call."""
        self._calls.add(call)
        self._ledger.record("dial", "api", call.ledger_ref, to=call.callee)
        self._call_status.set_status(call, "initiated")
        self._start_task(call, self._outbound(call, self._phonebook.person_for(call)))

    def answer_inbound(self, call: Call, room: Room) -> None:
        """Create an inbound call and answer it at once, in `room`."""
        self._calls.add(call)
        self._ledger.record("incoming", "person", call.ledger_ref, to=call.callee)
        self._call_status.set_status(call, "incoming")
        phone = self._answer(call, room, "cloud")
        if phone is not None and call.participant is not None:
            self._activity.enable_audio(call.participant)
            person = self._phonebook.person_for(call)
            self._start_task(call, person.behaviour(phone, person))

    def press_key(self, call: Call, digit: str) -> None:
        """Press a key of the phone."""
        self._keypad.press(call, digit)

    def end(self, call: Call) -> None:
        """End a call for the API. Raises HttpError 400 if it has already ended."""
        if call.has_ended:
            raise HttpError(400, "Call has already ended.")
        self._finish(call, "ended", "api")

    def hang_up(self, call: Call, by: By) -> None:
        """End a call. Idempotent."""
        if not call.has_ended:
            self._finish(call, "ended", by)

    def watch_answers(self, call: Call, callback: Callable[[], None]) -> None:
        """Run `callback` once when an outbound call dialled from now on is answered.

        The end of `call` cancels it.
        """
        self._answer_watchers[call.id] = (now_s(), callback)

    def clear(self) -> None:
        """Stop all calls without ledger entries and webhooks."""
        for call in self._calls:
            self._stop_activity(call)

    def _start_task(self, call: Call, script: Coroutine[Any, Any, None]) -> None:
        call.task = asyncio.get_running_loop().create_task(script)
        call.task.add_done_callback(partial(self._handle_task_end, call))

    def _handle_task_end(self, call: Call, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("person_failed", call_id=call.id, exc_info=error)
            self.hang_up(call, "cloud")

    async def _outbound(self, call: Call, person: Person) -> None:
        """Run an outbound call from the dial request to the end of the conversation."""
        await self._clock.sleep(SETUP_S)
        await self._ring(call, person)
        room = self._rooms.find(call.room_id)
        if call.has_ended:
            return
        if room is None or room.disabled:
            self._finish(call, "failed", "cloud", reason="room-closed")
            return
        phone = self._answer(call, room, "person")
        if phone is not None and call.participant is not None:
            await self._clock.sleep(person.audio_s)
            self._activity.enable_audio(call.participant)
            await person.behaviour(phone, person)

    async def _ring(self, call: Call, person: Person) -> None:
        """Ring the phone until the person answers or the call has ended."""
        if person.pickup is Pickup.BUSY:
            await self._clock.sleep(person.ring_s)
            self._finish(call, "failed", "person", reason="busy", sipCode=486)
            return
        self._call_status.set_status(call, "ringing")
        if person.pickup is Pickup.RINGS_OUT or person.ring_s > call.ringing_timeout_s:
            await self._clock.sleep(call.ringing_timeout_s)
            self._finish(call, "not-answered", "cloud", reason="no-answer", sipCode=480)
            return
        await self._clock.sleep(person.ring_s)
        if person.pickup is Pickup.REJECTS:
            self._finish(call, "rejected", "person", reason="rejected", sipCode=603)
        elif person.pickup is Pickup.DROPS:
            self._finish(call, "abandoned", "person", reason="callee-gone")

    def _answer(self, call: Call, room: Room, by: By) -> Phone | None:
        """Answer a call, add it to the room and return its phone; None if the room is full."""
        call.answered = True
        self._ledger.record("answered", by, call.ledger_ref)
        self._call_status.set_status(call, "answered")
        if call.max_duration_s is not None:
            call.call_later(self._clock, call.max_duration_s, partial(self.hang_up, call, "cloud"))
        phone, sip_tag = Phone(call, self._clock, self), SipTag(call.id, call.direction)
        participant = self._activity.create_participant(
            call.participant_id, call.participant_name, phone, sip_tag, call.metadata
        )
        try:
            self._activity.enter(room, participant, by)
        except HttpError as error:
            self._finish(call, "failed", "cloud", reason=error.message)
            return None
        call.participant = participant
        call.session_id = room.session.id if room.session else None
        if call.direction == "outbound":
            self._notify_answer_watchers(call)
        return phone

    def _notify_answer_watchers(self, answered: Call) -> None:
        for watcher_id, (watched_since_s, callback) in list(self._answer_watchers.items()):
            if answered.started_at_s >= watched_since_s:
                del self._answer_watchers[watcher_id]
                callback()

    def _finish(self, call: Call, status: str, by: By, **details: str | int) -> None:
        """End a call. Every end of a call passes through here."""
        self._stop_activity(call)
        call.ended_at_s = now_s()
        self._ledger.record("end" if by == "api" else "hangup", by, call.ledger_ref, status=status, **details)
        self._call_status.set_status(call, status, None, **details)
        if call.participant is not None:
            self._activity.leave(call.participant, "user-left", by)
            call.participant = None
        self._calls.mark_ended(call)

    def _stop_activity(self, call: Call) -> None:
        """Cancel the task, the timers and the pending switch of a call."""
        self._answer_watchers.pop(call.id, None)
        for timer in call.timers or ():
            timer.cancel()
        call.timers = None
        if call.pending_switch is not None:
            call.pending_switch.cancel()
            call.pending_switch = None
        if call.task is not None:
            call.task.cancel()
            call.task = None
