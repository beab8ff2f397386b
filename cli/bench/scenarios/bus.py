"""The bus alone: what its operations take one after the other, and what a worker costs per message."""

from __future__ import annotations

import statistics
import time
from asyncio import Event, timeout
from collections.abc import AsyncGenerator, Awaitable, Callable

from warmxfer.bus import (
    Bus,
    BusSettings,
    Delivery,
    EmbeddedServer,
    Outgoing,
    TransferLog,
    Worker,
    claim_effect,
    subjects,
)

from ..load import Progress
from ..machine import Usage, UsageMeter
from ..plan import Plan
from ..rows import Row
from ..stack import BROKER
from ..stack_pool import StackPool

BODY = b"x" * 300
WARM_UP = 20
BATCH = 1_000
JOBS = 256
LIMIT_S = 120.0


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield the median duration of each operation, and the rate and cost of a worker."""
    for sync in plan.sync_intervals:
        suffix = "" if sync == "2m" else f".sync_{sync}"
        async with (
            EmbeddedServer(sync_interval=sync) as server,
            await Bus.connect(BusSettings(url=server.url), name="bench") as bus,
        ):
            await bus.ensure()
            pids = {BROKER: [server.pid]}
            for name, act in _operations(bus).items():
                progress(f"{name}, sync {sync}")
                yield await _repeat(f"bus.{name}{suffix}", act, plan.bus_operations, pids)
            progress(f"worker, sync {sync}")
            for row in await _worker(bus, suffix, 5 * plan.bus_operations, pids):
                yield row


def _operations(bus: Bus) -> dict[str, Callable[[int], Awaitable[object]]]:
    """Return the operations by name; each takes the number of its repetition."""
    log = TransferLog(bus)

    async def publish_six(number: int) -> None:
        id = f"s{number}"
        await bus.publish_all([Outgoing(subjects.result(id), BODY, f"{id}.{index}") for index in range(6)])

    return {
        "publish": lambda number: bus.publish(subjects.cancel(f"p{number}"), BODY),
        "append": lambda number: log.append(f"l{number}", BODY, 0, f"l{number}"),
        "read_leader": lambda number: log.get_last_from_leader(f"l{number}"),
        "publish_six": publish_six,
        "claim_effect": lambda number: claim_effect(bus, f"i{number}", "dial", b"%d" % number),
    }


async def _repeat(
    name: str, act: Callable[[int], Awaitable[object]], count: int, pids: dict[str, list[int]]
) -> Row:
    took_ms, meter = list[float](), UsageMeter(pids)
    for number in range(count + WARM_UP):
        started = time.perf_counter()
        await act(number)
        took_ms.append(1e3 * (time.perf_counter() - started))
    measured = took_ms[WARM_UP:]
    return _row(name, statistics.median(measured), "ms", meter.read(), count)


async def _worker(bus: Bus, suffix: str, count: int, pids: dict[str, list[int]]) -> list[Row]:
    """Measure a worker whose handler only counts."""
    done, handled = Event(), 0

    async def handle(_: Delivery) -> None:
        nonlocal handled
        handled += 1
        if handled == count:
            done.set()

    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        await bus.publish_all(
            [Outgoing(subjects.work_queue(f"t{number % 500}", "gateway"), BODY) for number in numbers],
            deadline_s=LIMIT_S,
        )
    meter, cpu_s, started = UsageMeter(pids), time.process_time(), time.perf_counter()
    async with timeout(LIMIT_S), Worker(bus, "gateway", handle, jobs=JOBS):
        await done.wait()
        took_s = time.perf_counter() - started
        used_us = 1e6 * (time.process_time() - cpu_s) / count
    usage = meter.read()
    return [
        _row(f"bus.worker.rate{suffix}", count / took_s, "messages/s", usage, 1),
        _row(f"bus.worker.cpu{suffix}", used_us, "µs/message", usage, 1),
    ]


def _row(name: str, value: float, unit: str, usage: Usage, runs: int) -> Row:
    return Row(name=name, value=value, unit=unit, others_cpu=usage.others_cpu, runs=runs)
