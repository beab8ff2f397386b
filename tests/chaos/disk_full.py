"""F15: the broker has little or no storage left, by its account's limit or on its disk. It loses nothing.

Nearly full, it refuses new transfers and those that run end. Full, it accepts nothing.

An account below its limit works again at once. A full disk switches JetStream off, so the test restarts the
broker, as an operator has to.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import nats
from nats.js.errors import APIError

from tests.e2e.stack_fixture import Call
from tests.testkit.nats_server import ConfiguredServer, restart
from warmxfer.bus import EmbeddedServer, Outgoing
from warmxfer.bus.subjects import EVENTS
from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.schemas import Outcome, WarmxferError

from .report_row import Row
from .scenario import Scenario, open_scenario
from .stage_barrier import at_every_phase

SHARE_MB = 48
DISK_MB = 64
FULL_S = 3.0
NEARLY_FULL = 0.85
MAX_FILL_BATCH = 50
REQUESTS_WHILE_FULL = 5
FILL_SIZES_BYTES = (100_000, 1_000, 10)
"""Large messages first, then smaller ones, until none fits."""
MAX_FILL_MESSAGES = 2_000
FILL_SUBJECT = "warmxfer.filling.dead"
"""A subject of the stream without a consumer."""
USER = "chaos"
SHARE = f"""
accounts {{
  share {{ users: [{{ user: {USER}, password: {USER} }}], jetstream {{ max_file: {SHARE_MB}MB }} }}
}}
no_auth_user: {USER}
"""
LOGIN = {"NATS_USER": USER, "NATS_PASSWORD": USER}
"""The login of every process: a broker with accounts refuses the users of a local stack."""
Step = Callable[[], Awaitable[None]]


async def f15() -> AsyncIterator[Row]:
    """Fill the account's limit, then a disk of its own if this machine allows a mount."""
    async with (
        ConfiguredServer(extra=SHARE) as server,
        open_scenario(url=server.url, env=LOGIN) as scenario,
    ):
        yield await _run_nearly_full(scenario, server.url)
        await scenario.reset()
        row = Row("F15", f"the broker's share of {SHARE_MB} MB used up for {FULL_S:g} s")
        yield await _run_fault(scenario, row, lambda: _fill_stream(server.url), lambda: _purge(server.url))
    row = Row("F15", f"the broker's disk full for {FULL_S:g} s")
    async with _small_disk() as disk:
        if disk is None:
            row.facts.append("not run, for this machine does not let us mount a small disk")
            yield row
            return
        async with (
            EmbeddedServer(store_dir=disk / "store") as server,
            open_scenario(url=server.url) as scenario,
        ):
            fill_file = disk / "filling"

            async def emptied() -> None:
                fill_file.unlink()
                await restart(server)

            yield await _run_fault(scenario, row, lambda: asyncio.to_thread(_fill, fill_file), emptied)


async def _run_nearly_full(scenario: Scenario, url: str) -> Row:
    """Use up so much that new transfers are refused. The running ones end, and none is freed meanwhile."""
    row = Row("F15", f"{NEARLY_FULL:.0%} of the broker's share of {SHARE_MB} MB used up")
    callers = await scenario.driver.callers(REQUESTS_WHILE_FULL)
    async with at_every_phase(scenario, row) as calls:
        await _fill_up_to(scenario, NEARLY_FULL * SHARE_MB * 1_000_000)
        await asyncio.sleep(FULL_S)
        refused = [await scenario.driver.begin(caller) for caller in callers]
        await scenario.check_transfers(row, calls)
        row.all_complete()
        outcomes = Counter([(await call.result()).outcome.value for call in refused])
        row.facts.append(f"requests made meanwhile ended as {dict(outcomes)}")
        if outcomes[Outcome.TOO_BUSY.value] != len(refused):
            row.problems.append(f"F15: requests were not refused: {dict(outcomes)}")
    await _purge(url)
    await asyncio.sleep(FULL_S)  # longer than a coordinator relies on what it read
    return row


async def _fill_up_to(scenario: Scenario, wanted_bytes: float) -> None:
    """Store messages until the account uses `wanted_bytes`."""
    while (room := wanted_bytes - (await scenario.bus.storage()).used_bytes) > 0:
        count = min(MAX_FILL_BATCH, int(room / FILL_SIZES_BYTES[0]) + 1)
        await scenario.bus.publish_all([Outgoing(FILL_SUBJECT, b"x" * FILL_SIZES_BYTES[0])] * count)


async def _run_fault(scenario: Scenario, row: Row, fill: Step, empty: Step) -> Row:
    callers = await scenario.driver.callers(REQUESTS_WHILE_FULL)
    async with at_every_phase(scenario, row) as calls:
        await fill()
        meanwhile = await asyncio.gather(*(_request(scenario, caller) for caller in callers))
        await asyncio.sleep(FULL_S)
        began = time.monotonic()
        await empty()
        row.recovered(await scenario.recovery(began, "coordinator"))
        # A request that was acknowledged counts: a last one may have fitted in.
        acknowledged = [call for call in meanwhile if call]
        row.facts.append(
            f"{len(acknowledged)} of {REQUESTS_WHILE_FULL} requests made meanwhile were acknowledged"
        )
        await scenario.check_transfers(row, [*calls, *acknowledged])
    return row


async def _request(scenario: Scenario, caller: PlacedCall) -> Call | None:
    """Request a transfer. Returns None if the broker refused the request, with an error."""
    try:
        return await scenario.driver.begin(caller)
    except WarmxferError:
        return None


async def _fill_stream(url: str) -> None:
    connection = await nats.connect(url)
    js = connection.jetstream()
    for size in FILL_SIZES_BYTES:
        for _ in range(MAX_FILL_MESSAGES):
            try:
                await js.publish(FILL_SUBJECT, b"x" * size)
            except APIError:
                break
    await connection.close()


async def _purge(url: str) -> None:
    connection = await nats.connect(url)
    await connection.jetstream().purge_stream(EVENTS, subject=FILL_SUBJECT)
    await connection.close()


def _fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65_536))
        except OSError:
            return


@asynccontextmanager
async def _small_disk() -> AsyncIterator[Path | None]:
    """Mount a file system of `DISK_MB` in memory. Yields None if a mount is not allowed."""
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
