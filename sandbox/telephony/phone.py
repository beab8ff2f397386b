"""A person's phone: all actions and observations that a script in `people/personas.py` can use."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from ..clock import Clock
from ..ledger import By
from ..limits import MAX_UNREAD_EVENTS
from ..rooms.observer import RoomEvent
from ..rooms.rooms import Room
from ..rooms.speech_queue import Utterance
from .calls import Call


class CallControl(Protocol):
    """The part of the call engine that a phone uses."""

    def hang_up(self, call: Call, by: By) -> None: ...

    def press_key(self, call: Call, digit: str) -> None: ...

    def watch_answers(self, call: Call, callback: Callable[[], None]) -> None: ...


class Phone:
    """One person's end of one call, and the observer of its participant."""

    def __init__(self, call: Call, clock: Clock, call_engine: CallControl) -> None:
        self._call = call
        self._clock = clock
        self._call_engine = call_engine
        self._unread: deque[RoomEvent] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self._utterance_ends: dict[str, asyncio.Future[None]] = {}
        self._utterance_count = 0
        self._wanted: tuple[type[RoomEvent], ...] | None = None
        """The kinds of events that the person notices; None before the first call of `events`: all."""

    async def events(self, *kinds: type[RoomEvent]) -> AsyncIterator[RoomEvent]:
        """Yield the events of these kinds of the person's room, in order, until the call ends."""
        self._wanted = kinds
        while not self._call.has_ended:
            if not self._unread:
                await self._woken()
            event = self._unread.popleft()
            if isinstance(event, kinds):
                yield event

    async def wait(self, delay_s: float) -> None:
        await self._clock.sleep(delay_s)

    async def wait_unless(self, interrupts: Callable[[RoomEvent], bool], delay_s: float) -> bool:
        """Wait, and return True. Return False as soon as an unread event `interrupts`."""
        is_over = False

        def end() -> None:
            nonlocal is_over
            is_over = True
            self._wake()

        timer = self._clock.call_later(delay_s, end)
        try:
            while not is_over:
                if any(interrupts(event) for event in self._unread):
                    return False
                await self._woken()
        finally:
            timer.cancel()
        return True

    async def say(self, text: str) -> None:
        """Speak a text and wait until it is spoken. No effect outside a room."""
        participant = self._call.participant
        if participant is None or participant.room is None:
            return
        self._utterance_count += 1
        utterance = Utterance(f"p{self._utterance_count}", text)
        done = self._utterance_ends[utterance.id] = asyncio.get_running_loop().create_future()
        if participant.speech.say(utterance):
            await done
        self._utterance_ends.pop(utterance.id, None)

    def speak(self, text: str) -> None:
        """Start to speak a text without waiting for the end. No effect outside a room."""
        participant = self._call.participant
        if participant is not None and participant.room is not None:
            self._utterance_count += 1
            participant.speech.say(Utterance(f"p{self._utterance_count}", text))

    def press(self, digit: str) -> None:
        """Press a key. No effect outside a room."""
        self._call_engine.press_key(self._call, digit)

    def hang_up(self) -> None:
        self._call_engine.hang_up(self._call, "person")

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Run `callback` after `delay_s`, unless the call has ended by then."""
        self._call.call_later(self._clock, delay_s, callback)

    def when_supervisor_answers(self, callback: Callable[[], None]) -> None:
        """Run `callback` when an outbound call dialled from now on is answered, in any room."""
        self._call_engine.watch_answers(self._call, callback)

    @property
    def held(self) -> bool:
        room = self._room
        return room is not None and room.held

    @property
    def is_speaking(self) -> bool:
        return self._call.participant is not None and self._call.participant.speech.busy

    @property
    def agent_is_speaking(self) -> bool:
        """Whether an agent in this room is speaking or has queued speech."""
        room = self._room
        return room is not None and any(agent.speech.busy for agent in room.agents)

    @property
    def other_person_audible(self) -> bool:
        """Whether another person in this room can be heard."""
        room, own_participant = self._room, self._call.participant
        return room is not None and any(
            participant.audio for participant in room.people if participant is not own_participant
        )

    @property
    def _room(self) -> Room | None:
        return self._call.participant.room if self._call.participant else None

    def on_event(self, event: RoomEvent) -> None:
        is_wanted = self._wanted is None or isinstance(event, self._wanted)
        if is_wanted and len(self._unread) < MAX_UNREAD_EVENTS:
            self._unread.append(event)
            self._wake()

    async def _woken(self) -> None:
        """Block until the next event, or the next `_wake`."""
        self._arrived = asyncio.get_running_loop().create_future()
        await self._arrived

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def on_utterance_ended(self, utterance_id: str, interrupted: bool) -> None:
        done = self._utterance_ends.pop(utterance_id, None)
        if done is not None and not done.done():
            done.set_result(None)

    def on_removed(self, reason: str) -> None:
        """Ignore the removal: the call is still live and the person waits."""
