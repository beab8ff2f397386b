"""Helpers to run coordinators, to deliver one trigger to a coordinator, and to read the results."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from warmxfer.actors.coordinator import Coordinator, CoordinatorSettings, run
from warmxfer.actors.coordinator.state_machine import Record, Stage, decode_record, expand_log
from warmxfer.actors.coordinator.state_machine.state import wire_name
from warmxfer.bus import Bus, Delivery, Stored, subjects
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.bus.subjects import STREAMS
from warmxfer.schemas import AnyCommand, AnyEvent, Command, DeadlinePassed, encode

from .fake_actors import FakeActors, answers

SHORT_WINDOW_S = 0.2
PATIENCE_S = 30.0


class SimulatedCrash(Exception):
    """Stands for the death of the process at this point."""


def request(room_id: str, **config: object) -> bytes:
    destination = {"routing_rule_id": "rr_1", "sip_call_to": "+14155550101", "sip_call_from": "+14155550100"}
    return json.dumps({"room_id": room_id, "config": {"destination": destination, **config}}).encode()


@asynccontextmanager
async def running_coordinators(bus: Bus, processes: int = 1) -> AsyncIterator[None]:
    ready = [asyncio.Event() for _ in range(processes)]
    tasks = [asyncio.create_task(run(bus, CoordinatorSettings(), ready=each.set)) for each in ready]
    try:
        async with asyncio.timeout(PATIENCE_S):
            for each in ready:
                await each.wait()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def records(bus: Bus, id: str) -> list[Record]:
    return [decode_record(each.data) for each in await bus.history(subjects.log(id), 200)]


async def transitions(bus: Bus, id: str) -> list[Record]:
    """Return one record for each transition of the log: a stored record may have several."""
    return [*expand_log(await records(bus, id))]


async def run_until(bus: Bus, id: str, stage: Stage, unanswered: type[Command]) -> None:
    """Run transfer `id` until it is in `stage`, where a command of the type `unanswered` gets no reply."""

    def script(command: AnyCommand) -> list[AnyEvent]:
        return [] if isinstance(command, unanswered) else answers(command)

    async with running_coordinators(bus):
        running = asyncio.create_task(FakeActors(bus, id, script).run_transfer(request("room-a")))
        await until_waiting(bus, id, stage, unanswered)
        await until_all_handled(bus)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until_waiting(bus: Bus, id: str, stage: Stage, unanswered: type[Command]) -> None:
    """Return when transfer `id` is in `stage`, and awaits at most a reply to a command of this type."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            kept = await records(bus, id)
            kinds = {each.kind for each in kept[-1].state.pending.values()} if kept else set[str]()
            if kept and kept[-1].state.stage is stage and kinds <= {wire_name(unanswered)}:
                return
            await asyncio.sleep(0.02)


def delivery_of(stored: Stored, delivery_count: int) -> Delivery:
    """Return the delivery of a stored trigger."""
    address = subjects.parse(stored.subject)
    consumer = next(name for name, spec in CONSUMERS.items() if _matches(spec.filter, stored.subject))
    return Delivery(
        *address,
        stored.subject,
        stored.data,
        stored.seq,
        stored.at,
        delivery_count,
        stored.headers,
        consumer,
    )


def _matches(filter: str, subject: str) -> bool:
    pattern = filter.replace(".", r"\.").replace("*", "[^.]+").replace(">", ".+")
    return re.fullmatch(pattern, subject) is not None


async def last_delivery(bus: Bus, subject: str, delivery_count: int) -> Delivery:
    """Return the delivery of the last message on `subject`."""
    stored = await bus.get_last(subject)
    assert stored is not None
    return delivery_of(stored, delivery_count)


async def deliver(bus: Bus, coordinator: Coordinator, subject: str, delivery_count: int) -> None:
    """Deliver the last message on `subject`, with the given delivery count."""
    await coordinator.handle(await last_delivery(bus, subject, delivery_count))


async def until_stored(bus: Bus, subject: str) -> Stored:
    async with asyncio.timeout(PATIENCE_S):
        while (stored := await bus.get_last(subject)) is None:
            await asyncio.sleep(0.02)
    return stored


async def until_all_handled(bus: Bus) -> None:
    """Return when no message waits for a coordinator or is still being handled."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            queue = (await bus.diagnose()).queues["coordinator"]
            if queue is not None and queue.pending == queue.unacked == 0:
                return
            await asyncio.sleep(0.05)


async def let_archive_timer_fire(bus: Bus, id: str) -> None:
    """Publish now what the timer of the archiving of transfer `id` publishes at the end of its wait."""
    timer = subjects.timer(id, "archive")
    await until_stored(bus, timer)
    newest = await bus.get_last_from_leader(subjects.log(id))
    assert newest is not None
    due_at = decode_record(newest.data).state.archive_due_at
    assert due_at is not None
    await bus.purge(subjects.CORE, timer)
    await bus.publish(subjects.timeout(id), encode(DeadlinePassed(due_at=due_at)))


async def shorten_duplicate_window(bus: Bus) -> None:
    """Let the broker remember message ids for `SHORT_WINDOW_S` instead of two minutes."""
    connection = bus._connection
    for stream in STREAMS:
        config = (await connection.api(f"STREAM.INFO.{stream}"))["config"]
        shorter = {**config, "duplicate_window": int(SHORT_WINDOW_S * 1e9)}
        await connection.api(f"STREAM.UPDATE.{stream}", shorter)
