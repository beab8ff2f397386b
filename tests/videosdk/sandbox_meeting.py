"""A live session in a room of the sandbox, over a real socket."""

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
    TokenSource,
    UtteranceHeard,
    open_room_client,
)
from warmxfer.adapters.telephony.videosdk.tokens import Tokens
from warmxfer.cli.local_stack.stack import API_KEY, LocalStack, PlacedCall
from warmxfer.schemas import RetryableError, RoomToken

from .offline import OUR_ID, Meeting, OfflineSTT, OfflineTTS

JOIN_TIMEOUT_S = 20.0


class SandboxMeeting(Meeting):
    """`Meeting` over a `RoomClient`. What people say goes to `stt`."""

    def __init__(self, client: RoomClient, stt: OfflineSTT, **config: Any) -> None:
        super().__init__(**config)
        self._client = client
        self._stt = stt
        self._reading: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def async_join(self) -> None:
        snapshot = await _join(self._client)
        self.session_id = snapshot.session_id
        await super().async_join()
        for participant in snapshot.participants:
            self.joins(participant.id, participant.name, audio=participant.audible)
        self._reading = asyncio.create_task(self._read_events())

    def leave(self) -> None:
        super().leave()
        self._leaving = asyncio.create_task(self._client.leave())

    async def _read_events(self) -> None:
        async for event in self._client.events():
            await self._on_event(event)

    async def _on_event(self, event: RoomEvent) -> None:
        match event:
            case ParticipantJoinedRoom(participant=participant):
                self.joins(participant.id, participant.name, audio=participant.audible)
            case AudioStarted(participant_id=id) if id in self.participants:
                self.enable_audio(id)
            case ParticipantLeftRoom(participant_id=id) if id in self.participants:
                self.leaves(id)
            case UtteranceHeard(text=text) if self._stt._transcript_callback is not None:
                await self._stt.transcribe(text)
            case _:
                pass


async def _join(client: RoomClient) -> RoomSnapshot:
    """Join; retry until the gateway has started and returns tokens."""
    async with asyncio.timeout(JOIN_TIMEOUT_S):
        while True:
            try:
                return await client.join()
            except RetryableError as error:
                await asyncio.sleep(min(error.after_s, 0.2))


class SandboxTTS(OfflineTTS):
    """Also says its lines in the room, once it has a client there."""

    def __init__(self, client: RoomClient | None = None) -> None:
        super().__init__()
        self.client = client

    async def synthesize(self, text: AsyncIterator[Any] | str, voice_id: str | None = None, **_: Any) -> None:
        before = len(self.said)
        await super().synthesize(text)
        for line in self.said[before:]:
            if self.client is not None:
                await self.client.say(line)


def stack_tokens(local_stack: LocalStack, room_id: str, participant_id: str) -> TokenSource:
    """Return a source of tokens for any participant. A gateway issues them only for its live transfers."""

    async def mint() -> RoomToken:
        token = Tokens(API_KEY, local_stack.secret).for_room(room_id, participant_id)
        return RoomToken(token=token, signaling_url=local_stack.sandbox_url)

    return mint


@asynccontextmanager
async def agent_client(local_stack: LocalStack, caller: PlacedCall) -> AsyncIterator[RoomClient]:
    """Yield a client for the AI in the caller's room."""
    client = open_room_client(
        RoomSettings(),
        JoinOptions(caller.room_id, OUR_ID, "Agent", stack_tokens(local_stack, caller.room_id, OUR_ID)),
    )
    yield client
    await client.leave()
