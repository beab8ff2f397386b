"""The clients of the tests: of the cloud's API, of a room, and of the webhooks."""

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

HOUSE = "+14155550100"


def token(**claims: Any) -> str:
    """A token of the test project; a claim given as None is left out."""
    usual = {"apikey": API_KEY, "permissions": ["allow_join"], "version": 2, "exp": int(time.time()) + 3_600}
    return jwt.encode({k: v for k, v in {**usual, **claims}.items() if v is not None}, SECRET)


def supervisor(card: str) -> str:
    """The number of a supervisor by its last digits."""
    return f"+1415555{card}"


class Agent:
    """One end of a room socket, and everything it was told."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def listen(self) -> None:
        async for raw in self.socket:
            self._waiting.put_nowait(json.loads(raw))

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def say(self, text: str, **more: Any) -> None:
        """Say it and wait until it is said."""
        await self.send(type="say", id=text[:20], text=text, **more)
        await self.until("said", id=text[:20])

    async def until(self, kind: str, within_s: float = DEADLINE_S, **wanted: Any) -> dict[str, Any]:
        """The next frame of this type with these fields; all others on the way are kept in `frames`."""
        async with asyncio.timeout(within_s):
            while True:
                frame = await self._waiting.get()
                self.frames.append(frame)
                if frame["type"] == kind and wanted.items() <= frame.items():
                    return frame

    async def closed(self) -> tuple[int, str]:
        """The close code, and the reason of the last frame."""
        async with asyncio.timeout(DEADLINE_S):
            await self.socket.wait_closed()
        await asyncio.sleep(0)
        return self.socket.close_code or 0, self.drain()[-1].get("reason", "")

    def drain(self) -> list[dict[str, Any]]:
        """Everything told so far."""
        while not self._waiting.empty():
            self.frames.append(self._waiting.get_nowait())
        return self.frames


class Sandbox:
    """A client of the sandbox: the cloud's API with a good token, and the tester's hand."""

    def __init__(self, base_url: str, http: httpx.AsyncClient) -> None:
        self.base_url = base_url
        self.http = http

    async def ok(self, method: str, path: str, **more: Any) -> Any:
        answer = await self.http.request(method, path, **more)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    async def room(self, **body: Any) -> str:
        return (await self.ok("POST", "/v2/rooms", json=body))["roomId"]

    async def dial(self, room_id: str, number: str, **more: Any) -> str:
        order = {
            "routingRuleId": "rr_1",
            "sipCallFrom": HOUSE,
            "sipCallTo": number,
            "destinationRoomId": room_id,
        }
        return (await self.ok("POST", "/v2/sip/call", json={**order, **more}))["data"]["callId"]

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

    async def ended(self, call_id: str, within_s: float = DEADLINE_S) -> dict[str, Any]:
        """The call once it is over."""
        async with asyncio.timeout(within_s):
            while True:
                call = await self.call(call_id)
                if call["end"] is not None:
                    return call
                await asyncio.sleep(0.01)

    async def status(self, call_id: str, status: str) -> None:
        """Wait until the call has this status."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                if (await self.call(call_id))["status"] == status:
                    return
                await asyncio.sleep(0.01)

    async def entry(self, kind: str, within_s: float = DEADLINE_S, **wanted: Any) -> dict[str, Any]:
        """The first ledger entry of this kind with these fields, once it is there."""
        async with asyncio.timeout(within_s):
            while True:
                for entry in await self.ledger(kind=kind):
                    if wanted.items() <= entry.items():
                        return entry
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def agent(self, room_id: str, name: str = "agent", **claims: Any) -> AsyncIterator[Agent]:
        """An agent in a room, welcomed."""
        address = self.base_url.replace("http", "ws") + f"/v2/rooms/{room_id}/join"
        async with connect(f"{address}?participantId={name}&name={name}&token={token(**claims)}") as socket:
            agent = Agent(socket)
            listening = asyncio.create_task(agent.listen())
            try:
                await agent.until("welcome")
                yield agent
            finally:
                listening.cancel()


@asynccontextmanager
async def client(base_url: str) -> AsyncIterator[Sandbox]:
    """A client with a good token. Loopback needs no certificates, and loading them is slow."""
    headers = {"authorization": token()}
    async with httpx.AsyncClient(
        base_url=base_url, headers=headers, timeout=DEADLINE_S, verify=False
    ) as http:
        yield Sandbox(base_url, http)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Sandbox]:
    """A sandbox in this process, and its client; afterwards it is stopped."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, ready=told.set_result, handle_signals=False))
    try:
        async with client(await asyncio.wait_for(told, DEADLINE_S)) as sandbox:
            yield sandbox
    finally:
        serving.cancel()
        await asyncio.wait({serving}, timeout=DEADLINE_S)
    assert serving.cancelled()


class Mailbox:
    """A webhook endpoint that keeps what it gets; `answers` are its next statuses, then 200 for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[int] = []
        self.letters: list[tuple[dict[str, str], bytes]] = []
        self._arrived = asyncio.Event()

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["webhookType"] for _, body in self.letters]

    def of(self, kind: str) -> list[dict[str, Any]]:
        letters = [json.loads(body) for _, body in self.letters]
        return [letter["data"] for letter in letters if letter["webhookType"] == kind]

    async def until(self, kind: str, count: int = 1) -> list[str]:
        """All kinds so far, once there are `count` of this one."""
        async with asyncio.timeout(DEADLINE_S):
            while self.kinds.count(kind) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.kinds

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                status = self.answers.pop(0) if self.answers else 200
                self.letters.append((headers, body))
                self._arrived.set()
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
        except asyncio.IncompleteReadError:
            writer.close()
