"""`warmxfer board` as a user runs it: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

START_S = 30.0
TOKEN = "a-token-of-the-user"


@asynccontextmanager
async def running_command(nats_url: str, *options: str, **env: str) -> AsyncIterator[tuple[str, str]]:
    """Run the command. Yields its first line, and its address without the token. It ends with 0."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmxfer.cli", "board", "--port", "0", *options),
        env={**os.environ, "NATS_URL": nats_url, **env},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), START_S)).decode()
        address = next(word for word in line.replace('"', " ").split() if word.startswith("http://"))
        yield line, address.partition("/?")[0].rstrip(";")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), START_S) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def opened_with(address: str, token: str) -> bool:
    """Return whether the token opens the board."""
    async with httpx.AsyncClient(base_url=address) as http:
        return (await http.get("/", params={"token": token})).status_code == httpx.codes.SEE_OTHER


async def test_the_printed_address_opens_the_board(nats_url: str) -> None:
    async with running_command(nats_url) as (line, address):
        assert line.startswith(f"board listens at {address}/?token=")
        assert await opened_with(address, line.strip().partition("token=")[2])
        assert not await opened_with(address, TOKEN)


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
async def test_a_token_of_the_user_opens_the_board_and_is_not_printed(
    nats_url: str, options: tuple[str, ...]
) -> None:
    """What a container prints is collected as a log."""
    async with running_command(nats_url, *options, WARMXFER_BOARD_TOKEN=TOKEN) as (line, address):
        assert TOKEN not in line
        if options:
            assert json.loads(line) == {"board": address}
        else:
            assert line == f"board listens at {address}; its token is WARMXFER_BOARD_TOKEN\n"
        assert await opened_with(address, TOKEN)
