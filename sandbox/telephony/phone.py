"""A person's phone: all actions and observations that a script in `people/personas.py` can use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from ..clock import Clock
from ..ledger import By
from ..limits import MAX_UNHEARD
from ..rooms.observer import RoomEvent
from ..rooms.rooms import Room
from ..rooms.speech_queue import Utterance
from .calls import Call


class CallControl(Protocol):
    """The part of the call engine that a phone uses."""

    def hang_up(self, call: Call, by: By) -> None: ...

    def watch_answers(self, call: Call, act: Callable[[], None]) -> None: ...


class Phone:
    """One person's end of one call, and the observer of its participant."""

    def __init__(self, call: Call, clock: Clock, telephony: CallControl) -> None:
        self._call = call
        self._clock = clock
        self._telephony = telephony
        self._ear: asyncio.Queue[RoomEvent] = asyncio.Queue(MAX_UNHEARD)
        self._spoken: dict[str, asyncio.Future[None]] = {}
        self._said_so_far = 0

    async def happenings(self) -> AsyncIterator[RoomEvent]:
        """Yield the events of the person's room, in order, until the call ends."""
        while not self._call.over:
            yield await self._ear.get()

    async def wait(self, delay_s: float) -> None:
        await self._clock.sleep(delay_s)

    async def say(self, text: str) -> None:
        """Speak a text and wait until it is spoken. No effect outside a room."""
        who = self._call.participant
        if who is None or who.room is None:
            return
        self._said_so_far += 1
        utterance = Utterance(f"p{self._said_so_far}", text)
        done = self._spoken[utterance.id] = asyncio.get_running_loop().create_future()
        if who.speech.say(utterance):
            await done
        self._spoken.pop(utterance.id, None)

    def speak(self, text: str) -> None:
        """Start to speak a text without waiting for the end. No effect outside a room."""
        who = self._call.participant
        if who is not None and who.room is not None:
            self._said_so_far += 1
            who.speech.say(Utterance(f"p{self._said_so_far}", text))

    def hang_up(self) -> None:
        self._telephony.hang_up(self._call, "person")

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Run `act` after `delay_s`, unless the call has ended by then."""
        self._call.after(self._clock, delay_s, act)

    def when_supervisor_answers(self, act: Callable[[], None]) -> None:
        """Run `act` when an outbound call dialled from now on is answered, in any room."""
        self._telephony.watch_answers(self._call, act)

    @property
    def held(self) -> bool:
        room = self._room
        return room is not None and room.held

    @property
    def i_am_speaking(self) -> bool:
        return self._call.participant is not None and self._call.participant.speech.busy

    @property
    def agent_is_speaking(self) -> bool:
        """Whether an agent in this room is speaking or has queued speech."""
        room = self._room
        return room is not None and any(agent.speech.busy for agent in room.agents)

    @property
    def somebody_to_talk_to(self) -> bool:
        """Whether another person in this room can be heard."""
        room, me = self._room, self._call.participant
        return room is not None and any(who.audio for who in room.people if who is not me)

    @property
    def _room(self) -> Room | None:
        return self._call.participant.room if self._call.participant else None

    def notice(self, happening: RoomEvent) -> None:
        if not self._ear.full():
            self._ear.put_nowait(happening)

    def utterance_ended(self, utterance_id: str, interrupted: bool) -> None:
        done = self._spoken.pop(utterance_id, None)
        if done is not None and not done.done():
            done.set_result(None)

    def dismiss(self, reason: str) -> None:
        """Ignore the removal: the call is still live and the person waits."""
