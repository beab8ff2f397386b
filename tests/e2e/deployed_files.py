"""Runs what compose.yaml or an overlay describes as processes of this machine.

Commands, variables and secrets are those of the file. Only addresses are replaced: names of services by
loopback, and ports by free ones. With `WARMXFER_TEST_TLS=yes` every connection to the broker is mutual TLS.
The cloud is the sandbox beside it, which the files reach by HTTP.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ops.kubernetes.rendering import Manifest
from tests.test_containers import SERVICES, env_files, running
from warmxfer.bus import EmbeddedServer
from warmxfer.bus.free_ports import free_ports
from warmxfer.cli.local_stack.managed_process import ManagedProcess

from .stack_fixture import certificates_in

DEPLOY, SANDBOX, BROKER, BOARD = "deploy", "sandbox", "nats", "board"
HOST = "127.0.0.1"
READY_S = 60.0
COMMAND_S = 90.0
STOP_GRACE_S = 40.0
BESIDE = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
CALL = {"from": "+14155550201", "roomId": "demo-room"}
"""The call that the room of the primary waits for, as the comments of the files place it."""


@dataclass(frozen=True)
class Described:
    """A container as a file describes it. Without `command` it is the image's: `warmxfer`."""

    args: list[str]
    env: dict[str, str]
    command: tuple[str, ...] = (sys.executable, "-m", "warmxfer.cli")


@dataclass
class Deployed:
    """What runs. `client` has the variables with which a client connects, `board` is the board's address."""

    client: dict[str, str]
    processes: dict[str, ManagedProcess]
    board: str

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run `warmxfer` as the client. Returns its exit code and what it printed."""
        return await _command(list(arguments), self.client)

    async def stopped(self) -> dict[str, int]:
        """Stop each process by SIGTERM, within the time that a file gives it. Returns their exit codes."""
        async with asyncio.timeout(STOP_GRACE_S):
            await asyncio.gather(*(process.stop() for process in self.processes.values()))
            return {name: await process.wait() for name, process in self.processes.items()}


def of_compose(secrets: Path) -> dict[str, Described]:
    """Return the containers of the profiles `one` and `board`, with the files of `secrets`."""
    found: dict[str, Described] = {}
    for name in running("one", "board"):
        env: dict[str, str] = {}
        for path in env_files(name):
            env |= variables(secrets / Path(path).name)
        found[name] = Described(SERVICES[name]["command"], env | SERVICES[name].get("environment", {}))
    return found


def of_overlay(manifests: list[Manifest]) -> dict[str, Described]:
    """Return the containers of a rendered overlay."""
    held: dict[str, dict[str, str]] = {}
    for each in manifests:
        if each["kind"] == "ConfigMap":
            held[each["metadata"]["name"]] = each["data"]
        elif each["kind"] == "Secret":
            decoded = {key: base64.b64decode(value).decode() for key, value in each["data"].items()}
            held[each["metadata"]["name"]] = decoded
    found: dict[str, Described] = {}
    for each in manifests:
        if each["kind"] in {"Deployment", "StatefulSet", "Job"}:
            (container,) = each["spec"]["template"]["spec"]["containers"]
            env: dict[str, str] = {}
            for reference in container.get("envFrom", []):
                ((_, source),) = reference.items()
                env |= held[source["name"]] if not source.get("optional") else held.get(source["name"], {})
            env |= {one["name"]: one["value"] for one in container.get("env", []) if "value" in one}
            command = {"command": tuple(container["command"])} if "command" in container else {}
            found[each["metadata"]["name"]] = Described(container.get("args", []), env, **command)
    return found


def variables(path: Path) -> dict[str, str]:
    """Return the variables of an .env file."""
    return dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())


@asynccontextmanager
async def deployed(
    described: Mapping[str, Described],
    broker_config: str,
    client: Mapping[str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Deployed]:
    """Start the broker, then the cloud, the streams and a call, then all actors. Stops them at the end."""
    for name, value in described[BROKER].env.items():
        monkeypatch.setenv(name, value)
    names = [name for name in described if name not in {BROKER, DEPLOY, "prometheus", "grafana"}]
    sandbox_port, webhook_port, *health_ports = free_ports(2 + len(names))
    async with AsyncExitStack() as stack:
        accounts = broker_config[broker_config.index("accounts {") :]
        certificates = certificates_in(folder / "tls")
        tls = certificates.server_tls() if certificates else None
        client_tls = certificates.client_env() if certificates else {}
        server = await stack.enter_async_context(EmbeddedServer(accounts=accounts, tls=tls))
        addresses = {
            r"nats://nats:4222": server.url,
            r"http://sandbox:8090": f"http://127.0.0.1:{sandbox_port}",
            r"http://gateway(:8091|-webhooks)": f"http://127.0.0.1:{webhook_port}",
        }
        ports = dict(zip(names, health_ports, strict=True))

        def local(name: str) -> dict[str, str]:
            env = {key: _replaced(value, addresses) for key, value in described[name].env.items()}
            here = {"WARMXFER_HEALTH_PORT": str(ports.get(name, 0)), "WARMXFER_HEALTH_HOST": "127.0.0.1"}
            if "WARMXFER_WEBHOOK_PORT" in env:
                here |= {"WARMXFER_WEBHOOK_PORT": str(webhook_port), "WARMXFER_WEBHOOK_HOST": "127.0.0.1"}
            return {**BESIDE, **env, **here, **client_tls}

        async def start(name: str, args: list[str]) -> ManagedProcess:
            program, *options = described[name].command
            process = await ManagedProcess.spawn(
                name,
                [shutil.which(program) or program, *options, *args],
                local(name),
                folder / f"{name}.log",
                ready_on_stdout=name in {SANDBOX, BOARD},
            )
            stack.push_async_callback(process.stop)
            return process

        # One line of JSON: its pipe is read once.
        cloud = [*_at(described[SANDBOX].args, sandbox_port), "--time-scale", "0.1", "--json"]
        processes = {SANDBOX: await start(SANDBOX, cloud)}
        code, printed = await _command(described[DEPLOY].args, local(DEPLOY))
        assert code == 0, printed
        async with httpx.AsyncClient() as http:
            await _until_ready(http, f"http://127.0.0.1:{sandbox_port}/sandbox/state")
            (await http.post(f"http://127.0.0.1:{sandbox_port}/sandbox/calls", json=CALL)).raise_for_status()
            args = {name: described[name].args for name in names if name != SANDBOX}
            args[BOARD] = _at(args[BOARD], ports[BOARD])
            # They start at once, as they would there.
            started = await asyncio.gather(*(start(name, each) for name, each in args.items()))
            processes |= dict(zip(args, started, strict=True))
            for name in args:
                ready = "healthz" if name == BOARD else "readyz"
                await _until_ready(http, f"http://127.0.0.1:{ports[name]}/{ready}")
        board = f"http://127.0.0.1:{ports[BOARD]}"
        yield Deployed({**client, **client_tls, "NATS_URL": server.url}, processes, board)


def _at(args: list[str], port: int) -> list[str]:
    """Return the arguments of a server with this port of loopback."""
    found = [HOST if each == "0.0.0.0" else each for each in args]
    found[found.index("--port") + 1] = str(port)
    return found


async def _until_ready(http: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(READY_S):
        while True:
            try:
                if (await http.get(url)).status_code == httpx.codes.OK:
                    return
            except httpx.ConnectError:
                pass  # It does not listen yet.
            await asyncio.sleep(0.05)


async def _command(arguments: list[str], env: Mapping[str, str]) -> tuple[int, str]:
    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "warmxfer.cli", *arguments],
            env={**BESIDE, **env},
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    done = await asyncio.to_thread(run)
    return done.returncode, done.stdout + done.stderr


def _replaced(value: Any, addresses: Mapping[str, str]) -> str:
    text = str(value)
    for known, local in addresses.items():
        text = re.sub(known, local, text)
    return text
