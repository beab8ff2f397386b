"""One child process: started, awaited until it reports ready, and always stopped.

It runs under `warmxfer.bus.run_with_parent`, so it ends when this process ends, even by SIGKILL. Its output
goes to a log file of its own. It reports ready by one line on its ready pipe.
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
from warmxfer.bus.embedded_server import open_private
from warmxfer.schemas import InvalidRequest, RetryableError

START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 20.0
EXIT_TIMEOUT_S = 2.0
"""How long a process may run after it has closed its ready pipe."""

MAX_LAST_LINE_CHARS = 300


class ManagedProcess:
    """A running child process, made by `spawn`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log_path: Path) -> None:
        self.name = name
        self.log_path = log_path
        self.ready = ""
        """The line with which it reported ready."""
        self._process = process

    @classmethod
    async def spawn(
        cls,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log_path: Path,
        *,
        ready_on_stdout: bool = False,
        timeout_s: float = START_TIMEOUT_S,
    ) -> ManagedProcess:
        """Start `command` and return once it is ready, within `timeout_s`.

        The process finds the number of its ready pipe in `WARMXFER_READY_FD`; with `ready_on_stdout` the pipe
        is its stdout. If it does not get ready, raises with the last line of its log: `InvalidRequest` if it
        exited with the code for an invalid request, otherwise `RetryableError`.
        """
        wrapper = find_spec("warmxfer.bus.run_with_parent")
        if wrapper is None or wrapper.origin is None:
            raise FileNotFoundError("warmxfer.bus.run_with_parent")
        read_end, write_end = os.pipe()
        with open_private(log_path, "ab") as log_file:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-IS",
                wrapper.origin,
                str(os.getpid()),
                *command,
                # A session of its own: Ctrl-C reaches only this process, which stops its children in order.
                start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end if ready_on_stdout else log_file,
                stderr=log_file,
                env={**env, READY_FD: str(write_end)},
                pass_fds=(write_end,),
            )
        os.close(write_end)
        child = cls(name, process, log_path)
        try:
            child.ready = await _first_line(read_end, timeout_s)
        except BaseException:
            await child.kill()
            raise
        if not child.ready:
            invalid = await child._exit_code() == INVALID
            raise (InvalidRequest if invalid else RetryableError)(
                f"{name} did not start: {last_log_line(log_path)}"
            )
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    async def stop(self) -> None:
        """Send SIGTERM and wait for the end. After `STOP_TIMEOUT_S` send SIGKILL."""
        if self.running:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        if self.running:
            self._process.kill()
        await self._process.wait()

    async def wait(self) -> int:
        """Wait for the end and return the exit code."""
        return await self._process.wait()

    async def _exit_code(self) -> int | None:
        """Return the exit code of a process that closed its ready pipe. Kill it if it does not exit."""
        try:
            async with asyncio.timeout(EXIT_TIMEOUT_S):
                return await self._process.wait()
        except TimeoutError:
            await self.kill()
            return self._process.returncode


def last_log_line(log_path: Path) -> str:
    """Return the last line of a log, cut to `MAX_LAST_LINE_CHARS`."""
    lines = log_path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:MAX_LAST_LINE_CHARS] if lines else "its log is empty"


async def _first_line(read_end: int, timeout_s: float) -> str:
    """Return the first line from a pipe: empty if the other end closed, or after `timeout_s`."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    try:
        async with asyncio.timeout(timeout_s):
            return (await reader.readline()).decode(errors="replace").strip()
    except TimeoutError:
        return ""
    finally:
        transport.close()
