"""Throughput and latency of the bus on this machine.

Run `python tests/benchmarks/bus_bench.py [--sync 2m] [--count 2000]`. It starts its own embedded broker.
Each result is one line: the operation and its rate per second. Sequential operations also show the median,
the 99th percentile and the maximum duration in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

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
    timers,
)

BODY = b"x" * 300
CONCURRENT = 64
BATCH = 1_000


@dataclass
class Timing:
    """Durations of the repetitions of one operation."""

    name: str
    durations_s: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Return the result as one line."""
        ordered = sorted(self.durations_s)
        p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99) - 1]
        rate = len(ordered) / sum(ordered)
        return (
            f"{self.name:<44} {rate:>9,.0f}/s   p50 {p50 * 1e3:6.2f}  p99 {p99 * 1e3:6.2f}  "
            f"max {ordered[-1] * 1e3:6.2f} ms"
        )


async def run_sequentially(name: str, count: int, act: Callable[[int], Awaitable[object]]) -> None:
    """Run `act` `count` times in sequence after a warm-up, and print the durations."""
    timing = Timing(name)
    for n in range(-20, count):
        started = time.perf_counter()
        await act(n)
        if n >= 0:
            timing.durations_s.append(time.perf_counter() - started)
    print(timing.line())


def print_rate(name: str, count: int, duration_s: float) -> None:
    """Print the rate per second."""
    print(f"{name:<44} {count / duration_s:>9,.0f}/s")


async def transition(bus: Bus, log: TransferLog, n: int) -> None:
    """Do the work of one coordinator transition: load, append, publish a phase, two commands and a timer."""
    id = f"x{n}"
    entry = await log.get_last_from_leader(id)
    seq = await log.append(
        id,
        BODY,
        0 if entry is None else entry.seq,
        f"{id}.record",
        cancel_timer=subjects.timer(id, "deadline"),
    )
    await bus.publish_all(
        [
            Outgoing(subjects.phase(id), BODY, f"{id}.{seq}.phase"),
            Outgoing(subjects.work_queue(id, "gateway"), BODY, f"{id}.{seq}.gateway"),
            Outgoing(subjects.work_queue(id, "summarizer"), BODY, f"{id}.{seq}.summarizer"),
            timers.schedule(id, "deadline", time.time() + 3_600, b"{}", msg_id=f"{id}.{seq}.timer"),
        ]
    )


async def measure_writes_and_reads(bus: Bus, count: int) -> None:
    """Measure writes and reads."""
    log = TransferLog(bus)
    await run_sequentially("publish", count, lambda n: bus.publish(subjects.cancel(f"p{n}"), BODY))
    await run_sequentially("append to a log", count, lambda n: log.append(f"l{n}", BODY, 0, f"l{n}"))
    await run_sequentially("last record of a log", count, lambda n: log.get_last_from_leader(f"l{n}"))
    await run_sequentially("transition (load, append, 4 published)", count, lambda n: transition(bus, log, n))
    await run_sequentially(
        "claim an effect", count // 2, lambda n: claim_effect(bus, f"i{n}", "dial", b"%d" % n)
    )
    messages = [Outgoing(subjects.result(f"a{n}"), BODY) for n in range(BATCH)]
    started = time.perf_counter()
    await bus.publish_all(messages, deadline_s=30)
    print_rate(f"publish_all of {BATCH}", BATCH, time.perf_counter() - started)
    started = time.perf_counter()
    for start in range(0, count, CONCURRENT):
        await asyncio.gather(
            *(bus.publish(subjects.result(f"g{n}"), BODY) for n in range(start, start + CONCURRENT))
        )
    print_rate(f"publish, {CONCURRENT} at a time", count, time.perf_counter() - started)


async def measure_worker(bus: Bus, count: int, keyed: bool) -> None:
    """Measure a worker whose handler only counts messages."""
    done = asyncio.Event()
    total = 0

    async def handle(_: Delivery) -> None:
        nonlocal total
        total += 1
        if total == count:
            done.set()

    for start in range(0, count, BATCH):
        await bus.publish_all(
            [
                Outgoing(subjects.work_queue(f"t{n % 500}", "gateway"), BODY)
                for n in range(start, start + BATCH)
            ],
            deadline_s=60,
        )
    cpu, started = time.process_time(), time.perf_counter()
    async with Worker(bus, "gateway", handle, jobs=256, keyed=keyed):
        async with asyncio.timeout(120):
            await done.wait()
        duration_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    print_rate(f"worker{', keyed' if keyed else ''}: deliver, handle, ack", count, duration_s)
    print(f"{'':<44} {cpu_s / count * 1e6:>9.0f} µs of our CPU for each")


async def main(sync: str, count: int) -> None:
    """Run all measurements and print the results."""
    async with (
        EmbeddedServer(sync_interval=sync) as server,
        await Bus.connect(BusSettings(url=server.url), name="bench") as bus,
    ):
        await bus.ensure()
        print(f"sync_interval {sync}, {count} repetitions, bodies of {len(BODY)} bytes, {event_loop_name()}")
        await measure_writes_and_reads(bus, count)
        await measure_worker(bus, count * 10, keyed=False)
        await measure_worker(bus, count * 10, keyed=True)


def event_loop_name() -> str:
    """Return the name of the running event loop's package."""
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sync", default="always", help="sync_interval of the broker: always, or 2m")
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--asyncio", action="store_true", help="without uvloop")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if options.asyncio:
        asyncio.run(main(options.sync, options.count))
    else:
        import uvloop

        uvloop.run(main(options.sync, options.count))
