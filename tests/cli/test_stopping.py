"""Who stops a house gets a quiet end and an empty directory, however early, and however they say it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

START_S = 60.0
END_S = 30.0
UP = ("up", "--port", "0", "--sandbox-port", "0", "--json")
WORKER = "coordinator-*.log"
CALL = "primary-*.log"


async def stopped(directory: Path, command: tuple[str, ...], at: str, tell: Callable[[int], None]) -> str:
    """Run `command` with `directory` for what is temporary, `tell` it once a file `at` is there, see it end.

    Its exit code and what it said on stderr.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmxfer.cli", *command),
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=hearing if tell is ctrl_c else deaf,
    )
    try:
        async with asyncio.timeout(START_S):
            while not any(directory.glob(f"*/{at}")):  # noqa: ASYNC240
                await asyncio.sleep(0.02)
        tell(process.pid)
        async with asyncio.timeout(END_S):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return f"{process.returncode} {said.decode()}"


def ctrl_c(pid: int) -> None:
    """As a terminal does it: everybody of the group gets it, and `uv run` passes it on to us once more."""
    os.killpg(pid, signal.SIGINT)
    time.sleep(0.05)
    os.kill(pid, signal.SIGINT)


def terminate(pid: int) -> None:
    """As `timeout` and `kill` do it: the command alone gets it."""
    os.kill(pid, signal.SIGTERM)


def hearing() -> None:
    """As a command in the foreground, wherever these tests run."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def deaf() -> None:
    """As a shell's background job, which does not hear Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("at", [WORKER, CALL])
async def test_ctrl_c_ends_up_quietly_even_while_it_starts(tmp_path: Path, at: str) -> None:
    """The actors heard it too, and `up` said that a coordinator did not start."""
    assert await stopped(tmp_path, UP, at, ctrl_c) == "0 "
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("tell", [ctrl_c, terminate])
@pytest.mark.parametrize("at", [WORKER, CALL])
async def test_a_demo_that_is_stopped_leaves_no_transcript_behind(
    tmp_path: Path, at: str, tell: Callable[[int], None]
) -> None:
    assert await stopped(tmp_path, ("demo",), at, tell) == "130 "
    assert os.listdir(tmp_path) == []
