"""`warmxfer ... | head`: who has read enough has done nothing wrong, and neither have we."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

COMMAND_S = 60.0


@pytest.mark.parametrize(
    "command",
    [
        ("demo", "--list"),
        ("demo", "--list", "--json"),
        ("doctor",),
        ("doctor", "--json"),
    ],
)
async def test_a_reader_who_has_gone_is_no_failure(nats_url: str, command: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "warmxfer.cli", *command),
            env={**os.environ, "NATS_URL": nats_url},
            stdout=writing,
            stderr=asyncio.subprocess.PIPE,
        )
    finally:
        os.close(writing)
    async with asyncio.timeout(COMMAND_S):
        _, said = await process.communicate()
    assert (process.returncode, said) == (0, b"")
