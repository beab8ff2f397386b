"""nats-server, the sandbox and every actor as processes on one machine.

    async with LocalStack(time_scale=0.2) as stack:
        caller = await stack.call("+14155550201")
        await stack.start("primary", rooms=[caller.room_id])
        await stack.kill("gateway")

The demo, `warmxfer up` and the end-to-end tests run in one.

The broker has users and permissions as `warmxfer permissions` prints them, with passwords made for this
stack. Each actor connects as the user of its role.

Invariant: no variable of the user's own set-up (`WARMXFER_*`, `NATS_*`, `VIDEOSDK_*`, `OTEL_*`) reaches an
actor. So an actor here cannot reach a real broker and cannot dial a real number. Held by
`tests/cli/local_stack/test_stack.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from warmxfer.bus import Bus, BusSettings, EmbeddedServer
from warmxfer.bus.permission_file import DEFAULT_TENANT, Login, accounts
from warmxfer.bus.permissions import INBOX
from warmxfer.bus.subject_table import CLIENT, DEPLOY, LOCAL, USERS
from warmxfer.client import Client

from .certificates import StackCertificates
from .managed_process import ManagedProcess
from .sandbox_admin import PlacedCall as PlacedCall
from .sandbox_admin import SandboxAdmin

ROLES = ("coordinator", "gateway", "summarizer", "briefing")
"""The actors that start with the stack. A `primary` is started when there are calls."""

MAX_OF_A_ROLE = 32
ROOT = "root"
API_KEY = "sandbox"
_PRIVATE_VARIABLES = ("WARMXFER_", "NATS_", "VIDEOSDK_", "OTEL_")
"""Prefixes of the user's variables that no actor of a stack receives."""


class LocalStack(SandboxAdmin):
    """All services of one machine, and the admin client of their sandbox.

    `async with` starts everything, and stops everything at its end.
    `counts` is the number of processes of each role (default 1). `env` is added to the environment of every
    actor. `directory`, if given, keeps the stream and the logs (one file per process); otherwise both are
    removed at the end, or only the stream if `keeps_logs` was set. With `root_password`, the broker has a
    user `root` without limits, for tests. With `certificates`, every connection to the broker is mutual TLS,
    and the sandbox (cloud, rooms and model) is reached by HTTPS. With `store_key`, the broker encrypts the
    streams on disk.
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
        root_password: str | None = None,
        certificates: StackCertificates | None = None,
        store_key: str | None = None,
    ) -> None:
        super().__init__(verify=certificates.context() if certificates else None)
        self.certificates = certificates
        self._counts = dict.fromkeys(ROLES, 1) | dict(counts or {})
        self._time_scale = time_scale
        self._nats_port = nats_port
        self._sandbox_port = sandbox_port
        self._given_directory = directory
        self._sync_interval = sync_interval
        self._env = dict(env or {})
        self.secret = secrets.token_hex(32)
        # A password that begins with a digit could be read as a number by the server.
        self._passwords = {user: f"p{secrets.token_hex(16)}" for user in (*USERS, LOCAL)}
        self._root_password = root_password
        self._store_key = store_key
        self._processes: dict[str, list[ManagedProcess]] = {}
        self._started = 0
        self.directory = Path()
        self.keeps_logs = directory is not None

    @property
    def nats_url(self) -> str:
        """Address of the nats-server."""
        return self.nats.url

    def slower(self, timeout_s: float) -> float:
        """Return a time limit for people as slow as those of this stack. Faster ones have the same limit."""
        return timeout_s * max(1.0, self._time_scale)

    async def __aenter__(self) -> LocalStack:
        kept = self._given_directory and self._given_directory / "stream"
        self.nats = EmbeddedServer(
            port=self._nats_port,
            store_dir=kept or None,
            sync_interval=self._sync_interval,
            accounts=self._accounts(),
            tls=self.certificates.server_tls() if self.certificates else None,
            store_key=self._store_key,
        )
        self.directory = self._given_directory or Path(tempfile.mkdtemp(prefix="warmxfer-"))
        # Only this user may read it: it has the logs, the streams and the passwords of the broker.
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            await run_all(self._start_broker(), self._start_sandbox())
            self._write_env_file()
            roles = [role for role, count in self._counts.items() for _ in range(count)]
            await run_all(*(self.start(role) for role in roles))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def start(
        self, role: str, *, rooms: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> ManagedProcess:
        """Start one more process of `role` and return it once it is ready. `rooms` is for a `primary`."""
        added = {"WARMXFER_ROOM_ID": ",".join(rooms)} if rooms else {}
        process = await self._spawn(
            role,
            [sys.executable, "-m", "warmxfer.actors", role],
            {**self.actor_env(role), **added, **(env or {})},
        )
        self._processes.setdefault(role, []).append(process)
        return process

    async def stop(self, role: str) -> None:
        """Stop every process of `role` with SIGTERM."""
        await asyncio.gather(*(process.stop() for process in self._processes.pop(role, [])))

    async def kill(self, role: str) -> None:
        """Kill every process of `role` with SIGKILL."""
        await asyncio.gather(*(process.kill() for process in self._processes.pop(role, [])))

    def running(self, role: str) -> list[ManagedProcess]:
        """Return the running processes of `role`."""
        return [process for process in self._processes.get(role, []) if process.running]

    def crashed(self) -> list[ManagedProcess]:
        """Return the actors of `ROLES` that ended without being stopped. Each is returned once."""
        processes = [process for role in ROLES for process in self._processes.get(role, [])]
        found = [process for process in processes if not process.running]
        for process in found:
            self._processes[process.name].remove(process)
        return found

    def client(self) -> AbstractAsyncContextManager[Client]:
        """Connect a client to this stack. It ignores the credentials in the user's environment."""
        return Client.connect(env=self.bus_env(CLIENT))

    def bus_env(self, user: str) -> dict[str, str]:
        """Return the variables with which a process connects to the broker of this stack as `user`."""
        password = self._root_password if user == ROOT else self._passwords[user]
        return {
            "NATS_URL": self.nats_url,
            "NATS_USER": user,
            "NATS_PASSWORD": password or "",
            "NATS_INBOX_PREFIX": f"{INBOX}.{user}",
            **(self.certificates.client_env() if self.certificates else {}),
        }

    def settings(self, user: str) -> BusSettings:
        """Return the settings with which `user` connects. `env` may name a broker that is not ours."""
        return BusSettings.from_env(self.bus_env(user) | self._env)

    def url_of(self, user: str) -> str:
        """Return the address with the name and password of `user`, for a plain NATS client.

        `env` may name a broker that is not ours, and the login there.
        """
        env = self.bus_env(user) | self._env
        return env["NATS_URL"].replace("//", f"//{env['NATS_USER']}:{env['NATS_PASSWORD']}@")

    @property
    def env_file(self) -> Path:
        """A file of variables for a terminal: with it, each command of warmxfer may use this stack."""
        return self.directory / "local.env"

    def actor_env(self, role: str) -> dict[str, str]:
        """Return the environment of an actor of this stack. Only the gateway gets the provider's secret."""
        env = _shared_environment() | {"WARMXFER_LOG": "json", "WARMXFER_VOICE": "sandbox"}
        env |= self.bus_env(role)
        if self.certificates:
            env["SSL_CERT_FILE"] = self.certificates.authority
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

    def _accounts(self) -> str:
        logins = {user: Login(password) for user, password in self._passwords.items()}
        more = {} if self._root_password is None else {ROOT: self._root_password}
        return accounts({DEFAULT_TENANT: logins}, more_users=more)

    async def _start_broker(self) -> None:
        """Start nats-server, and create the streams and consumers, as `warmxfer deploy` does."""
        await self.nats.start()
        async with await Bus.connect(self.settings(DEPLOY), name="warmxfer-deploy") as bus:
            await bus.ensure()

    def _write_env_file(self) -> None:
        self.env_file.touch(mode=0o600)
        env = self.bus_env(LOCAL) | {"WARMXFER_STORE_DIR": str(self.nats.store_dir)}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in env.items()]
        self.env_file.write_text("".join(lines))

    async def _start_sandbox(self) -> None:
        command = [sys.executable, "-m", "warmxfer.sandbox", "--api-key", API_KEY]
        command += ["--port", str(self._sandbox_port), "--time-scale", str(self._time_scale)]
        if self.certificates:
            command += ["--cert", self.certificates.server_cert, "--key", self.certificates.server_key]
        # Each user of the machine may read the arguments of a process.
        env = {**_shared_environment(), "VIDEOSDK_SECRET": self.secret}
        process = await self._spawn("sandbox", command, env, ready_on_stdout=True)
        self._processes["sandbox"] = [process]
        self.sandbox_url = json.loads(process.ready)["sandbox"]

    async def _spawn(
        self, name: str, command: Sequence[str], env: Mapping[str, str], *, ready_on_stdout: bool = False
    ) -> ManagedProcess:
        self._started += 1
        log_path = self.directory / f"{name}-{self._started}.log"
        return await ManagedProcess.spawn(name, command, env, log_path, ready_on_stdout=ready_on_stdout)

    async def _close(self) -> None:
        """Stop the actors, then the sandbox, then nats-server: actors still need both while they stop."""
        await self.aclose()
        sandbox = self._processes.pop("sandbox", [])
        await asyncio.gather(*(self.stop(role) for role in list(self._processes)))
        await asyncio.gather(*(process.stop() for process in sandbox))
        await self.nats.close()
        if not self.keeps_logs:
            shutil.rmtree(self.directory, ignore_errors=True)


def _shared_environment() -> dict[str, str]:
    """Return the variables of this process without those of the user's own set-up."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE_VARIABLES)}


async def run_all(*works: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run all of them to their end, and return their results in order, or raise the first error.

    No work continues unseen after an error.
    """
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes
