"""The floor beside the product: a nats-server of its own, and the floor's worker, in the same run."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from contextlib import AsyncExitStack
from types import TracebackType

from warmxfer.bus import EmbeddedServer
from warmxfer.schemas import InternalError

from .machine import UsageMeter
from .rows import Sample
from .stack import BROKER, clean_environment

READY_LIMIT_S = 20.0
RUN_LIMIT_S = 300.0
END_LIMIT_S = 10.0


class FloorStack:
    """`async with FloorStack() as floor: await floor.run(500, 50)`."""

    def __init__(self, *, sync_interval: str = "2m") -> None:
        self._nats = EmbeddedServer(sync_interval=sync_interval)
        self._exit_stack = AsyncExitStack()
        self._runs = itertools.count()

    async def __aenter__(self) -> FloorStack:
        try:
            await self._exit_stack.enter_async_context(self._nats)
            self._worker = await self._spawn("worker")
            self._exit_stack.push_async_callback(_end, self._worker)
            assert self._worker.stdout is not None
            async with asyncio.timeout(READY_LIMIT_S):
                if await self._worker.stdout.readline() != b"ready\n":
                    raise InternalError("The floor's worker did not start")
        except BaseException:
            await self._exit_stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit_stack.aclose()

    async def run(self, count: int, in_flight: int) -> Sample:
        """Run `count` transfers, `in_flight` at a time. Raises `InternalError` if the floor fails."""
        meter = UsageMeter({"worker": [self._worker.pid], BROKER: [self._nats.pid]})
        client = await self._spawn(
            "client", "--count", f"{count}", "--in-flight", f"{in_flight}", "--prefix", f"{next(self._runs)}"
        )
        try:
            async with asyncio.timeout(RUN_LIMIT_S):
                output, _ = await client.communicate()
        except TimeoutError as error:
            raise InternalError(
                f"The floor did not end {count} transfers within {RUN_LIMIT_S:g} s"
            ) from error
        finally:
            await _end(client)
        usage = meter.read()
        if client.returncode != 0:
            raise InternalError(f"The floor's client ended with {client.returncode}")
        result = json.loads(output)
        return Sample(
            transfers=count,
            seconds=result["seconds"],
            latencies_s=result["latencies_s"],
            transitions_s=result["transitions_s"],
            usage=usage,
        )

    async def _spawn(self, role: str, *arguments: str) -> asyncio.subprocess.Process:
        # It ends when its stdin is closed, so it does not outlive this process; nor does the client, whose
        # broker ends with this process.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "warmxfer.cli.bench.floor.program", role, "--url", self._nats.url),
            *arguments,
            env=clean_environment(),
            start_new_session=True,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(END_LIMIT_S if process.stdout is not None else 0):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
