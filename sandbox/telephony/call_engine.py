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
        presence: RoomActivity,
        rooms: Rooms,
        calls: Calls,
        phonebook: PhoneBook,
        news: CallStatus,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._presence = presence
        self._rooms = rooms
        self._calls = calls
        self._phonebook = phonebook
        self._news = news
        self._answer_watchers: dict[str, tuple[float, Callable[[], None]]] = {}

    def dial(self, call: Call) -> None:
        """Start an outbound call. Does not block; a task runs the call."""
        self._calls.add(call)
        self._ledger.record("dial", "api", call.about, to=call.callee)
        self._news.status(call, "initiated")
        self._begin(call, self._outbound(call, self._phonebook.who_has(call)))

    def arrive(self, call: Call, room: Room) -> None:
        """Create an inbound call and answer it at once, in `room`."""
        self._calls.add(call)
        self._ledger.record("incoming", "person", call.about, to=call.callee)
        self._news.status(call, "incoming")
        line = self._answer(call, room, "cloud")
        if line is not None and call.participant is not None:
            self._presence.enable_audio(call.participant)
            person = self._phonebook.who_has(call)
            self._begin(call, person.behaviour(line, person))

    def end(self, call: Call) -> None:
        """End a call for the API. Raises HttpError 400 if it has already ended."""
        if call.over:
            raise HttpError(400, "Call has already ended.")
        self._finish(call, "ended", "api")

    def hang_up(self, call: Call, by: By) -> None:
        """End a call. Idempotent."""
        if not call.over:
            self._finish(call, "ended", by)

    def watch_answers(self, call: Call, act: Callable[[], None]) -> None:
        """Run `act` once when an outbound call dialled from now on is answered, unless `call` has ended."""
        self._answer_watchers[call.id] = (now_s(), act)

    def clear(self) -> None:
        """Stop all calls without ledger entries and webhooks."""
        for call in self._calls:
            self._release(call)

    def _begin(self, call: Call, life: Coroutine[Any, Any, None]) -> None:
        call.life = asyncio.get_running_loop().create_task(life)
        call.life.add_done_callback(partial(self._report, call))

    def _report(self, call: Call, life: asyncio.Task[None]) -> None:
        error = None if life.cancelled() else life.exception()
        if error is not None:
            log.error("person_failed", call_id=call.id, exc_info=error)
            self.hang_up(call, "cloud")

    async def _outbound(self, call: Call, person: Person) -> None:
        """Run an outbound call from the dial request to the end of the conversation."""
        await self._clock.sleep(SETUP_S)
        await self._ring(call, person)
        room = self._rooms.find(call.room_id)
        if call.over:
            return
        if room is None or room.disabled:
            self._finish(call, "failed", "cloud", reason="room-closed")
            return
        line = self._answer(call, room, "person")
        if line is not None and call.participant is not None:
            await self._clock.sleep(person.audio_s)
            self._presence.enable_audio(call.participant)
            await person.behaviour(line, person)

    async def _ring(self, call: Call, person: Person) -> None:
        """Ring the phone until the person answers or the call has ended."""
        if person.pickup is Pickup.BUSY:
            await self._clock.sleep(person.ring_s)
            self._finish(call, "failed", "person", reason="busy", sipCode=486)
            return
        self._news.status(call, "ringing")
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
        self._ledger.record("answered", by, call.about)
        self._news.status(call, "answered")
        if call.max_duration_s is not None:
            call.after(self._clock, call.max_duration_s, partial(self.hang_up, call, "cloud"))
        line, tag = Phone(call, self._clock, self), SipTag(call.id, call.direction)
        who = self._presence.newcomer(call.participant_id, call.participant_name, line, tag, call.metadata)
        try:
            self._presence.enter(room, who, by)
        except HttpError as full:
            self._finish(call, "failed", "cloud", reason=full.message)
            return None
        call.participant = who
        call.session_id = room.session.id if room.session else None
        if call.direction == "outbound":
            self._tell_answer_watchers(call)
        return line

    def _tell_answer_watchers(self, answered: Call) -> None:
        for watcher_id, (since_s, act) in list(self._answer_watchers.items()):
            if answered.started_at_s >= since_s:
                del self._answer_watchers[watcher_id]
                act()

    def _finish(self, call: Call, status: str, by: By, **details: str | int) -> None:
        """End a call. Every end of a call passes through here."""
        self._release(call)
        call.ended_at_s = now_s()
        self._ledger.record("end" if by == "api" else "hangup", by, call.about, status=status, **details)
        self._news.status(call, status, None, **details)
        if call.participant is not None:
            self._presence.leave(call.participant, "user-left", by)
            call.participant = None

    def _release(self, call: Call) -> None:
        """Cancel the task, the timers and the pending switch of a call."""
        self._answer_watchers.pop(call.id, None)
        for timer in call.timers:
            timer.cancel()
        call.timers.clear()
        if call.moving is not None:
            call.moving.cancel()
            call.moving = None
        if call.life is not None:
            call.life.cancel()
