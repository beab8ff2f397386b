"""The simulated broker does what a real one does, as far as the bus can tell.

Each script runs twice: over a real nats-server, and over the simulated broker without faults. What it returns
must be equal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from warmxfer.bus import (
    Bus,
    BusSettings,
    DeadLetter,
    Delivery,
    EmbeddedServer,
    InvalidRequest,
    LiveMessage,
    Outgoing,
    RetryableError,
    Stored,
    TransferLog,
    Worker,
    claim_effect,
    subjects,
    timers,
)
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.bus.subjects import CORE

from .loop import Process, spawn
from .patches import PATCHES, patched
from .processes import connect
from .world import World

EVENT = subjects.event("t", "gateway")
CLAIM = subjects.effect_claim("t", "dial-1")
"""Another subject of the same stream."""
ANY_EVENT = f"{EVENT.rpartition('.')[0]}.*"
ASK = subjects.ASK_ROOM_TOKEN
TIMER = "deadline"
PATIENCE_S = 20.0

Script = Callable[[Bus], Awaitable[Any]]


def simulated(script: Script) -> Any:
    """Return what `script` returns over the simulated broker."""
    with patched():
        world = PATCHES.world = World(1)
        world.faults.stopped = True
        world.streams.on_stored = lambda stored: None
        world.streams.set_clustered(False)

        async def main() -> Any:
            async with await connect("test") as bus:
                await bus.ensure()
                return await script(bus)

        try:
            task = spawn(world.loop, Process("test", "user"), main(), "test")
            result = world.loop.run_until_complete(task)
        finally:
            world.over = True
            world.loop.abandon()
            world.loop.close()
    assert world.problems == []
    return result


async def kind_of_error(work: Awaitable[object]) -> str:
    """Return the class of the error that `work` raises."""
    try:
        await work
    except Exception as error:
        return type(error).__name__
    return "none"


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():
            await asyncio.sleep(0.02)


def shown(stored: Stored | None, first: int) -> Any:
    """Return a stored message with its number counted from `first`."""
    if stored is None:
        return None
    headers = {name: value for name, value in stored.headers.items() if not name.startswith("Nats-Expected")}
    return stored.subject, stored.seq - first, stored.data, headers, stored.at > 1e9


async def writes(bus: Bus) -> Any:
    first = await bus.publish(EVENT, b"1", msg_id="m1")
    numbers = [
        await bus.publish(EVENT, b"1", msg_id="m1"),
        await bus.publish(EVENT, b"2", msg_id="m2", headers={"X-A": "b"}),
        await bus.publish(EVENT, b"3", msg_id="m3", expect_last=first + 1),
        *await bus.publish_all(
            [Outgoing(EVENT, b"4", "m4"), Outgoing(CLAIM, b"5"), Outgoing(EVENT, b"1", "m1")]
        ),
    ]
    errors = [
        await kind_of_error(bus.publish(EVENT, b"3", msg_id="m3", expect_last=first + 1)),
        await kind_of_error(bus.publish(EVENT, b"6", expect_last=0)),
        await kind_of_error(bus.publish(EVENT, b"6", expect_last=first)),
        await kind_of_error(bus.publish(CLAIM, b"other data", msg_id="m3", expect_last=first + 4)),
        await kind_of_error(bus.publish(EVENT, b"x" * 200_000)),
        await kind_of_error(bus.publish(EVENT, b"x" * 2_000_000)),
    ]
    return [number - first for number in numbers], errors


async def reads(bus: Bus) -> Any:
    first = await bus.publish(EVENT, b"1", msg_id="m1", headers={"X-A": "b"})
    await bus.publish(CLAIM, b"2", msg_id="m2")
    await bus.publish(EVENT, b"", msg_id="m3")
    found = [
        await bus.get_last(EVENT),
        await bus.get_last(ANY_EVENT),
        await bus.get_last(subjects.event("other", "gateway")),
        await bus.get_last_from_leader(CLAIM),
        await bus.get_last_from_leader(ANY_EVENT),
        await bus.get_last_from_leader(subjects.event("other", "gateway")),
        *await bus.history(EVENT, 10),
        *await bus.history(subjects.for_actors("t"), 2, stream=subjects.EVENTS),
        *await bus.history(subjects.for_actors("t"), 10, after=first, stream=subjects.EVENTS),
        *await bus.history(subjects.event("other", "gateway"), 10),
    ]
    return [shown(each, first) for each in found]


async def transformed(bus: Bus) -> Any:
    """The broker stores a request on the subject of its partition; the bus reads it by the user's subject."""
    subject = subjects.request("t")
    first = await bus.publish(subject, b"1", msg_id="m1", expect_last=0)
    errors = [
        await kind_of_error(bus.publish(subject, b"2", expect_last=0)),
        await kind_of_error(bus.publish(subject, b"2", msg_id="m1", expect_last=first)),
    ]
    again = await bus.publish(subject, b"1", msg_id="m1")
    await bus.publish(subjects.cancel("t"), b"3")
    found = [
        await bus.get_last(subject),
        await bus.get_last_from_leader(subject),
        *await bus.history(subject, 10),
        *await bus.history("warmxfer.*.cancel", 10),
    ]
    shown_by = [(each.subject, each.data) for each in found if each is not None]
    return again - first, errors, shown_by


async def session_subjects(bus: Bus) -> Any:
    """A session reads its newest command, of whatever transfer, by one literal subject."""
    subject = subjects.session_commands("room")
    await bus.publish(subject, b"1", msg_id="a")
    await bus.publish(subject, b"2", msg_id="b")
    newest = await bus.get_last(subject)
    assert newest is not None
    tail = await TransferLog(bus).since("t", 0, (subject,))
    return newest.data, tail.ids


async def removals(bus: Bus) -> Any:
    """What an archived transfer leaves: the last record of its log, which expires, and what came later."""
    log, own = TransferLog(bus), subjects.for_actors("t")
    first = await log.append("t", b"1", 0, "t:1")
    await bus.publish_all(
        [
            Outgoing(subjects.phase("t"), b"p", "p"),
            timers.schedule("t", "archive", 4e9, b"d", msg_id="s"),
            Outgoing(subjects.work_queue("t", "gateway"), b"c", "c"),
        ]
    )
    await bus.publish(EVENT, b"e", msg_id="e")
    last = await log.append("t", b"2", first, "t:2", subjects.timer("t", "archive"), last=True)
    await bus.publish(subjects.timeout("t"), b"late", msg_id="late")
    stale = await kind_of_error(log.append("t", b"3", first, "t:3"))
    fresh = await kind_of_error(log.append("t", b"3", 0, "t:4"))
    purged = [
        await bus.purge(CORE, own, before=last),
        await bus.purge(CORE, own, before=last),
        await bus.purge(subjects.EVENTS, own),
        await bus.purge(subjects.PUBLIC, subjects.for_users("t")),
    ]
    left = [shown(each, first) for each in await bus.history(own, 10, stream=CORE)]
    late = await bus.get_last(subjects.timeout("t"))
    assert late is not None
    for _ in range(2):
        await bus.delete(CORE, late.seq)
    for body in (b"a", b"b"):
        await bus.publish(subjects.archived("t"), body)
    archived = [each.data for each in await bus.history(subjects.ANY_ARCHIVED, 10)]
    await bus.publish(subjects.notice("t"), b"n", headers={"Nats-TTL": "1s"})
    await until(lambda: _is_gone(bus, subjects.notice("t")))
    return stale, fresh, purged, left, await bus.get_last(subjects.timeout("t")), archived


async def _is_gone(bus: Bus, subject: str) -> bool:
    return await bus.get_last(subject) is None


async def many_reads(bus: Bus) -> Any:
    """More messages than one batch of a history holds."""
    await bus.publish_all([Outgoing(EVENT, b"%d" % n) for n in range(600)])
    return [int(each.data) for each in await bus.history(EVENT, 550)]


async def timers_fire_and_are_cancelled(bus: Bus) -> Any:
    first = await bus.publish(subjects.consult("t"), b"now")
    stored = await bus.get_last(subjects.consult("t"))
    assert stored is not None
    counts = []
    for id, due_at in (("a", stored.at + 0.3), ("b", stored.at + 3_000), ("b", stored.at + 3_600)):
        await bus.publish_all([timers.schedule(id, TIMER, due_at, b"due", msg_id=f"{id}{due_at}")])
        counts.append(await bus.count(subjects.any_timer(TIMER)))

    async def fired() -> bool:
        return await bus.get_last(subjects.timeout("a")) is not None

    await until(fired)
    counts.append(await bus.count(subjects.any_timer(TIMER)))
    log = TransferLog(bus)
    await log.append("b", b"record", 0, "r1", subjects.timer("b", TIMER))
    counts.append(await bus.count(subjects.any_timer(TIMER)))
    tail = await log.since("b", first, (subjects.for_actors("b"), subjects.for_users("b")))
    entry = await log.get_last("b")
    assert entry is not None
    return counts, tail.ids, tail.followed, await log.contains("b", "r1", entry.seq), entry.data, entry.msg_id


async def requests(bus: Bus) -> Any:
    async def reply(request: LiveMessage) -> bytes:
        if request.data == b"bad":
            raise InvalidRequest("the request is bad")
        if request.data == b"busy":
            raise RetryableError("try later")
        return b"re: " + request.data

    errors = [await kind_of_error(bus.request(ASK, b"", 2.0))]
    async with bus.serve(ASK, reply, queue="gateway"), bus.serve(ASK, reply, queue="gateway"):
        answer = await bus.request(ASK, b"hello", 2.0)
        errors += [await kind_of_error(bus.request(ASK, data, 2.0)) for data in (b"bad", b"busy")]
    return answer, errors


async def live_messages(bus: Bus) -> Any:
    got: list[tuple[str, bytes]] = []
    async with bus.subscribe("warmxfer.*.phase") as all_phases, bus.subscribe(subjects.phase("t")) as phases:
        await bus.publish(subjects.phase("t"), b"1")
        await bus.publish(subjects.phase("u"), b"2")
        await bus.publish(EVENT, b"3")
        await kind_of_error(bus.publish(subjects.phase("t"), b"rejected", expect_last=0))
        for subscription, count in ((all_phases, 3), (phases, 2)):
            for _ in range(count):
                message = await subscription.next(PATIENCE_S)
                assert message is not None
                got.append((message.subject, message.data))
    return got


async def deliveries(bus: Bus) -> Any:
    got: list[tuple[object, ...]] = []

    async def handle(delivery: Delivery) -> None:
        got.append(
            (delivery.transfer_id, delivery.rest, delivery.data, delivery.delivery_count, delivery.headers)
        )
        stored = await bus.get_last(delivery.subject)
        assert stored is not None
        assert (stored.seq, stored.at) == (delivery.seq, delivery.at)
        if delivery.data == b"late" and delivery.delivery_count < 3:
            raise RetryableError("try later")
        if delivery.data == b"dead":
            raise DeadLetter("can never be handled")

    async def handled() -> bool:
        info = await bus._connection.api(f"CONSUMER.INFO.{CORE}.gateway")
        return len(got) == 5 and info["ack_floor"]["stream_seq"] >= last

    for id, data in (("a", b"once"), ("b", b"late"), ("c", b"dead")):
        last = await bus.publish(subjects.work_queue(id, "gateway"), data, msg_id=id)
    async with Worker(bus, "gateway", handle, jobs=1):
        await until(handled)
    dead = await bus.get_last(subjects.dead_letter("c"))
    return sorted(got, key=repr), dead is not None


async def lost_consumers(bus: Bus) -> Any:
    """A worker creates its consumer again, and handles what was stored meanwhile."""
    got: list[str] = []

    async def handle(delivery: Delivery) -> None:
        got.append(delivery.transfer_id)

    async def handled() -> bool:
        return got[-1:] == ["b"]

    async with Worker(bus, "gateway", handle, jobs=1):
        await bus.publish(subjects.work_queue("a", "gateway"), b"{}")
        while not got:
            await asyncio.sleep(0.02)
        await bus._connection.api(f"CONSUMER.DELETE.{CORE}.gateway")
        await bus.publish(subjects.work_queue("b", "gateway"), b"{}")
        await until(handled)
    return set(got)


async def one_worker_of_every_partition(bus: Bus) -> Any:
    """The coordinator's consumers: each message once, of whatever stream and partition."""
    got: list[tuple[str, str, bytes]] = []

    async def handle(delivery: Delivery) -> None:
        got.append((delivery.transfer_id, delivery.kind, delivery.data))

    async def handled() -> bool:
        return len(got) >= 120

    async with Worker(bus, "coordinator", handle, jobs=8, keyed=True):
        for n in range(40):
            await bus.publish(subjects.request(f"t{n}"), b"r")
            await bus.publish(subjects.event(f"t{n}", "primary"), b"e")
            await bus.publish(subjects.timeout(f"t{n}"), b"t")
        await until(handled)
    return sorted(got)


async def claims(bus: Bus) -> Any:
    first = await claim_effect(bus, "t", "dial", b"one")
    again = await claim_effect(bus, "t", "dial", b"one")
    other = await claim_effect(bus, "t", "dial", b"two")
    return [(each.granted, each.data, each.at == first.at) for each in (first, again, other)]


async def consumers(bus: Bus) -> Any:
    found = [
        await bus._connection.api(f"CONSUMER.INFO.{spec.stream}.{name}") for name, spec in CONSUMERS.items()
    ]
    missing = await kind_of_error(bus._connection.api(f"CONSUMER.INFO.{CORE}.nothing"))
    return [(each["name"], each["delivered"]["consumer_seq"]) for each in found], missing


@pytest.mark.parametrize(
    "script",
    [
        writes,
        reads,
        transformed,
        session_subjects,
        removals,
        many_reads,
        timers_fire_and_are_cancelled,
        requests,
        live_messages,
        deliveries,
        lost_consumers,
        one_worker_of_every_partition,
        claims,
        consumers,
    ],
)
def test_a_script_has_the_same_result_over_both_brokers(
    script: Script, real: Callable[[Script], Any]
) -> None:
    assert simulated(script) == real(script)


@pytest.fixture
def real() -> Callable[[Script], Any]:
    """Run a script over a real nats-server for this test only."""

    async def main(script: Script) -> Any:
        async with (
            EmbeddedServer() as server,
            await Bus.connect(BusSettings(url=server.url), name="test") as bus,
        ):
            await bus.ensure()
            return await script(bus)

    return lambda script: asyncio.run(main(script))
