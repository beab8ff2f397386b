"""Fixtures: one sandbox process for the whole folder, reset before each test.

Its simulated time runs about thirty times as fast as real time.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from warmxfer.sandbox import Settings

from .client import API_KEY, DEADLINE_S, SCALE, SECRET, Sandbox, WebhookReceiver, client, running


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    """Start a sandbox process and yield its base URL; check at the end that SIGTERM stops it."""
    command = [sys.executable, "-m", "warmxfer.sandbox", "--api-key", API_KEY]
    env = {**os.environ, "VIDEOSDK_SECRET": SECRET}
    process = subprocess.Popen(
        [*command, "--time-scale", str(SCALE)], env=env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["sandbox"]
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        process.stdout.close()


@pytest.fixture
async def sandbox(base_url: str) -> AsyncIterator[Sandbox]:
    """Yield a client of the sandbox after a reset."""
    async with client(base_url) as sandbox:
        await sandbox.ok("POST", "/sandbox/reset")
        yield sandbox


@pytest.fixture
async def slow_sandbox() -> AsyncIterator[Sandbox]:
    """Yield a client of a second sandbox, in this process.

    Its simulated seconds are long enough for a test to act within one second.
    """
    async with running(Settings(API_KEY, SECRET, time_scale=0.4)) as sandbox:
        yield sandbox


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    """Yield a running receiver of webhooks."""
    receiver: WebhookReceiver

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await receiver.handle(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    receiver = WebhookReceiver(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook")
    yield receiver
    server.close()
