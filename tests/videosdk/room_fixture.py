"""A VideoSDK room client in an offline meeting of the real framework."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from Crypto.Cipher import AES
from Crypto.Util.Padding import pad
from videosdk.agents import Pipeline
from videosdk.agents.metrics.analytics import AnalyticsClient
from videosdk.agents.room.room import VideoSDK
from videosdk.utils import IV, KEY

from warmxfer.adapters.rooms import (
    JoinOptions,
    PipelineFactory,
    RoomClient,
    RoomEvent,
    RoomSettings,
    RoomSnapshot,
    open_room_client,
)
from warmxfer.adapters.rooms.videosdk import server_lookup
from warmxfer.schemas import RoomToken

from .offline import Meeting, OfflineSTT, OfflineTTS, ScriptedLLM

AGENT, SUPERVISOR = "wxa-1", "wxs-1"
IN_TIME_S = 30.0
TOKEN = RoomToken(token="room-token", signaling_url="https://api.videosdk.live")


def servers(place: str) -> dict[str, Any]:
    """Return the cloud's server list of a room in the library's format."""
    no_ice = AES.new(KEY, AES.MODE_CBC, IV).encrypt(pad(b"[]", AES.block_size))
    return {"data": {"baseUrl": place, "iceServers": b64encode(no_ice).decode()}}


async def empty_server_list(*_: str) -> httpx.Response:
    """Respond with a server list that no test uses."""
    return httpx.Response(200, json=servers("nowhere"), request=httpx.Request("POST", "https://nowhere"))


class Consultation:
    """What the framework gets: a pipeline for each session, and a meeting for each join."""

    def __init__(self, **parts: Any) -> None:
        self.stt, self.tts = OfflineSTT(), OfflineTTS()
        self.llm: ScriptedLLM | None = ScriptedLLM()
        self.meetings: list[Meeting] = []
        self.make: Callable[[], Any] = self.pipeline
        self.factory = PipelineFactory("ours:briefing", lambda: self.make())
        self.servers: Callable[[str, str, str], Awaitable[httpx.Response]] = empty_server_list
        self.make_meeting: Callable[[dict[str, Any]], Meeting] = lambda config: Meeting(**config)
        vars(self).update(parts)

    @property
    def meeting(self) -> Meeting:
        return self.meetings[-1]

    @property
    def settings(self) -> RoomSettings:
        return RoomSettings(self.factory)

    def pipeline(self) -> Pipeline:
        self.stt = OfflineSTT()  # transcribes in the context of its session
        return Pipeline(stt=self.stt, llm=self.llm, tts=self.tts)

    def client(self, listens_to: str | None = SUPERVISOR) -> RoomClient:
        async def token() -> RoomToken:
            return TOKEN

        return open_room_client(
            self.settings, JoinOptions("room-1", AGENT, "Warm Transfer Agent", token, listens_to)
        )

    def open_meeting(self, **config: Any) -> Meeting:
        self.meetings.append(self.make_meeting(config))
        return self.meeting


class EventRecorder:
    """Records a client's events in the background."""

    def __init__(self, client: RoomClient) -> None:
        self.seen: list[RoomEvent] = []
        self.reading = asyncio.create_task(self._read(client))

    async def _read(self, client: RoomClient) -> None:
        async for event in client.events():
            self.seen.append(event)

    async def wait_for(self, wanted: RoomEvent) -> None:
        await until(lambda: wanted in self.seen)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(IN_TIME_S):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def joined(
    consultation: Consultation, *, listening: bool = True
) -> AsyncIterator[tuple[RoomClient, RoomSnapshot, EventRecorder]]:
    """Yield a client that has joined, the snapshot of its room, and a recorder of its events."""
    client = consultation.client()
    client.listen(listening)
    snapshot = await client.join()
    recorder = EventRecorder(client)
    try:
        yield client, snapshot, recorder
    finally:
        await client.leave()
        async with asyncio.timeout(IN_TIME_S):
            await recorder.reading


def offline(monkeypatch: pytest.MonkeyPatch, consultation: Consultation) -> Consultation:
    """Use the meetings and servers of `consultation`, and send no analytics."""
    monkeypatch.setattr(VideoSDK, "init_meeting", consultation.open_meeting)
    monkeypatch.setattr(server_lookup, "_request_servers", consultation.servers)
    monkeypatch.setattr(AnalyticsClient, "send_interaction_analytics_safe", lambda *_: None)
    return consultation
