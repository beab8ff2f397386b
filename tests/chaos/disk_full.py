"""F15: the broker has no room left: its share is used up, or its disk is. Nothing new is taken or lost.

A share that has room again is used at once. A disk that was full has switched JetStream off: the broker has
to be restarted, and so it is here.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import nats
from nats.js.errors import APIError

from tests.e2e.stack_fixture import Call
from tests.testkit.nats_server import ConfiguredServer, restart
from warmxfer.bus import EmbeddedServer
from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.schemas import WarmxferError

from .report_row import Row
from .scenario import Scene, scene
from .stage_barrier import at_every_phase

SHARE_MB = 48
DISK_MB = 64
FULL_S = 3.0
MEANWHILE = 5
FILLING_BYTES = (100_000, 1_000, 10)
"""Large ones first, then smaller, until nothing at all fits."""
MAX_FILLING = 2_000
FILLING = "warmxfer.filling.dead"
"""A subject of the stream that nobody takes anything from."""
STREAM = "WARMXFER"
SHARE = f"""
accounts {{ chaos {{ users: [{{ user: chaos, password: chaos }}], jetstream {{ max_file: {SHARE_MB}MB }} }} }}
no_auth_user: chaos
"""
Step = Callable[[], Awaitable[None]]


async def f15() -> AsyncIterator[Row]:
    """The account's share, then a disk of its own where this machine lets us mount one."""
    async with ConfiguredServer(extra=SHARE) as server, scene(url=server.url) as here:
        row = Row("F15", f"the broker's share of {SHARE_MB} MB used up for {FULL_S:g} s")
        yield await _struck(here, row, lambda: _use_up(server.url), lambda: _purge(server.url))
    row = Row("F15", f"the broker's disk full for {FULL_S:g} s")
    async with _small_disk() as disk:
        if disk is None:
            row.facts.append("not run, for this machine does not let us mount a small disk")
            yield row
            return
        async with EmbeddedServer(store_dir=disk / "store") as server, scene(url=server.url) as here:
            filling = disk / "filling"

            async def emptied() -> None:
                filling.unlink()
                await restart(server)

            yield await _struck(here, row, lambda: asyncio.to_thread(_fill, filling), emptied)


async def _struck(here: Scene, row: Row, fill: Step, empty: Step) -> Row:
    callers = await here.stage.callers(MEANWHILE)
    async with at_every_phase(here, row) as calls:
        await fill()
        meanwhile = await asyncio.gather(*(_asked(here, caller) for caller in callers))
        await asyncio.sleep(FULL_S)
        began = time.monotonic()
        await empty()
        row.recovered(await here.recovery(began, "coordinator"))
        # What is acknowledged counts, however full it was: a last one may have found a place.
        acknowledged = [call for call in meanwhile if call]
        row.facts.append(f"{len(acknowledged)} of {MEANWHILE} requests made meanwhile were acknowledged")
        await here.judge(row, [*calls, *acknowledged])
    return row


async def _asked(here: Scene, caller: PlacedCall) -> Call | None:
    """None: there was no room for the request, and whoever asked was told."""
    try:
        return await here.stage.begin(caller)
    except WarmxferError:
        return None


async def _use_up(url: str) -> None:
    link = await nats.connect(url)
    js = link.jetstream()
    for size in FILLING_BYTES:
        for _ in range(MAX_FILLING):
            try:
                await js.publish(FILLING, b"x" * size)
            except APIError:
                break
    await link.close()


async def _purge(url: str) -> None:
    link = await nats.connect(url)
    await link.jetstream().purge_stream(STREAM, subject=FILLING)
    await link.close()


def _fill(path: Path) -> None:
    """Write until the disk takes no more."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65_536))
        except OSError:
            return


@asynccontextmanager
async def _small_disk() -> AsyncIterator[Path | None]:
    """A file system of `DISK_MB` in memory; None where we may not mount."""
    with tempfile.TemporaryDirectory(prefix="warmxfer-chaos-") as directory:
        async with AsyncExitStack() as stack:
            mounted = await _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "warmxfer", directory)
            if mounted:
                stack.push_async_callback(_run, "umount", directory)
            yield Path(directory) if mounted else None


async def _run(*command: str) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    except FileNotFoundError:
        return False
    return await process.wait() == os.EX_OK
