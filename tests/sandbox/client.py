"""Clients for the sandbox tests: of the REST and admin APIs and of rooms; and a receiver of webhooks."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
from websockets.asyncio.client import ClientConnection, connect

from warmxfer.sandbox import Settings, serve

API_KEY = "test-key"
SECRET = "a-secret-of-the-test-project-32-bytes-long"
SCALE = 0.03
DEADLINE_S = 5.0

OUR_NUMBER = "+14155550100"


def token(**claims: Any) -> str:
    """Return a token of the test project. A claim that is None is left out."""
    defaults = {
        "apikey": API_KEY,
        "permissions": ["allow_join"],
        "version": 2,
        "exp": int(time.time()) + 3_600,
    }
    return jwt.encode({k: v for k, v in {**defaults, **claims}.items() if v is not None}, SECRET)


def supervisor(last_digits: str) -> str:
    """Return the number of a supervisor by its last four digits."""
    return f"+1415555{last_digits}"


class Agent:
    """Client end of a room socket, and all frames that it received."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def read_frames(self) -> None:
        async for raw in self.socket:
            self._waiting.put_nowait(json.loads(raw))

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def say(self, text: str, **more: Any) -> None:
        """Speak a text and wait until it is spoken."""
        await self.send(type="say", id=text[:20], text=text, **more)
        await self.wait_for("said", id=text[:20])

    async def wait_for(self, kind: str, within_s: float = DEADLINE_S, **fields: Any) -> dict[str, Any]:
        """Return the next frame of this type with these fields. `frames` keeps every frame read before it."""
        async with asyncio.timeout(within_s):
            while True:
                frame = await self._waiting.get()
                self.frames.append(frame)
                if frame["type"] == kind and fields.items() <= frame.items():
                    return frame

    async def wait_until_closed(self) -> tuple[int, str]:
        """Wait for the close, and return the close code and the reason of the last frame."""
        async with asyncio.timeout(DEADLINE_S):
            await self.socket.wait_closed()
        await asyncio.sleep(0)
        return self.socket.close_code or 0, self.drain()[-1].get("reason", "")

    def drain(self) -> list[dict[str, Any]]:
        """Return all frames received so far."""
        while not self._waiting.empty():
            self.frames.append(self._waiting.get_nowait())
        return self.frames


class Sandbox:
    """Client of the REST API, with a valid token, and of the admin API."""

    def __init__(self, base_url: str, http: httpx.AsyncClient) -> None:
        self.base_url = base_url
        self.http = http

    async def ok(self, method: str, path: str, **more: Any) -> Any:
        """Send a request, check that the status is 200, and return the JSON body."""
        answer = await self.http.request(method, path, **more)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    async def room(self, **body: Any) -> str:
        return (await self.ok("POST", "/v2/rooms", json=body))["roomId"]

    async def dial(self, room_id: str, number: str, **more: Any) -> str:
        body = {
            "routingRuleId": "rr_1",
            "sipCallFrom": OUR_NUMBER,
            "sipCallTo": number,
            "destinationRoomId": room_id,
        }
        return (await self.ok("POST", "/v2/sip/call", json={**body, **more}))["data"]["callId"]

    async def caller(self, number: str = "+14155550201", **more: Any) -> dict[str, Any]:
        return await self.ok("POST", "/sandbox/calls", json={"from": number, **more})

    async def call(self, call_id: str) -> dict[str, Any]:
        return (await self.ok("GET", f"/v2/sip/call/{call_id}"))["data"]

    async def switch(self, call_id: str, room_id: str, **more: Any) -> dict[str, Any]:
        body = {"callId": call_id, "roomId": room_id, **more}
        return (await self.ok("POST", "/v2/sip/call/switch-room", json=body))["data"]

    async def ledger(self, **query: str) -> list[dict[str, Any]]:
        return (await self.ok("GET", "/sandbox/ledger", params=query))["entries"]

    async def kinds(self, **query: str) -> list[str]:
        return [entry["kind"] for entry in await self.ledger(**query)]

    async def fault(self, match: dict[str, Any], kind: str, **more: Any) -> None:
        await self.ok("POST", "/sandbox/faults", json={"match": match, "kind": kind, **more})

    async def wait_until_ended(self, call_id: str, within_s: float = DEADLINE_S) -> dict[str, Any]:
        """Wait until the call has ended, and return it."""
        async with asyncio.timeout(within_s):
            while True:
                call = await self.call(call_id)
                if call["end"] is not None:
                    return call
                await asyncio.sleep(0.01)

    async def wait_for_status(self, call_id: str, status: str) -> None:
        """Wait until the call has this status."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                if (await self.call(call_id))["status"] == status:
                    return
                await asyncio.sleep(0.01)

    async def wait_for_entry(self, kind: str, within_s: float = DEADLINE_S, **fields: Any) -> dict[str, Any]:
        """Wait for a ledger entry of this kind with these fields, and return the first one."""
        async with asyncio.timeout(within_s):
            while True:
                for entry in await self.ledger(kind=kind):
                    if fields.items() <= entry.items():
                        return entry
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def agent(self, room_id: str, name: str = "agent", **claims: Any) -> AsyncIterator[Agent]:
        """Join a room as an agent and wait for the frame `welcome`."""
        address = self.base_url.replace("http", "ws") + f"/v2/rooms/{room_id}/join"
        async with connect(f"{address}?participantId={name}&name={name}&token={token(**claims)}") as socket:
            agent = Agent(socket)
            reading = asyncio.create_task(agent.read_frames())
            try:
                await agent.wait_for("welcome")
                yield agent
            finally:
                reading.cancel()


@asynccontextmanager
async def client(base_url: str) -> AsyncIterator[Sandbox]:
    """Open a client with a valid token.

    Loopback needs no certificates, and loading them is slow.
    """
    headers = {"authorization": token()}
    async with httpx.AsyncClient(
        base_url=base_url, headers=headers, timeout=DEADLINE_S, verify=False
    ) as http:
        yield Sandbox(base_url, http)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Sandbox]:
    """Run a sandbox in this process and yield its client; stop the sandbox afterwards."""
    base_url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, ready=base_url.set_result, handle_signals=False))
    try:
        async with client(await asyncio.wait_for(base_url, DEADLINE_S)) as sandbox:
            yield sandbox
    finally:
        serving.cancel()
        await asyncio.wait({serving}, timeout=DEADLINE_S)
    assert serving.cancelled()


class WebhookReceiver:
    """HTTP endpoint that stores the webhooks that it receives.

    `statuses` are the statuses of its next responses. All later responses are 200.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self._arrived = asyncio.Event()

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["webhookType"] for _, body in self.requests]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of all webhooks of this kind."""
        webhooks = [json.loads(body) for _, body in self.requests]
        return [webhook["data"] for webhook in webhooks if webhook["webhookType"] == kind]

    async def wait_for(self, kind: str, count: int = 1) -> list[str]:
        """Wait for `count` webhooks of this kind, and return the kinds of all webhooks so far."""
        async with asyncio.timeout(DEADLINE_S):
            while self.kinds.count(kind) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.kinds

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                status = self.statuses.pop(0) if self.statuses else 200
                self.requests.append((headers, body))
                self._arrived.set()
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
        except asyncio.IncompleteReadError:
            writer.close()
