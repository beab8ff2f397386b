"""A live session in a room of the sandbox: the meeting is real people on the phone, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from warmxfer.adapters.rooms import (
    AudioStarted,
    JoinOptions,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    RoomClient,
    RoomEvent,
    RoomSettings,
    RoomSnapshot,
    UtteranceHeard,
    open_room_client,
    token_source,
)
from warmxfer.bus import Bus, BusSettings
from warmxfer.cli.local_stack.stack import LocalStack, PlacedCall
from warmxfer.schemas import RetryableError

from .offline import OUR_ID, Ear, Meeting, Mouth

JOIN_TIMEOUT_S = 20.0


class CloudMeeting(Meeting):
    """`Meeting` over a `Voice`; `listener` hears what people say."""

    def __init__(self, voice: RoomClient, listener: Ear, **config: Any) -> None:
        super().__init__(**config)
        self._voice = voice
        self._listener = listener
        self._living: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def async_join(self) -> None:
        presence = await _join(self._voice)
        self.session_id = presence.session_id
        await super().async_join()
        for who in presence.participants:
            self.joins(who.id, who.name, heard=who.audible)
        self._living = asyncio.create_task(self._live())

    def leave(self) -> None:
        super().leave()
        self._leaving = asyncio.create_task(self._voice.leave())

    async def _live(self) -> None:
        async for event in self._voice.events():
            await self._notice(event)

    async def _notice(self, event: RoomEvent) -> None:
        match event:
            case ParticipantJoinedRoom(participant=who):
                self.joins(who.id, who.name, heard=who.audible)
            case AudioStarted(participant_id=id) if id in self.participants:
                self.is_heard(id)
            case ParticipantLeftRoom(participant_id=id) if id in self.participants:
                self.leaves(id)
            case UtteranceHeard(text=text) if self._listener._transcript_callback is not None:
                await self._listener.hears(text)
            case _:
                pass


async def _join(voice: RoomClient) -> RoomSnapshot:
    """Enter, however long the gateway takes to come up and give out tokens."""
    async with asyncio.timeout(JOIN_TIMEOUT_S):
        while True:
            try:
                return await voice.join()
            except RetryableError as error:
                await asyncio.sleep(min(error.after_s, 0.2))


class CloudMouth(Mouth):
    """Says it in the room as well, once it has a voice there."""

    def __init__(self, voice: RoomClient | None = None) -> None:
        super().__init__()
        self.voice = voice

    async def synthesize(self, text: AsyncIterator[Any] | str, voice_id: str | None = None, **_: Any) -> None:
        before = len(self.said)
        await super().synthesize(text)
        for line in self.said[before:]:
            if self.voice is not None:
                await self.voice.say(line)


@asynccontextmanager
async def seated(house: LocalStack, caller: PlacedCall) -> AsyncIterator[RoomClient]:
    """The AI's seat beside `caller`."""
    async with await Bus.connect(BusSettings(url=house.nats_url), name="test") as bus:
        voice = open_room_client(
            RoomSettings(),
            JoinOptions(caller.room_id, OUR_ID, "Agent", token_source(bus, caller.room_id, OUR_ID)),
        )
        yield voice
        await voice.leave()
