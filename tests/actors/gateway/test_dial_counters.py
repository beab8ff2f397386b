"""Limits of dials: counted once for all gateways, kept over restarts, refused with a sentence."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from warmxfer.actors.gateway.dial_counters import DialCounters
from warmxfer.actors.gateway.dial_limits import DialCount, DialLimits, PendingCalls, minute_of
from warmxfer.bus import BrokerClock, Bus, BusSettings, InvalidRequest, RetryableError, Unavailable, subjects
from warmxfer.schemas import (
    CallEnded,
    CommandFailed,
    DialSupervisor,
    FailureKind,
    SIPDestination,
    SupervisorDialed,
    decode_as,
    encode,
)

from .gateway_fixture import OUR_NUMBER, SUPERVISOR, GatewayHarness

ALL_DIALS = "wx.dial.>"
ROOM = "caller-room"


def to(number: str = SUPERVISOR) -> SIPDestination:
    return SIPDestination("rr", number, OUR_NUMBER)


async def forget(bus: Bus) -> None:
    """Lose every count, as if the stream had been purged."""
    await bus._connection.api(f"STREAM.PURGE.{subjects.EVENTS}", {"filter": ALL_DIALS})


# ── the counts, pure ─────────────────────────────────────────────────────────────────────────────


def test_a_count_forgets_what_is_older_than_its_span() -> None:
    count = DialCount({10: 2, 40: 1, 70: 3})
    assert count.recent(70, 60) == count
    assert count.recent(71, 60) == DialCount({40: 1, 70: 3})
    assert count.recent(71, 60).total == 4
    assert DialCount({70: 3}).with_one(70).with_one(71) == DialCount({70: 4, 71: 1})


def test_a_count_says_when_the_oldest_dial_is_free() -> None:
    count = DialCount({10: 2, 40: 1})
    assert count.free_in(40, 60) == 31
    assert count.recent(40 + 31, 60).total < count.total
    assert count.recent(40 + 30, 60).total == count.total


def test_a_pending_call_is_known_by_its_name() -> None:
    pending = PendingCalls().with_call("a", 5).with_call("b", 9).with_call("a", 6)
    assert pending.without_call("a") == pending.without_call("a").without_call("a") == PendingCalls({"b": 9})
    assert pending.recent(20, 12) == PendingCalls({"b": 9})


def test_a_sandbox_has_no_limits_unless_they_are_set() -> None:
    assert DialLimits.from_env({}, sandbox=True) == DialLimits()
    assert DialLimits.from_env({"WARMXFER_DIAL_PENDING": "3"}, sandbox=True) == DialLimits(pending=3)
    assert DialLimits.from_env({}, sandbox=False) == DialLimits(1_000, 100, 10, 200)
    with pytest.raises(InvalidRequest, match=r"^WARMXFER_DIAL_PENDING is '5001'; .* from 1 to 5000"):
        DialLimits.from_env({"WARMXFER_DIAL_PENDING": "5001"}, sandbox=True)


# ── the counters of two gateways ─────────────────────────────────────────────────────────────────


def counters(bus: Bus, minute: float = 0.0, **limits: int) -> DialCounters:
    """Return the counters of one gateway whose clock shows a minute of its own."""
    clock = BrokerClock(lambda: minute * 60)
    clock.observe(minute * 60)
    return DialCounters(bus, clock, DialLimits(**limits))


async def attempts(
    bus: Bus, n: int, *gateways: DialCounters, number: str = SUPERVISOR, room: str = ""
) -> int:
    """Let `n` transfers dial at once, each at one of the gateways; return how many were allowed."""

    async def one(place: int) -> bool:
        try:
            await gateways[place % len(gateways)].take(
                f"t-{secrets.token_hex(4)}", 1, to(number), room or secrets.token_hex(4)
            )
        except InvalidRequest:
            return False
        return True

    return sum(await asyncio.gather(*(one(place) for place in range(n))))


@pytest.mark.parametrize("limit", ["per_hour", "per_destination", "per_room", "pending"])
async def test_two_gateways_at_once_allow_no_more_than_the_limit(fresh_bus: Bus, limit: str) -> None:
    async with await Bus.connect(BusSettings(url=fresh_bus.settings.url), name="other") as other:
        gateways = counters(fresh_bus, **{limit: 5}), counters(other, **{limit: 5})
        assert await attempts(fresh_bus, 20, *gateways, room=ROOM) == 5
        assert await attempts(fresh_bus, 4, counters(other, **{limit: 5}), room=ROOM) == 0, "after a restart"


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (
            "per_hour",
            "2 calls were dialled by this deployment in the last hour, and WARMXFER_DIAL_PER_HOUR is 2; "
            "try again in 61 minutes, or raise it.",
        ),
        (
            "per_destination",
            "2 calls were dialled to '+•••••••••10' in the last hour, and "
            "WARMXFER_DIAL_PER_DESTINATION is 2; try again in 61 minutes, or raise it.",
        ),
        (
            "per_room",
            "2 calls were dialled for this caller's room in the last hour, and WARMXFER_DIAL_PER_ROOM is 2; "
            "try again in 61 minutes, or raise it.",
        ),
        (
            "pending",
            "2 calls ring or are consulted, and WARMXFER_DIAL_PENDING is 2; "
            "try again when one of them is over, or raise it.",
        ),
    ],
)
async def test_a_limit_refuses_with_its_sentence(fresh_bus: Bus, limit: str, sentence: str) -> None:
    gateway = counters(fresh_bus, **{limit: 2})
    assert await attempts(fresh_bus, 2, gateway, room=ROOM) == 2
    with pytest.raises(InvalidRequest) as refused:
        await gateway.take("t-3", 1, to(), ROOM)
    assert str(refused.value) == sentence
    assert refused.value.field in sentence


async def test_other_destinations_and_rooms_have_counts_of_their_own(fresh_bus: Bus) -> None:
    gateway = counters(fresh_bus, per_destination=1, per_room=1)
    assert await attempts(fresh_bus, 2, gateway) == 1
    assert await attempts(fresh_bus, 2, gateway, number="+14155550101", room=ROOM) == 1
    assert await attempts(fresh_bus, 1, gateway, number="+14155550102", room=ROOM) == 0
    assert await attempts(fresh_bus, 1, gateway, number="+14155550103", room="another") == 1


async def test_a_limit_allows_again_after_an_hour(fresh_bus: Bus) -> None:
    assert await attempts(fresh_bus, 3, counters(fresh_bus, 1_000, per_hour=2)) == 2
    assert await attempts(fresh_bus, 3, counters(fresh_bus, 1_060, per_hour=2)) == 0
    assert await attempts(fresh_bus, 3, counters(fresh_bus, 1_061, per_hour=2)) == 2


async def test_a_pending_call_that_no_gateway_ended_stops_counting(fresh_bus: Bus) -> None:
    assert await attempts(fresh_bus, 2, counters(fresh_bus, 1_000, pending=1)) == 1
    assert await attempts(fresh_bus, 2, counters(fresh_bus, 1_180, pending=1)) == 0
    assert await attempts(fresh_bus, 2, counters(fresh_bus, 1_181, pending=1)) == 1


async def test_the_end_of_a_call_makes_room_for_one_and_only_one(fresh_bus: Bus) -> None:
    gateway = counters(fresh_bus, pending=2)
    await gateway.take("t-1", 1, to(), ROOM)
    await gateway.take("t-2", 1, to(), ROOM)
    for _ in range(3):
        await gateway.end("t-1", 1)
    await gateway.end("t-never-dialled", 1)
    assert await attempts(fresh_bus, 3, gateway) == 1


async def test_a_dial_that_a_limit_refused_is_not_pending(fresh_bus: Bus) -> None:
    gateway = counters(fresh_bus, pending=5, per_hour=1)
    assert await attempts(fresh_bus, 4, gateway) == 1
    stored = await fresh_bus.get_last(subjects.dial_count("pending"))
    assert stored is not None
    assert len(decode_as(PendingCalls, stored.data).calls) == 1


async def test_a_lost_count_begins_again(fresh_bus: Bus) -> None:
    gateway = counters(fresh_bus, per_hour=2)
    assert await attempts(fresh_bus, 3, gateway) == 2
    await forget(fresh_bus)
    assert await attempts(fresh_bus, 3, gateway) == 2


async def test_a_count_that_cannot_be_read_is_a_lost_one(fresh_bus: Bus) -> None:
    await fresh_bus.publish(subjects.dial_count("all"), b"[]")
    assert await attempts(fresh_bus, 3, counters(fresh_bus, per_hour=2)) == 2


async def test_a_stale_read_takes_no_dial_too_many(fresh_bus: Bus) -> None:
    gateway = counters(fresh_bus, per_hour=2)
    assert await attempts(fresh_bus, 2, gateway) == 2

    class Stale(Bus):
        async def get_last(self, subject: str, *, deadline_s: float = 1.0) -> None:
            return None

    stale = Stale(fresh_bus._connection)
    with pytest.raises(RetryableError):
        await counters(stale, per_hour=2).take("t-3", 1, to(), ROOM)
    stored = await fresh_bus.get_last(subjects.dial_count("all"))
    assert stored is not None
    assert decode_as(DialCount, stored.data).total == 2


async def test_no_number_stands_in_a_subject(fresh_bus: Bus) -> None:
    gateway = counters(fresh_bus, per_hour=9, per_destination=9, per_room=9, pending=9)
    await gateway.take("t-1", 1, to(), ROOM)
    await gateway.take_rescue(to())
    stored = await fresh_bus.history(ALL_DIALS, 20, stream=subjects.EVENTS)
    assert len({each.subject for each in stored}) == 6
    assert not [
        each for each in stored if SUPERVISOR[1:] in each.subject or SUPERVISOR[1:].encode() in each.data
    ]


async def test_calls_do_not_use_up_what_rescues_need(fresh_bus: Bus) -> None:
    gateway = counters(fresh_bus, per_hour=1, per_destination=1)
    assert await attempts(fresh_bus, 2, gateway) == 1
    await gateway.take_rescue(to())
    with pytest.raises(InvalidRequest, match="WARMXFER_DIAL_PER_DESTINATION is 1"):
        await gateway.take_rescue(to())


async def test_the_end_of_a_call_never_fails_for_a_broker_that_is_away(fresh_bus: Bus) -> None:
    class Away(Bus):
        async def get_last(self, subject: str, *, deadline_s: float = 1.0) -> None:
            raise Unavailable("The broker does not answer")

    away = Away(fresh_bus._connection)
    await counters(away, pending=1).end("t-1", 1)
    with pytest.raises(Unavailable):
        await counters(away, pending=1).take("t-1", 1, to(), ROOM)


def test_the_minute_of_a_moment() -> None:
    assert (minute_of(59.9), minute_of(60.0)) == (0, 1)
    assert decode_as(DialCount, encode(DialCount({7: 2}))) == DialCount({7: 2})


# ── gateways ─────────────────────────────────────────────────────────────────────────────────────


@pytest_asyncio.fixture(loop_scope="session")
async def counting(idle_harness: GatewayHarness) -> AsyncIterator[GatewayHarness]:
    """A harness without a gateway, at a broker without counts."""
    await forget(idle_harness.bus)
    yield idle_harness
    await forget(idle_harness.bus)


def another(harness: GatewayHarness) -> GatewayHarness:
    """Return the harness of another transfer at the same gateways."""
    return dataclasses.replace(harness, id=f"t-{secrets.token_hex(6)}", commands=0, gateways=[])


def dial(harness: GatewayHarness, room: str) -> DialSupervisor:
    return DialSupervisor(
        attempt=1,
        room_id=room,
        participant_id=harness.supervisor,
        ringing_timeout_s=30,
        destination=to(),
        caller_room_id=ROOM,
        **harness.within(),
    )


async def dial_at_once(harness: GatewayHarness, n: int) -> tuple[list[SupervisorDialed], list[CommandFailed]]:
    """Dial for `n` transfers at once; return the replies."""
    transfers, room = [another(harness) for _ in range(n)], await harness.cloud.open_room()
    orders = [dial(each, room) for each in transfers]
    await asyncio.gather(*(each.send(order) for each, order in zip(transfers, orders, strict=True)))
    replies = await asyncio.gather(
        *(each.reply(order) for each, order in zip(transfers, orders, strict=True))
    )
    dialled = [each for each in replies if isinstance(each, SupervisorDialed)]
    return dialled, [each for each in replies if isinstance(each, CommandFailed)]


@pytest.mark.parametrize(
    "variable",
    [
        "WARMXFER_DIAL_PER_HOUR",
        "WARMXFER_DIAL_PER_DESTINATION",
        "WARMXFER_DIAL_PER_ROOM",
        "WARMXFER_DIAL_PENDING",
    ],
)
async def test_two_gateways_dial_no_more_than_the_limit(counting: GatewayHarness, variable: str) -> None:
    for _ in range(2):
        counting.start(**{variable: "3"})
    dialled, refused = await dial_at_once(counting, 8)
    assert (len(dialled), len(refused)) == (3, 5)
    assert {each.failure for each in refused} == {FailureKind.REFUSED}
    assert all(f"{variable} is 3; try again" in each.detail for each in refused)
    assert len(await counting.executed("dial")) == 3


async def test_a_limit_holds_over_a_killed_gateway(counting: GatewayHarness) -> None:
    async with counting.process(WARMXFER_DIAL_PER_DESTINATION="2") as first:
        dialled, _ = await dial_at_once(counting, 1)
        assert len(dialled) == 1
        first.kill()
        await first.wait()
    counting.start(WARMXFER_DIAL_PER_DESTINATION="2")
    dialled, refused = await dial_at_once(counting, 3)
    assert (len(dialled), len(refused)) == (1, 2)


async def test_a_command_that_is_delivered_again_is_counted_once(counting: GatewayHarness) -> None:
    counting.start(WARMXFER_DIAL_PER_HOUR="2")
    transfer, room = another(counting), await counting.cloud.open_room()
    order = dial(transfer, room)
    for _ in range(4):
        await transfer.execute(order, SupervisorDialed)
    await transfer.all_handled()
    dialled, _ = await dial_at_once(counting, 1)
    assert len(dialled) == 1


async def test_a_dial_that_a_limit_refused_never_happens_later(counting: GatewayHarness) -> None:
    """The coordinator was told that it was not done, so a redelivery must not do it after all."""
    counting.start(WARMXFER_DIAL_PENDING="1")
    first, late, room = another(counting), another(counting), await counting.cloud.open_room()
    dialed = await first.execute(dial(first, room), SupervisorDialed)
    order = dial(late, room)
    assert (await late.execute(order, CommandFailed)).failure is FailureKind.REFUSED
    await first.execute(first.end(room, dialed.call_id), CallEnded)
    again = dataclasses.replace(late, commands=late.commands)
    repeat = DialSupervisor(**{**_fields(order), "command_id": f"{late.id}-again"})
    reply = await again.execute(repeat, CommandFailed)
    assert reply.detail == "This dial was refused earlier."
    assert len(await counting.executed("dial")) == 1


async def test_a_call_is_pending_until_it_ends(counting: GatewayHarness) -> None:
    counting.start(WARMXFER_DIAL_PENDING="1")
    first, room = another(counting), await counting.cloud.open_room()
    dialed = await first.execute(dial(first, room), SupervisorDialed)
    _, refused = await dial_at_once(counting, 1)
    assert len(refused) == 1
    await first.execute(first.end(room, dialed.call_id), CallEnded)
    dialled, _ = await dial_at_once(counting, 1)
    assert len(dialled) == 1


async def test_a_dial_that_the_provider_refused_is_not_pending(counting: GatewayHarness) -> None:
    counting.start(WARMXFER_DIAL_PENDING="1")
    transfer = another(counting)
    assert (await transfer.execute(dial(transfer, "none-such-room"), CommandFailed)).status == 404
    dialled, _ = await dial_at_once(counting, 1)
    assert len(dialled) == 1


def _fields(order: DialSupervisor) -> dict[str, object]:
    return {name: getattr(order, name) for name in order.__struct_fields__}
