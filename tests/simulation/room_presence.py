"""The cloud as a briefing agent sees it: a `warmxfer.adapters.rooms.RoomClient` in one room.

Invariants:
- Events of the room reach the agent in one order.
- A participant whose process died or is frozen leaves the room after a few seconds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from warmxfer.adapters import rooms
from warmxfer.adapters.rooms import (
    DisconnectReason,
    JoinOptions,
    QueuedUtterance,
    RoomEvent,
    RoomParticipant,
    RoomSnapshot,
)
from warmxfer.adapters.telephony import NotFound
from warmxfer.schemas import InvalidRequest, RetryableError

from .cloud import Participant, Room
from .loop import CURRENT, Process

if TYPE_CHECKING:
    from .world import World

JOIN_S = (0.05, 0.4)
EVENT_DELAY_S = 0.03


class SimRoomClient:
    """One connection to one room."""

    model = None
    reports_keys = True

    def __init__(self, world: World, options: JoinOptions) -> None:
        self._world = world
        self._options = options
        self._process: Process = CURRENT.get()  # type: ignore[assignment]
        self._events: asyncio.Queue[RoomEvent | None] = asyncio.Queue()
        self._guest: Participant | None = None
        self._room: Room | None = None
        self._clear_at = 0.0
        self._utterances: deque[tuple[QueuedUtterance, str]] = deque()
        self._speaking: asyncio.TimerHandle | None = None
        self._utterance_count = 0

    async def join(self) -> RoomSnapshot:
        await self._options.token_source()
        about = self._options.room_id.removeprefix("room-")
        if self._world.faults.strikes("join_fails", about):
            await asyncio.sleep(self._world.faults.between(0.1, 2.0))
            if self._world.chance.random() < 0.2:
                raise InvalidRequest("the room rejects the join")
            raise RetryableError("the room did not reply to the join", after_s=0.5)
        await asyncio.sleep(self._world.chance.uniform(*JOIN_S))
        try:
            room = self._world.cloud.room(self._options.room_id)
        except NotFound as error:
            raise InvalidRequest("there is no such room") from error
        others = tuple(
            RoomParticipant(participant.participant_id, audible=participant.audible)
            for participant in room.participants.values()
            if participant.participant_id != self._options.participant_id
        )
        self._room, self._guest = (
            room,
            Participant(self._options.participant_id, audible=True, on_event=self._on_room_event),
        )
        self._world.cloud.enter(room, self._guest)
        self._world.room_clients.append(self)
        return RoomSnapshot(room.id, f"session-{room.id}", others)

    async def events(self) -> AsyncIterator[RoomEvent]:
        while True:
            event = await self._events.get()
            if event is None:
                return
            yield event
            if isinstance(event, rooms.Disconnected):
                return

    def say(self, text: str, *, interruptible: bool = True) -> QueuedUtterance:
        self._utterance_count += 1
        utterance = QueuedUtterance(f"u{self._utterance_count}", asyncio.get_running_loop().create_future())
        self._utterances.append((utterance, text))
        if self._room is None:
            self._end_utterance(interrupted=True)
        elif len(self._utterances) == 1:
            self._speak()
        return utterance

    def interrupt(self) -> None:
        while self._utterances:
            self._end_utterance(interrupted=True)

    def listen(self, enabled: bool) -> None:
        """Do nothing: this client always receives audio."""

    async def leave(self) -> None:
        self._leave_room("left by itself")
        self._events.put_nowait(None)

    # ── called by the cloud ────────────────────────────────────────────────────────────────

    def lose(self) -> None:
        """Lose the connection to the room for good."""
        if self._guest is not None:
            self._on_room_event("closed", self._options.participant_id, DisconnectReason.LOST.value)
            self._leave_room("connection lost")

    @property
    def joined_room_clients(self) -> bool:
        return self._guest is not None

    @property
    def process(self) -> Process:
        return self._process

    def _leave_room(self, reason: str) -> None:
        room, participant = self._room, self._guest
        self._room = self._guest = None
        if self in self._world.room_clients:
            self._world.room_clients.remove(self)
        if room is not None and room.participants.get(self._options.participant_id) is participant:
            self._world.cloud.leave(room, self._options.participant_id, reason)
        while self._utterances:
            self._end_utterance(interrupted=True)

    def _on_room_event(self, what: str, participant_id: str, words: str) -> None:
        event: RoomEvent
        match what:
            case "joined":
                event = rooms.ParticipantJoinedRoom(RoomParticipant(participant_id))
            case "left":
                event = rooms.ParticipantLeftRoom(participant_id, words)
            case "audible":
                event = rooms.AudioStarted(participant_id)
            case "said":
                event = rooms.UtteranceHeard(participant_id, words)
            case "key":
                event = rooms.KeyPressed(participant_id, words)
            case _:
                event = rooms.Disconnected(DisconnectReason(words))
        self._clear_at = max(self._clear_at, self._world.loop.time() + EVENT_DELAY_S)
        self._world.loop.call_at(self._clear_at, self._receive_event, event, context=self._process.context)

    def _receive_event(self, event: RoomEvent) -> None:
        if isinstance(event, rooms.Disconnected):
            self._leave_room(event.reason.value)
        self._events.put_nowait(event)

    def _speak(self) -> None:
        self._speak_for(0.2 + 0.02 * len(self._utterances[0][1]))

    def _speak_for(self, seconds: float) -> None:
        end_at = self._world.loop.time() + seconds
        self._speaking = self._world.loop.call_at(
            end_at, self._finish, seconds, end_at, context=self._process.context
        )

    def _finish(self, seconds: float, end_at: float) -> None:
        late_s = self._world.loop.time() - end_at
        if late_s > EVENT_DELAY_S:
            # Its process stood still, and was not heard meanwhile: it speaks on, after what it has received.
            self._speak_for(min(late_s, seconds))
            return
        text = self._utterances[0][1]
        self._end_utterance(interrupted=False)
        if self._room is not None:
            self._world.cloud.say(self._room.id, self._options.participant_id, text)

    def _end_utterance(self, *, interrupted: bool) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None
        utterance, _ = self._utterances.popleft()
        if not utterance.ended.done():
            utterance.ended.set_result(interrupted)
        self._events.put_nowait(rooms.SpeechEnded(utterance.id, interrupted))
        if self._utterances and self._room is not None and not interrupted:
            self._speak()
