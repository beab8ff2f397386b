"""The first claim of an effect wins for good."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.nats_server import restart
from warmxfer.bus import Bus, EmbeddedServer, Unavailable, claim_effect, subjects


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
