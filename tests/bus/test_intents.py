"""An effect at the provider belongs to whoever claimed it first, for good."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.bus import Bus, EmbeddedServer, Unavailable, claim, subjects

from ..nats_server import restart


async def test_the_first_to_claim_owns_the_effect(bus: Bus, transfer_id: str) -> None:
    first = await claim(bus, transfer_id, "dial", b"me")
    second = await claim(bus, transfer_id, "dial", b"you")
    assert first.mine
    assert not second.mine
    assert (second.data, second.at) == (b"me", first.at)


async def test_of_many_at_once_exactly_one_owns_it(bus: Bus, transfer_id: str) -> None:
    claims = await asyncio.gather(*(claim(bus, transfer_id, "dial", b"%d" % n) for n in range(20)))
    owners = [n for n, one in enumerate(claims) if one.mine]
    assert len(owners) == 1
    assert {one.data for one in claims} == {b"%d" % owners[0]}
    assert len({one.at for one in claims}) == 1


async def test_another_effect_is_another_claim(bus: Bus, transfer_id: str) -> None:
    assert (await claim(bus, transfer_id, "dial", b"me")).mine
    assert (await claim(bus, transfer_id, "switch", b"you")).mine


async def test_a_claim_that_was_doubtful_recognises_itself(bus: Bus, transfer_id: str) -> None:
    await bus.publish(subjects.intent(transfer_id, "dial"), b"token-1", expect_last=0)
    assert (await claim(bus, transfer_id, "dial", b"token-1")).mine


async def test_a_claim_survives_a_killed_broker(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    assert (await claim(fresh_bus, transfer_id, "dial", b"me")).mine
    await restart(fresh_server, kill=True)
    later = await claim(fresh_bus, transfer_id, "dial", b"you", deadline_s=10)
    assert (later.mine, later.data) == (False, b"me")


async def test_without_a_broker_nobody_owns_anything(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    await fresh_server.stop(kill=True)
    with pytest.raises(Unavailable):
        await claim(fresh_bus, transfer_id, "dial", b"me", deadline_s=0.3)
