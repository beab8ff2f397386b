"""One process of the house: started, waited for until it says it is ready, and never left behind.

It is run under the leash of the bus room, so it ends when this process does, however this one ends. What it
says goes to a file of its own; the first line on its ready pipe says that it is at work.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from warmxfer.actors.runtime.exit_codes import INVALID
from warmxfer.actors.runtime.runner import READY_FD
from warmxfer.schemas import InvalidRequest, RetryableError

START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 20.0
LINGER_S = 2.0
MAX_LAST_LINE_CHARS = 300


class ManagedProcess:
    """A running process. Made by `spawn`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log_path: Path) -> None:
        self.name = name
        self.log_path = log_path
        self.ready = ""
        """The line with which it said that it is at work."""
        self._process = process

    @classmethod
    async def spawn(
        cls,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log_path: Path,
        *,
        speaks: bool = False,
    ) -> ManagedProcess:
        """Start `command` and return once it is ready.

        Raises with its last words when it is not: `Refused` when it ended as who was refused something,
        else `Retry`. It finds its ready pipe in `WARMXFER_READY_FD`, or with `speaks` as its stdout.
        """
        leash = find_spec("warmxfer.bus.run_with_parent")
        if leash is None or leash.origin is None:
            raise FileNotFoundError("warmxfer.bus.run_with_parent")
        reading, writing = os.pipe()
        with log_path.open("ab") as said:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-IS",
                leash.origin,
                str(os.getpid()),
                *command,
                # Of its own session: Ctrl-C reaches us alone, and we say who ends when.
                start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing if speaks else said,
                stderr=said,
                env={**env, READY_FD: str(writing)},
                pass_fds=(writing,),
            )
        os.close(writing)
        child = cls(name, process, log_path)
        try:
            child.ready = await _first_line(reading)
        except BaseException:
            await child.kill()
            raise
        if not child.ready:
            refused = await child._end() == INVALID
            raise (InvalidRequest if refused else RetryableError)(
                f"{name} did not start: {last_log_line(log_path)}"
            )
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.returncode is None

    async def stop(self) -> None:
        """Ask it to end, and wait; one that does not is killed."""
        if self.running:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.running:
            self._process.kill()
        await self._process.wait()

    async def _end(self) -> int | None:
        """Its exit code, a moment after it let go of its pipe; one that hangs is killed."""
        try:
            async with asyncio.timeout(LINGER_S):
                return await self._process.wait()
        except TimeoutError:
            await self.kill()
            return self._process.returncode

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await self._process.wait()


def last_log_line(log_path: Path) -> str:
    """The last line a process wrote, cut."""
    lines = log_path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:MAX_LAST_LINE_CHARS] if lines else "it said nothing"


async def _first_line(reading: int) -> str:
    """The first line from a pipe; empty when its other end closed, or in time nothing came."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
    )
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            return (await reader.readline()).decode(errors="replace").strip()
    except TimeoutError:
        return ""
    finally:
        transport.close()
