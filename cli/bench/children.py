"""Commands as child processes of the benchmark: what they cost, and how long until they say something."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from warmxfer.schemas import InternalError

from .stack import clean_environment

LIMIT_S = 60.0
END_LIMIT_S = 20.0


async def child_output(command: Sequence[str], directory: Path | None = None) -> bytes:
    """Run `command` to its end and return its stdout. Raises `InternalError` if it fails or does not end."""
    child = await _spawn(command, directory)
    try:
        async with asyncio.timeout(LIMIT_S):
            output, _ = await child.communicate()
    except TimeoutError as error:
        raise InternalError(f"{_name(command)} did not end within {LIMIT_S:g} s") from error
    finally:
        await _end(child)
    if child.returncode != 0:
        raise InternalError(f"{_name(command)} ended with {child.returncode}: {output[-200:]!r}")
    return output


async def child_cpu_s(command: Sequence[str]) -> float:
    """Run `command` to its end and return the CPU time that it used. Raises as `child_output` does.

    No other child may end meanwhile.
    """
    before = os.times()
    await child_output(command)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


async def until_line(command: Sequence[str], key: str) -> tuple[float, str]:
    """Return the seconds until `command` prints a line that contains `key`, and that line.

    Then the command is stopped.
    """
    began_at = time.perf_counter()
    child = await _spawn(command)
    try:
        assert child.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            while line := await child.stdout.readline():
                if key.encode() in line:
                    return time.perf_counter() - began_at, line.decode()
    except TimeoutError as error:
        raise InternalError(f"{_name(command)} printed no {key} within {LIMIT_S:g} s") from error
    finally:
        await _end(child)
    raise InternalError(f"{_name(command)} ended without {key}")


def _name(command: Sequence[str]) -> str:
    return " ".join(command[1:4])


async def _spawn(command: Sequence[str], directory: Path | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env=clean_environment(),
        start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def _end(child: asyncio.subprocess.Process) -> None:
    """Stop a child that still runs: by SIGINT as Ctrl-C does, then by SIGKILL."""
    if child.returncode is not None:
        return
    child.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(END_LIMIT_S):
            await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
