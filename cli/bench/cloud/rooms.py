"""The rooms of the fake cloud, as one process sees them: who enters and who leaves, as the ledger says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from warmxfer.adapters.rooms import (
    AudioStarted,
    JoinOptions,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    QueuedUtterance,
    RoomEvent,
    RoomParticipant,
    RoomSnapshot,
    UtteranceHeard,
)
from warmxfer.adapters.rooms.event_queue import RoomEventQueue
from warmxfer.adapters.rooms.utterance_queue import UtteranceQueue

from .calls import Calls, supervisor_call
from .ledger import Ledger

HELLO = "Hello?"
"""What a supervisor says after the agent's first line. Without it the agent waits, and asks who is there."""
YES = "Yes, go ahead, put them through."
"""What a supervisor says after each of the agent's sentences that ends with a question mark."""


class BenchRooms:
    """The rooms of this process. `async with` watches the ledger.

    A supervisor says hello `hello_after_s` after the agent's first line.
    """

    def __init__(self, directory: Path, hello_after_s: float = 0.0) -> None:
        self.hello_after_s = hello_after_s
        self._ledger = Ledger(directory)
        self._calls = Calls()
        self._watchers: dict[str, Callable[[RoomEvent], object]] = {}

    async def __aenter__(self) -> BenchRooms:
        self._ledger.watch(self._read)
        self._read()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ledger.stop_watching()
        self._ledger.close()

    def client(self, options: JoinOptions) -> BenchRoomClient:
        """Return a client of a consultation room that has not joined."""
        return BenchRoomClient(self, options)

    def watch(self, room_id: str, on_event: Callable[[RoomEvent], object]) -> list[RoomParticipant]:
        """Report what happens in a room from now on. Return who is in it."""
        self._read()
        self._watchers[room_id] = on_event
        present = self._calls.in_room(room_id)
        return [RoomParticipant(call.participant_id, audible=True) for call in present if call.answered]

    def stop_watching(self, room_id: str) -> None:
        """End `watch`. Idempotent."""
        self._watchers.pop(room_id, None)

    def speaks(self, participant_id: str) -> bool:
        """Return whether a supervisor says yes by themselves."""
        call = self._calls.get(supervisor_call(participant_id))
        return call is None or not call.silent

    def _read(self) -> None:
        for entry in self._ledger.read():
            change = self._calls.apply(entry)
            if left := change.left:
                self._report(left.room_id, ParticipantLeftRoom(left.participant_id, change.reason))
            if entered := change.entered:
                participant = RoomParticipant(entered.participant_id, audible=False)
                self._report(entered.room_id, ParticipantJoinedRoom(participant))
                self._report(entered.room_id, AudioStarted(entered.participant_id))
            if entry.kind == "yes":
                self._report(change.call.room_id, UtteranceHeard(change.call.participant_id, YES))

    def _report(self, room_id: str, event: RoomEvent) -> None:
        if on_event := self._watchers.get(room_id):
            on_event(event)


class BenchRoomClient:
    """`RoomClient` whose utterances end at once. The supervisor says hello, and yes to each question."""

    model = None
    reports_keys = False

    def __init__(self, rooms: BenchRooms, options: JoinOptions) -> None:
        self._rooms = rooms
        self._options = options
        self._events = RoomEventQueue()
        self._utterances = UtteranceQueue(self._events.put)
        self._was_greeted = False

    async def join(self) -> RoomSnapshot:
        await self._options.token_source()
        present = self._rooms.watch(self._options.room_id, self._events.put)
        return RoomSnapshot(self._options.room_id, f"session-{self._options.room_id}", tuple(present))

    def events(self) -> AsyncIterator[RoomEvent]:
        return self._events.read()

    def say(self, text: str, *, interruptible: bool = True) -> QueuedUtterance:
        utterance, text = self._utterances.begin(text, interruptible=interruptible)
        # The end of an utterance is an event of its own, never part of the call that says it.
        asyncio.get_running_loop().call_soon(self._finish, utterance.id, text)
        return utterance

    def _finish(self, utterance_id: str, text: str) -> None:
        self._utterances.finish(utterance_id, interrupted=False)
        supervisor = self._options.listens_to
        if supervisor is None:
            return
        if not self._was_greeted:
            self._was_greeted = True
            hello = UtteranceHeard(supervisor, HELLO)
            if after_s := self._rooms.hello_after_s:
                asyncio.get_running_loop().call_later(after_s, self._events.put, hello)
            else:
                self._events.put(hello)
        elif text.endswith("?") and self._rooms.speaks(supervisor):
            self._events.put(UtteranceHeard(supervisor, YES))

    def interrupt(self) -> None:
        return

    def listen(self, enabled: bool) -> None:
        return

    async def leave(self) -> None:
        self._rooms.stop_watching(self._options.room_id)
        self._utterances.close()
        self._events.end(None)
