"""The whole house on one machine: nats-server, the sandbox, and every actor as a process of its own.

    async with House(time_scale=0.2) as house:
        caller = await house.call("+14155550201")
        await house.start("primary", rooms=[caller.room_id])
        await house.kill("gateway")

The demo, `warmxfer up` and the end-to-end tests live in it. Nothing of the user's own set-up reaches it: a
variable that names a real broker or a real provider's secret is not passed on, so nobody real is dialled.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from msgspec import Struct

from warmxfer.bus import EmbeddedServer
from warmxfer.client import Client
from warmxfer.schemas import InvalidRequest, RetryableError

from .managed_process import ManagedProcess

ROLES = ("coordinator", "gateway", "summarizer", "briefing")
"""What is started with the house; `primary` comes when there are calls."""

MAX_OF_A_ROLE = 32
API_KEY = "sandbox"
SANDBOX_TIMEOUT_S = 10.0
DEFAULT_CALLER = "+14155550201"
_OURS = ("WARMXFER_", "NATS_", "VIDEOSDK_")


class PlacedCall(Struct, frozen=True, rename="camel"):
    """Somebody who has called in, and the room where they talk with the AI."""

    room_id: str
    call_id: str
    participant_id: str


class LocalStack:
    """Starts with `async with`, and takes everything down with it.

    `counts` says how many of a role there are (1 each); `env` is added for every actor; `directory` keeps
    the logs (one file a process) and the stream when given, else both are removed at the end.
    """

    def __init__(
        self,
        *,
        counts: Mapping[str, int] | None = None,
        time_scale: float = 1.0,
        nats_port: int | None = None,
        sandbox_port: int = 0,
        directory: Path | None = None,
        sync_interval: str = "always",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._counts = dict.fromkeys(ROLES, 1) | dict(counts or {})
        self._time_scale = time_scale
        self._nats_port = nats_port
        self._sandbox_port = sandbox_port
        self._given_directory = directory
        self._sync_interval = sync_interval
        self._env = dict(env or {})
        self.secret = secrets.token_hex(32)
        self._children: dict[str, list[ManagedProcess]] = {}
        self._started = 0
        self._http = httpx.AsyncClient(timeout=SANDBOX_TIMEOUT_S)
        self.directory = Path()
        self.sandbox_url = ""

    @property
    def nats_url(self) -> str:
        """Where the broker listens."""
        return self.nats.url

    async def __aenter__(self) -> LocalStack:
        self.directory = self._given_directory or Path(tempfile.mkdtemp(prefix="warmxfer-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        kept = self._given_directory and self.directory / "stream"
        self.nats = EmbeddedServer(
            port=self._nats_port, store_dir=kept or None, sync_interval=self._sync_interval
        )
        try:
            await _all(self.nats.start(), self._start_sandbox())
            many = [role for role, count in self._counts.items() for _ in range(count)]
            await _all(*(self.start(role) for role in many))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    # ── processes ────────────────────────────────────────────────────────────────────────────────

    async def start(
        self, role: str, *, rooms: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> ManagedProcess:
        """Start one more of `role` and return once it is at work; `rooms` are those of a `primary`."""
        added = {"WARMXFER_ROOM_ID": ",".join(rooms)} if rooms else {}
        child = await self._spawn(
            role,
            [sys.executable, "-m", "warmxfer.actors", role],
            {**self.actor_env(role), **added, **(env or {})},
        )
        self._children.setdefault(role, []).append(child)
        return child

    async def stop(self, role: str) -> None:
        """End every process of `role` in an orderly way."""
        await asyncio.gather(*(child.stop() for child in self._children.pop(role, [])))

    async def kill(self, role: str) -> None:
        """SIGKILL every process of `role`."""
        await asyncio.gather(*(child.kill() for child in self._children.pop(role, [])))

    def crashed(self) -> list[ManagedProcess]:
        """The workers that have ended without being told to, each told of once."""
        found = [child for role in ROLES for child in self._children.get(role, []) if not child.running]
        for child in found:
            self._children[child.name].remove(child)
        return found

    def client(self) -> AbstractAsyncContextManager[Client]:
        """A user of this house, whatever the credentials of whoever runs it."""
        return Client.connect(self.nats_url, env={})

    def running(self, role: str) -> list[ManagedProcess]:
        """The processes of `role` that live."""
        return [child for child in self._children.get(role, []) if child.running]

    def actor_env(self, role: str) -> dict[str, str]:
        """The environment of an actor in this house; only the gateway gets the provider's secret."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        env |= {"NATS_URL": self.nats_url, "WARMXFER_LOG": "json", "WARMXFER_VOICE": "sandbox"}
        if role == "gateway":
            env |= {
                "VIDEOSDK_BASE_URL": self.sandbox_url,
                "VIDEOSDK_API_KEY": API_KEY,
                "VIDEOSDK_SECRET": self.secret,
                "WARMXFER_WEBHOOK_PORT": "0",
            }
        if role in ("summarizer", "briefing"):
            env |= {
                "WARMXFER_LLM_BASE_URL": f"{self.sandbox_url}/v1",
                "WARMXFER_LLM_API_KEY": API_KEY,
                "WARMXFER_LLM_MODEL": "sandbox",
            }
        return env | self._env

    # ── the world outside ────────────────────────────────────────────────────────────────────────

    async def call(self, number: str = DEFAULT_CALLER, **more: Any) -> PlacedCall:
        """Somebody calls in from `number` and is answered in a room of their own."""
        # The sandbox would name them by their number, which has no place in an id.
        who = {"participantId": f"caller-{secrets.token_hex(4)}"}
        answer = await self.post("/sandbox/calls", {"from": number, **who, **more})
        return PlacedCall(answer["roomId"], answer["callId"], answer["participantId"])

    async def report(self, caller: PlacedCall, transfer_id: str) -> dict[str, Any]:
        """What the sandbox's ledger says became of a transfer."""
        about = {"primaryRoom": caller.room_id, "callerCallId": caller.call_id, "transferKey": transfer_id}
        return await self._ask("GET", "/sandbox/verdict", params=about)

    async def ledger(self, **about: str) -> list[dict[str, Any]]:
        """What the sandbox executed, oldest first; `room` and `kind` narrow it down."""
        return (await self._ask("GET", "/sandbox/ledger", params=about))["entries"]

    async def state(self) -> dict[str, Any]:
        """Who is where in the sandbox, and how often it was asked for anything."""
        return await self._ask("GET", "/sandbox/state")

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A request of the tester's hand; raises `Refused` with the sandbox's own sentence."""
        return await self._ask("POST", path, json=dict(body))

    async def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """As `post`, for what is put."""
        return await self._ask("PUT", path, json=dict(body))

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, self.sandbox_url + path, **more)
        except httpx.HTTPError as error:
            raise RetryableError(
                f"The sandbox does not answer at {self.sandbox_url} ({type(error).__name__})"
            ) from error
        if answer.is_error:
            raise InvalidRequest(f"The sandbox refused {path}: {answer.text[:200]}")
        return answer.json()

    # ── coming and going ─────────────────────────────────────────────────────────────────────────

    async def _start_sandbox(self) -> None:
        command = [sys.executable, "-m", "warmxfer.sandbox", "--api-key", API_KEY, "--secret", self.secret]
        command += ["--port", str(self._sandbox_port), "--time-scale", str(self._time_scale)]
        child = await self._spawn("sandbox", command, dict(os.environ), speaks=True)
        self._children["sandbox"] = [child]
        self.sandbox_url = json.loads(child.ready)["sandbox"]

    async def _spawn(
        self, name: str, command: Sequence[str], env: Mapping[str, str], *, speaks: bool = False
    ) -> ManagedProcess:
        self._started += 1
        log_path = self.directory / f"{name}-{self._started}.log"
        return await ManagedProcess.spawn(name, command, env, log_path, speaks=speaks)

    async def _close(self) -> None:
        """Callers first, the broker last: so everybody can still say goodbye."""
        await self._http.aclose()
        sandbox = self._children.pop("sandbox", [])
        await asyncio.gather(*(self.stop(role) for role in list(self._children)))
        await asyncio.gather(*(child.stop() for child in sandbox))
        await self.nats.close()
        if self._given_directory is None:
            shutil.rmtree(self.directory, ignore_errors=True)


async def _all(*works: Coroutine[Any, Any, Any]) -> None:
    """Do all of them, each to its end, then raise what the first one raised: so none goes on unseen."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
