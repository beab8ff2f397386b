"""The sandbox for tests of actors: real, at ten times real speed, on a free port; and a slow broker."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio

from warmxfer.bus import Bus, Stored
from warmxfer.sandbox import Settings, serve
from warmxfer.schemas import RoomToken

API_KEY = "key"
SECRET = "a-secret-of-at-least-thirty-two-bytes"
TIME_SCALE = 0.1
WAIT_S = 20.0
"""Limit of a wait for a condition. A worker that hears nothing pulls again after 5 s."""
READY = "+14155550101"


@dataclass
class Cloud:
    """A running sandbox and the requests that tests send to it."""

    url: str
    http: httpx.AsyncClient
    tickets: int = field(default=0)

    async def open_room(self) -> str:
        return (await self._post("/v2/rooms", {"customRoomId": secrets.token_hex(8)}))["roomId"]

    async def close_room(self, room_id: str) -> None:
        await self._post("/v2/rooms/deactivate", {"roomId": room_id})

    async def dial(self, room_id: str, participant_id: str, number: str = READY, name: str = "Dana") -> str:
        """Dial a number into the room. Return the call id."""
        order = {
            "routingRuleId": "rule",
            "sipCallTo": number,
            "sipCallFrom": "+14155559999",
            "destinationRoomId": room_id,
            "participant": {"id": participant_id, "name": name},
        }
        return (await self._post("/v2/sip/call", order))["data"]["callId"]

    async def switch(self, call_id: str, room_id: str, participant_id: str) -> None:
        """Move a caller's call into another room, under another participant id."""
        order = {"callId": call_id, "roomId": room_id, "participantId": participant_id}
        await self._post("/v2/sip/call/switch-room", order)

    async def say(self, participant_id: str, text: str) -> None:
        """Make a person speak."""
        await self._post(f"/sandbox/people/{participant_id}/say", {"text": text})

    async def press(self, participant_id: str, digit: str) -> None:
        """Make a person press a key."""
        await self._post(f"/sandbox/people/{participant_id}/press", {"digit": digit})

    async def hang_up(self, participant_id: str) -> None:
        await self._post(f"/sandbox/people/{participant_id}/hangup", {})

    async def break_once(self, kind: str, match: dict[str, Any], times: int = 1, **more: Any) -> None:
        """Add a fault."""
        await self._post("/sandbox/faults", {"match": match, "kind": kind, "times": times, **more})

    async def ledger(self, room_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the recorded events of the room, oldest first."""
        answer = await self.http.get("/sandbox/ledger", params={"room": room_id, "kind": kind})
        return answer.raise_for_status().json()["entries"]

    async def wait_ledger(self, room_id: str, kind: str, count: int) -> list[dict[str, Any]]:
        """Return the ledger's entries once there are `count`."""
        async with asyncio.timeout(WAIT_S):
            while True:
                entries = await self.ledger(room_id, kind)
                if len(entries) >= count:
                    return entries
                await asyncio.sleep(0.01)

    def ticket(
        self, room_id: str, participant_id: str, url: str | None = None
    ) -> Callable[[], Awaitable[RoomToken]]:
        """Return a token source for one participant id, as the gateway gives it."""

        async def ticket() -> RoomToken:
            self.tickets += 1
            key = token("rtc", roomId=room_id, participantId=participant_id)
            return RoomToken(token=key, signaling_url=url or self.url)

        return ticket

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.http.post(path, json=body, headers={"Authorization": token("crawler")})
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()


class Wire:
    """A connection to the cloud that can be cut: TCP, relayed through a port of its own."""

    def __init__(self, cloud_url: str) -> None:
        self._port = int(cloud_url.rsplit(":", 1)[1])
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut(for_good=True)

    def cut(self, *, for_good: bool = False) -> None:
        """Abort every connection. New ones are accepted unless `for_good`."""
        if for_good and self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, there_writer}
        await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer), return_exceptions=True)
        self._writers -= {writer, there_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    finally:
        writer.close()


def token(role: str, **claims: str) -> str:
    """Return a token signed with the sandbox's secret."""
    return jwt.encode(
        {
            "apikey": API_KEY,
            "permissions": ["allow_join"],
            "version": 2,
            "roles": [role],
            "exp": int(time.time()) + 60,
            **claims,
        },
        SECRET,
        algorithm="HS256",
    )


@pytest_asyncio.fixture
async def cloud() -> AsyncIterator[Cloud]:
    """A sandbox for this test only."""
    async with open_cloud(TIME_SCALE) as cloud:
        yield cloud


@asynccontextmanager
async def open_cloud(time_scale: float) -> AsyncIterator[Cloud]:
    """Run a sandbox on a free port in this process."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = Settings(api_key=API_KEY, secret=SECRET, time_scale=time_scale)
    serving = asyncio.create_task(serve(settings, ready=ready.set_result, handle_signals=False))
    try:
        async with asyncio.timeout(5):
            url = await ready
        async with httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as http:
            yield Cloud(url, http)
    finally:
        serving.cancel()
        await asyncio.wait((serving,), timeout=5)


def seen_late(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the bus stale: the first read of any subject misses the last write.

    The broker sends a message to its subscribers before it stores it. A subscriber that subscribes in between
    does not receive it either. With 150 writes ahead of it, this took up to 30 ms (measured).
    """
    read_once, last, history = set[str](), bus.get_last, bus.history

    async def late(subject: str, *, deadline_s: float = WAIT_S) -> Stored | None:
        if subject not in read_once:
            read_once.add(subject)
            return None
        return await last(subject, deadline_s=deadline_s)

    async def all_but_the_last(
        subject: str, limit: int, *, after: int = 0, deadline_s: float = WAIT_S
    ) -> list[Stored]:
        stored = await history(subject, limit, after=after, deadline_s=deadline_s)
        if subject not in read_once:
            read_once.add(subject)
            return stored[:-1]
        return stored

    monkeypatch.setattr(bus, "get_last", late)
    monkeypatch.setattr(bus, "history", all_but_the_last)
