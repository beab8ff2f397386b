"""Ctrl-C ends the benchmark, every process that it has started, and its files."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

LIMIT_S = 60.0


def processes_with(text: str) -> list[str]:
    """Return the command lines of the processes that have `text` in them."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text in command:
            found.append(command)
    return found


async def test_ctrl_c_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    bench = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmxfer.cli", "bench", "--quick", "--only", "recovery"),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            while not processes_with(f"actor_process primary --cloud {tmp_path}"):
                assert bench.returncode is None
                await asyncio.sleep(0.05)
            bench.send_signal(signal.SIGINT)
            assert await bench.wait() == 130
            while processes_with(str(tmp_path)):
                await asyncio.sleep(0.05)
    finally:
        if bench.returncode is None:
            bench.kill()
            await bench.wait()
    assert os.listdir(tmp_path) == []
