"""One real sandbox process for the whole folder, reset before each test; time runs thirty times as fast."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from warmxfer.sandbox import Settings

from .client import API_KEY, DEADLINE_S, SCALE, SECRET, Mailbox, Sandbox, client, running


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    """A sandbox process, stopped in an orderly way at the end."""
    command = [sys.executable, "-m", "warmxfer.sandbox", "--api-key", API_KEY, "--secret", SECRET]
    process = subprocess.Popen([*command, "--time-scale", str(SCALE)], stdout=subprocess.PIPE, text=True)
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
    """A client of the sandbox as if it had just started."""
    async with client(base_url) as sandbox:
        await sandbox.ok("POST", "/sandbox/reset")
        yield sandbox


@pytest.fixture
async def slow_sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox of its own in this very process, where a second lasts long enough to act in it."""
    async with running(Settings(API_KEY, SECRET, time_scale=0.4)) as sandbox:
        yield sandbox


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box: Mailbox

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await box.take(reader, writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    box = Mailbox(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook")
    yield box
    server.close()
