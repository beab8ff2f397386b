"""`up` and `demo` stop quietly at any time, by Ctrl-C, SIGTERM or SIGHUP, and leave no files."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.testkit.processes import handle_sigint

START_S = 60.0
END_S = 30.0
UP = ("up", "--port", "0", "--sandbox-port", "0", "--board-port", "0", "--json")
ACTORS_START = "coordinator-*.log"
CALL_STARTS = "primary-*.log"
"""Log files whose appearance marks a moment of the start."""


async def stop_at(directory: Path, command: tuple[str, ...], at: str, stop: Callable[[int], None]) -> str:
    """Run `command`, `stop` it once a file that matches `at` exists, and return exit code and stderr.

    `directory` is its directory for temporary files.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmxfer.cli", *command),
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=handle_sigint if stop is ctrl_c else background,
    )
    try:
        async with asyncio.timeout(START_S):
            while not any(directory.glob(f"*/{at}")):  # noqa: ASYNC240
                await asyncio.sleep(0.02)
        stop(process.pid)
        async with asyncio.timeout(END_S):
            _, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return f"{process.returncode} {stderr.decode()}"


def ctrl_c(pid: int) -> None:
    """Send SIGINT as a terminal does: to the whole group. `uv run` then passes it on a second time."""
    os.killpg(pid, signal.SIGINT)
    time.sleep(0.05)
    os.kill(pid, signal.SIGINT)


def terminate(pid: int) -> None:
    """Send SIGTERM as `timeout` and `kill` do: to the command only."""
    os.kill(pid, signal.SIGTERM)


def close_terminal(pid: int) -> None:
    """Send SIGHUP as a terminal does that is closed."""
    os.killpg(pid, signal.SIGHUP)


def background() -> None:
    """Ignore SIGINT as a background job of a shell does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("stop", [ctrl_c, close_terminal])
@pytest.mark.parametrize("at", [ACTORS_START, CALL_STARTS])
async def test_ctrl_c_stops_up_quietly_even_during_its_start(
    tmp_path: Path, at: str, stop: Callable[[int], None]
) -> None:
    """Once the actors received the signal too, and `up` reported that a coordinator did not start.

    The log directory stays only if it was announced, which happens with the first call.
    """
    assert await stop_at(tmp_path, UP, at, stop) == "0 "
    if at is ACTORS_START:
        assert os.listdir(tmp_path) == []
    left = [name for _, _, files in os.walk(tmp_path) for name in files]
    assert [name for name in left if not name.endswith(".log")] == []


@pytest.mark.parametrize("stop", [ctrl_c, terminate, close_terminal])
@pytest.mark.parametrize("at", [ACTORS_START, CALL_STARTS])
async def test_a_stopped_demo_leaves_no_files(tmp_path: Path, at: str, stop: Callable[[int], None]) -> None:
    assert await stop_at(tmp_path, ("demo",), at, stop) == "130 "
    assert os.listdir(tmp_path) == []
