"""The sandbox as a process, as a coroutine, and as a package without imports from warmxfer."""

import ast
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import warmxfer.sandbox
from warmxfer.sandbox import Settings

from .client import API_KEY, DEADLINE_S, SECRET, Sandbox, WebhookReceiver, running, supervisor

ENVIRONMENT = {**os.environ, "VIDEOSDK_SECRET": SECRET}

PACKAGE = Path(warmxfer.sandbox.__file__).parent


def test_the_sandbox_imports_no_other_package_of_warmxfer() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 1 or not str(node.module).startswith("warmxfer"), file
            elif isinstance(node, ast.Import):
                assert not any(name.name.startswith("warmxfer") for name in node.names), file


def test_importing_the_sandbox_loads_no_other_package_of_warmxfer() -> None:
    program = "import sys, warmxfer.sandbox; print([m for m in sys.modules if m.startswith('warmxfer.')])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert loaded.stdout.count("warmxfer.") == loaded.stdout.count("warmxfer.sandbox") > 0


@pytest.mark.parametrize(
    "invalid",
    [
        {"api_key": ""},
        {"secret": ""},
        {"time_scale": -1.0},
        {"time_scale": 1_000.0},
        {"webhook_url": "foo"},
        {"webhook_url": "http://"},
        {"webhook_url": "ftp://host/"},
        {"webhook_url": "http://host:port/"},
    ],
)
def test_settings_out_of_range_are_refused(invalid: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"api_key|time_scale|webhook_url is '"):
        Settings(**{"api_key": "k", "secret": "s", **invalid})


def test_the_repr_of_settings_hides_the_secret() -> None:
    assert SECRET not in repr(Settings(API_KEY, SECRET))


async def test_a_briefing_works_at_time_scale_zero_with_unsigned_webhooks(receiver: WebhookReceiver) -> None:
    settings = Settings(API_KEY, SECRET, receiver.url, time_scale=0.0, sign_webhooks=False)
    async with running(settings) as sandbox:
        room_id = await sandbox.room()
        async with sandbox.agent(room_id) as agent:
            await sandbox.dial(room_id, supervisor("0101"))
            await agent.wait_for("speech", text="Hello?")
            await agent.say("Will you take the call?")
            await agent.wait_for("speech", text="Yes, I'm ready, put them through.")
        await receiver.wait_for("call-answered")
    assert not any("videosdk-signature" in headers for headers, _ in receiver.requests)
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection("127.0.0.1", int(sandbox.base_url.rsplit(":", 1)[1]))


async def test_a_switched_caller_is_heard_at_time_scale_zero() -> None:
    """The caller's words must not end before the caller can be heard, however short simulated time is."""
    async with running(Settings(API_KEY, SECRET, time_scale=0.0, sign_webhooks=False)) as sandbox:
        for _ in range(5):
            caller, room_id = await sandbox.caller(), await sandbox.room()
            async with sandbox.agent(room_id) as agent:
                await sandbox.dial(room_id, supervisor("0101"))
                await agent.wait_for("speech", text="Hello?")
                await sandbox.switch(caller["callId"], room_id)
                await agent.wait_for("speech", text="Hello, is somebody there?")
                await agent.wait_for("speech", text="Hi, this is the supervisor.")


async def test_every_request_is_counted_except_those_of_the_admin_api(
    sandbox: Sandbox,
) -> None:
    async def requests() -> int:
        return (await sandbox.ok("GET", "/sandbox/state"))["requests"]

    assert await requests() == 0
    await sandbox.fault({"path": "/v2/rooms"}, "reset")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await sandbox.room()
    await sandbox.room()
    await sandbox.http.get("/v2/nowhere")
    assert await requests() == 3


def test_sigterm_stops_the_sandbox_even_while_a_request_hangs() -> None:
    command = [sys.executable, "-m", "warmxfer.sandbox", "--api-key", "k"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        base_url = json.loads(process.stdout.readline())["sandbox"]
        fault = {"match": {"path": "/v2/rooms"}, "kind": "delay", "delayS": 600}
        httpx.post(f"{base_url}/sandbox/faults", json=fault, timeout=DEADLINE_S)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{base_url}/v2/rooms", timeout=0.1)
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


async def test_the_process_leaves_out_signatures_if_told(receiver: WebhookReceiver) -> None:
    command = [sys.executable, "-m", "warmxfer.sandbox", "--api-key", "k"]
    command += ["--webhook-url", receiver.url, "--unsigned-webhooks"]
    process = await asyncio.create_subprocess_exec(*command, env=ENVIRONMENT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        base_url = json.loads(await process.stdout.readline())["sandbox"]
        async with httpx.AsyncClient(timeout=DEADLINE_S) as http:
            await http.post(f"{base_url}/sandbox/calls", json={"from": "+14155550201"})
        await receiver.wait_for("call-answered")
    finally:
        process.kill()
        await process.wait()
    assert not any("videosdk-signature" in headers for headers, _ in receiver.requests)


def test_webhooks_continue_after_a_failure_and_with_stdout_closed() -> None:
    command = [sys.executable, "-m", "warmxfer.sandbox", "--api-key", "k"]
    command += ["--webhook-url", "http://127.0.0.1:9"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        base_url = json.loads(process.stdout.readline())["sandbox"]
        process.stdout.close()
        httpx.post(f"{base_url}/sandbox/calls", json={"from": "+14155550201"}, timeout=DEADLINE_S)
        deadline, given_up = time.monotonic() + DEADLINE_S, 0
        while given_up < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
            given_up = httpx.get(f"{base_url}/sandbox/state", timeout=DEADLINE_S).json()["webhooksGivenUp"]
        assert given_up == 4, "two of the room and two of the call"
    finally:
        process.kill()
        logged = process.stderr.read() if process.stderr else ""
        process.wait(DEADLINE_S)
    assert logged.count("webhook_given_up") == 4
    assert "Traceback" not in logged
