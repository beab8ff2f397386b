"""The first claim of an effect wins for good."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tests.testkit.nats_server import restart
from warmxfer.bus import Bus, EmbeddedServer, StaleWrite, Stored, Unavailable, claim_effect, subjects
from warmxfer.bus.effect_claims import REREAD_S


async def test_the_first_claim_is_granted(bus: Bus, transfer_id: str) -> None:
    first = await claim_effect(bus, transfer_id, "dial", b"me")
    second = await claim_effect(bus, transfer_id, "dial", b"you")
    assert first.granted
    assert not second.granted
    assert (second.data, second.at) == (b"me", first.at)


async def test_one_of_many_concurrent_claims_is_granted(bus: Bus, transfer_id: str) -> None:
    claims = await asyncio.gather(*(claim_effect(bus, transfer_id, "dial", b"%d" % n) for n in range(20)))
    winners = [n for n, claim in enumerate(claims) if claim.granted]
    assert len(winners) == 1
    assert {claim.data for claim in claims} == {b"%d" % winners[0]}
    assert len({claim.at for claim in claims}) == 1


async def test_claims_of_different_effects_are_independent(bus: Bus, transfer_id: str) -> None:
    assert (await claim_effect(bus, transfer_id, "dial", b"me")).granted
    assert (await claim_effect(bus, transfer_id, "switch", b"you")).granted


async def test_a_claim_recognises_its_own_earlier_message(bus: Bus, transfer_id: str) -> None:
    await bus.publish(subjects.effect_claim(transfer_id, "dial"), b"token-1", expect_last=0)
    assert (await claim_effect(bus, transfer_id, "dial", b"token-1")).granted


async def test_a_claim_survives_a_killed_broker(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    assert (await claim_effect(fresh_bus, transfer_id, "dial", b"me")).granted
    await restart(fresh_server, kill=True)
    later = await claim_effect(fresh_bus, transfer_id, "dial", b"you", deadline_s=10)
    assert (later.granted, later.data) == (False, b"me")


async def test_without_a_broker_a_claim_is_unavailable(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    await fresh_server.stop(kill=True)
    with pytest.raises(Unavailable):
        await claim_effect(fresh_bus, transfer_id, "dial", b"me", deadline_s=0.3)


class LateReplica:
    """A bus whose replica answers a read with nothing, until it was asked `late` times."""

    def __init__(self, late: int, *, is_first: bool = True) -> None:
        self._late = late
        self._is_first = is_first
        self.deadlines_s: list[float] = []

    async def publish(self, *_: object, **__: object) -> int:
        if not self._is_first:
            raise StaleWrite("another claim was first")
        return 1

    async def get_last(self, subject: str, *, deadline_s: float) -> Stored | None:
        self.deadlines_s.append(deadline_s)
        return None if len(self.deadlines_s) <= self._late else Stored(subject, 1, 7.0, b"me")


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_claim_is_read_again_until_a_replica_has_it(is_first: bool) -> None:
    bus = LateReplica(2, is_first=is_first)
    claim = await claim_effect(cast(Any, bus), "t", "dial", b"me", deadline_s=60)
    assert (claim.granted, claim.at) == (True, 7.0)
    assert len(bus.deadlines_s) == 3


async def test_each_read_of_a_claim_may_take_the_time_that_is_left() -> None:
    """A read that ends too early makes a short outage an error, and the effect is tried again."""
    bus = LateReplica(1)
    await claim_effect(cast(Any, bus), "t", "dial", b"me", deadline_s=60)
    first_s, second_s = bus.deadlines_s
    assert 30 < second_s < first_s <= 60


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_claim_is_read_once_although_its_time_is_over(is_first: bool) -> None:
    """The write took all of the time. One read decides whether the effect was claimed."""
    found = LateReplica(0, is_first=is_first)
    assert (await claim_effect(cast(Any, found), "t", "dial", b"me", deadline_s=0)).granted
    assert found.deadlines_s == [REREAD_S]
    late = LateReplica(1, is_first=is_first)
    with pytest.raises(Unavailable, match="could not be read back"):
        await claim_effect(cast(Any, late), "t", "dial", b"me", deadline_s=0)
    assert late.deadlines_s == [REREAD_S]
