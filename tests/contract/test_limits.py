"""The contract, section 8: what the cloud has no room for is asked again later, and executed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from warmxfer.adapters.telephony import Provider, RateLimited, Rejected

from .cloud import Cloud, new_key
from .phone import Phone
from .sandbox_admin import Hand

DIAL = {"method": "POST", "path": "/v2/sip/call"}
LIST = {"method": "GET", "path": "/v2/sip/call"}
ROOMS = {"method": "POST", "path": "/v2/rooms"}
PROVIDER_TIMEOUT_S = 29.0
FAR_BELOW_ITS_TIMEOUT_S = 10.0
"""A provider that waits until its timeout takes three times as long, however busy the machine is."""


@pytest.fixture
async def provider(cloud: Cloud) -> AsyncIterator[Provider]:
    """A provider with a long timeout, so that a reply at once and a timeout cannot be confused."""
    provider = cloud.open_provider(WARMXFER_PROVIDER_TIMEOUT_S=str(PROVIDER_TIMEOUT_S))
    try:
        yield provider
    finally:
        await provider.aclose()


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def test_a_dial_turned_away_rings_once(
    cloud: Cloud, phone: Phone, hand: Hand, provider: Provider
) -> None:
    """§8 Being turned away: after 429 nothing was done, so even a dial is sent again, after Retry-After."""
    order = phone.order(await cloud.room())
    await hand.break_it("status", DIAL, status=429, retryAfterS=0.6)
    began = now_s()
    call_id = (await provider.dial(order)).call_id
    cloud.calls.append(call_id)
    assert 0.6 <= now_s() - began < FAR_BELOW_ITS_TIMEOUT_S
    assert [entry["callId"] for entry in await hand.executed(order.room_id, "dial")] == [call_id]


async def test_without_a_time_the_pauses_grow(cloud: Cloud, hand: Hand, provider: Provider) -> None:
    """§8 Being turned away: 429 without Retry-After is asked again after 0.1, 0.2 and 0.4 s, give or take."""
    room_id = await cloud.room()
    await hand.break_it("status", LIST, times=3, status=429)
    began = now_s()
    assert await provider.find_calls(room_id, "", "none") == []
    assert 0.75 * 0.7 <= now_s() - began < FAR_BELOW_ITS_TIMEOUT_S


async def test_a_cloud_that_stays_full_is_told_as_that(hand: Hand, provider: Provider) -> None:
    """§8 Being turned away: with no time to wait as long as was asked, the asker is told how long."""
    await hand.break_it("status", ROOMS, times=0, status=429, retryAfterS=30)
    began = now_s()
    with pytest.raises(RateLimited) as limited:
        await provider.create_room(new_key())
    assert limited.value.after_s == 30
    assert now_s() - began < FAR_BELOW_ITS_TIMEOUT_S


async def test_nothing_is_asked_beyond_the_deadline(cloud: Cloud, hand: Hand, provider: Provider) -> None:
    """§8 Being turned away: tries without end stay within the time given."""
    room_id = await cloud.room()
    await hand.break_it("status", LIST, times=0, status=429)
    began = now_s()
    with pytest.raises(RateLimited):
        await provider.find_calls(room_id, "", "none", within_s=0.5)
    assert now_s() - began < FAR_BELOW_ITS_TIMEOUT_S


async def test_a_refusal_says_why(cloud: Cloud) -> None:
    """§8 Being turned away: an error has a sentence, and our provider passes it on."""
    order = {"roomId": ""}
    answer = await cloud.http.post("/v2/rooms/deactivate", json=order)
    assert 400 <= answer.status_code < 500
    said = answer.json()
    sentence = next(said[name] for name in ("message", "error", "msg", "statusMessage") if said.get(name))
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.close_room("")
    assert sentence in str(refusal.value)
