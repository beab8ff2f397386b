"""`warmxfer ... | head`: a closed stdout is not an error."""

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
async def test_a_closed_stdout_is_not_an_error(nats_url: str, command: tuple[str, ...]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "warmxfer.cli", *command),
            env={**os.environ, "NATS_URL": nats_url},
            stdout=write_end,
            stderr=asyncio.subprocess.PIPE,
        )
    finally:
        os.close(write_end)
    async with asyncio.timeout(COMMAND_S):
        _, stderr = await process.communicate()
    assert (process.returncode, stderr) == (0, b"")
