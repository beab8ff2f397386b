"""A briefing voice of ours in an offline meeting of the real framework, and the people a test lets in."""

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

from .offline import Ear, Meeting, Mind, Mouth

AGENT, SUPERVISOR = "wxa-1", "wxs-1"
IN_TIME_S = 5.0
TICKET = RoomToken(token="room-token", signaling_url="https://api.videosdk.live")


def servers(place: str) -> dict[str, Any]:
    """The cloud's answer to which servers a room is on, as the library wants it."""
    no_ice = AES.new(KEY, AES.MODE_CBC, IV).encrypt(pad(b"[]", AES.block_size))
    return {"data": {"baseUrl": place, "iceServers": b64encode(no_ice).decode()}}


async def nowhere(*_: str) -> httpx.Response:
    """That answer; no meeting here goes there."""
    return httpx.Response(200, json=servers("nowhere"), request=httpx.Request("POST", "https://nowhere"))


class Consultation:
    """What the framework is given: a pipeline for each session, and a meeting for each joining."""

    def __init__(self, **parts: Any) -> None:
        self.ear, self.mouth = Ear(), Mouth()
        self.mind: Mind | None = Mind()
        self.meetings: list[Meeting] = []
        self.made: Callable[[], Any] = self.pipeline
        self.factory = PipelineFactory("ours:briefing", lambda: self.made())
        self.servers: Callable[[str, str, str], Awaitable[httpx.Response]] = nowhere
        self.opens: Callable[[dict[str, Any]], Meeting] = lambda config: Meeting(**config)
        vars(self).update(parts)

    @property
    def meeting(self) -> Meeting:
        return self.meetings[-1]

    @property
    def settings(self) -> RoomSettings:
        return RoomSettings(self.factory)

    def pipeline(self) -> Pipeline:
        self.ear = Ear()  # hears in the context of the session it is made in
        return Pipeline(stt=self.ear, llm=self.mind, tts=self.mouth)

    def voice(self, listens_to: str | None = SUPERVISOR) -> RoomClient:
        async def ticket() -> RoomToken:
            return TICKET

        return open_room_client(
            self.settings, JoinOptions("room-1", AGENT, "Warm Transfer Agent", ticket, listens_to)
        )

    def meet(self, **config: Any) -> Meeting:
        self.meetings.append(self.opens(config))
        return self.meeting


class Notes:
    """Reads a voice's events in the background."""

    def __init__(self, voice: RoomClient) -> None:
        self.seen: list[RoomEvent] = []
        self.reading = asyncio.create_task(self._read(voice))

    async def _read(self, voice: RoomClient) -> None:
        async for event in voice.events():
            self.seen.append(event)

    async def wait_for(self, wanted: RoomEvent) -> None:
        await until(lambda: wanted in self.seen)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(IN_TIME_S):
        while not true():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def joined(
    scene: Consultation, *, listening: bool = True
) -> AsyncIterator[tuple[RoomClient, RoomSnapshot, Notes]]:
    """A voice in the room, and what it found there."""
    voice = scene.voice()
    voice.listen(listening)
    presence = await voice.join()
    notes = Notes(voice)
    try:
        yield voice, presence, notes
    finally:
        await voice.leave()
        async with asyncio.timeout(IN_TIME_S):
            await notes.reading


def offline(monkeypatch: pytest.MonkeyPatch, scene: Consultation) -> Consultation:
    """Let the framework's meetings and servers be the scene's, and its analytics stay here."""
    monkeypatch.setattr(VideoSDK, "init_meeting", scene.meet)
    monkeypatch.setattr(server_lookup, "_request_servers", scene.servers)
    monkeypatch.setattr(AnalyticsClient, "send_interaction_analytics_safe", lambda *_: None)
    return scene
