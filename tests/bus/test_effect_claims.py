"""The first claim of an effect wins for good."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.nats_server import restart
from warmxfer.bus import Bus, EmbeddedServer, Unavailable, claim_effect, subjects


async def test_the_first_to_claim_owns_the_effect(bus: Bus, transfer_id: str) -> None:
    first = await claim_effect(bus, transfer_id, "dial", b"me")
    second = await claim_effect(bus, transfer_id, "dial", b"you")
    assert first.granted
    assert not second.granted
    assert (second.data, second.at) == (b"me", first.at)


async def test_of_many_at_once_exactly_one_owns_it(bus: Bus, transfer_id: str) -> None:
    claims = await asyncio.gather(*(claim_effect(bus, transfer_id, "dial", b"%d" % n) for n in range(20)))
    owners = [n for n, one in enumerate(claims) if one.granted]
    assert len(owners) == 1
    assert {one.data for one in claims} == {b"%d" % owners[0]}
    assert len({one.at for one in claims}) == 1


async def test_another_effect_is_another_claim(bus: Bus, transfer_id: str) -> None:
    assert (await claim_effect(bus, transfer_id, "dial", b"me")).granted
    assert (await claim_effect(bus, transfer_id, "switch", b"you")).granted


async def test_a_claim_that_was_doubtful_recognises_itself(bus: Bus, transfer_id: str) -> None:
    await bus.publish(subjects.effect_claim(transfer_id, "dial"), b"token-1", expect_last=0)
    assert (await claim_effect(bus, transfer_id, "dial", b"token-1")).granted


async def test_a_claim_survives_a_killed_broker(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    assert (await claim_effect(fresh_bus, transfer_id, "dial", b"me")).granted
    await restart(fresh_server, kill=True)
    later = await claim_effect(fresh_bus, transfer_id, "dial", b"you", deadline_s=10)
    assert (later.granted, later.data) == (False, b"me")


async def test_without_a_broker_nobody_owns_anything(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    await fresh_server.stop(kill=True)
    with pytest.raises(Unavailable):
        await claim_effect(fresh_bus, transfer_id, "dial", b"me", deadline_s=0.3)
