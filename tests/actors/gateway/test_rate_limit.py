"""The provider's rate limit at real gateways: who goes first, who shares it, and what is said about it."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import UNSET

from tests.testkit.waiting import until
from warmxfer.actors.common.capacity import LIVE_S, RoleCapacity
from warmxfer.actors.gateway.rate_sharing import LiveGateways
from warmxfer.bus import subjects
from warmxfer.schemas import (
    CallEnded,
    CommandFailed,
    CreateRoom,
    FailureKind,
    RoomCreated,
    SupervisorDialed,
    decode_as,
)

from .gateway_fixture import GatewayHarness


async def test_clean_up_goes_before_new_rooms_and_late_replies_say_how_long_they_waited(
    idle_harness: GatewayHarness,
) -> None:
    harness = idle_harness
    room = await harness.cloud.open_room()
    rooms = [CreateRoom(key=f"{harness.id}-{n}", **harness.within(40.0)) for n in range(8)]
    end = harness.end(room, call_id="no-such-call")
    for command in rooms:
        await harness.send(command)
    await harness.send(end)
    harness.start(WARMXFER_PROVIDER_RATE="4", WARMXFER_GATEWAY_JOBS="4")
    assert isinstance(await harness.reply(end, 40.0), CallEnded)
    replies = [await harness.reply(command, 40.0) for command in rooms]
    assert [type(reply) for reply in replies] == [RoomCreated] * 8
    ended_at = await harness.reply_at(end)
    assert sum([await harness.reply_at(command) < ended_at for command in rooms]) <= 5
    waits = [reply.rate_wait_s for reply in replies if isinstance(reply, RoomCreated)]
    noted = [wait_s for wait_s in waits if wait_s is not UNSET]
    assert noted
    assert min(noted) >= 0.5


async def test_a_dial_waits_for_its_turn_before_its_claim(idle_harness: GatewayHarness) -> None:
    harness = idle_harness
    harness.start(WARMXFER_PROVIDER_RATE="0.2")
    room = await harness.cloud.open_room()
    # The gateway's start took the first turn, to check its credentials. The next one is 5 s later.
    dial = harness.dial(room, within_s=30.0)
    reply = await harness.execute(dial, SupervisorDialed, 40.0)
    assert reply.rate_wait_s is not UNSET
    claim = await harness.claimed("dial-1")
    assert await harness.reply_at(dial) - claim.at < 3.0, "the dial waited after its claim"


async def test_a_dial_without_a_turn_in_time_is_refused_and_never_claimed(
    idle_harness: GatewayHarness,
) -> None:
    harness = idle_harness
    harness.start(WARMXFER_PROVIDER_RATE="0.1")
    room = await harness.cloud.open_room()
    # The gateway's start took the first turn, to check its credentials.
    reply = await harness.execute(harness.dial(room, within_s=3.0), CommandFailed)
    assert reply.failure is FailureKind.REFUSED
    assert "WARMXFER_PROVIDER_RATE" in reply.detail
    assert await harness.bus.get_last(subjects.effect_claim(harness.id, "dial-1")) is None
    assert await harness.executed("dial") == []


async def test_gateways_announce_equal_shares_and_the_rest_when_one_stops(
    idle_harness: GatewayHarness,
) -> None:
    harness, shares = idle_harness, dict[str, float]()

    async def follow() -> None:
        async with harness.bus.subscribe(subjects.capacity("gateway")) as announcements:
            async for message in announcements:
                capacity = decode_as(RoleCapacity, message.data)
                if capacity.live:
                    shares[capacity.instance] = capacity.rate_per_s
                else:
                    shares.pop(capacity.instance, None)

    following = asyncio.create_task(follow())
    try:
        for _ in range(2):
            harness.start(WARMXFER_PROVIDER_RATE="10")
        await until(lambda: sorted(shares.values()) == [5.0, 5.0])
        harness.gateways.pop().cancel()
        await until(lambda: list(shares.values()) == [10.0])
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize(
    ("heard", "live"),
    [
        ([], 1),
        ([("b", 0.0, True)], 2),
        ([("own", 0.0, True)], 1),
        ([("own", 0.0, True), ("b", 0.0, True), ("c", 0.0, True)], 3),
        ([("b", 0.0, True), ("b", 1.0, False)], 1),
        ([("b", 0.0, True), ("own", LIVE_S, True)], 2),
        ([("b", 0.0, True), ("own", LIVE_S + 0.1, True)], 1),
    ],
)
def test_a_gateway_counts_those_that_announce_themselves(
    heard: list[tuple[str, float, bool]], live: int
) -> None:
    gateways, count = LiveGateways("own"), 1
    for instance, at, is_live in heard:
        count = gateways.heard(RoleCapacity(instance, 1, live=is_live), at)
    assert count == live
