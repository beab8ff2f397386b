"""The contract, section 8: a rate-limited request is repeated later and executed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from warmxfer.adapters.telephony import Provider, RateLimited, Rejected

from .cloud import Cloud, new_key
from .phone import Phone
from .sandbox_admin import SandboxAdmin

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


async def test_a_rate_limited_dial_rings_once(
    cloud: Cloud, phone: Phone, admin: SandboxAdmin, provider: Provider
) -> None:
    """§8 Being turned away: a 429 had no effect, so even a dial is repeated, after Retry-After."""
    request = phone.request(await cloud.room())
    await admin.add_fault("status", DIAL, status=429, retryAfterS=0.6)
    began = now_s()
    call_id = (await provider.dial(request)).call_id
    cloud.calls.append(call_id)
    assert 0.6 <= now_s() - began < FAR_BELOW_ITS_TIMEOUT_S
    assert [entry["callId"] for entry in await admin.executed(request.room_id, "dial")] == [call_id]


async def test_pauses_grow_without_a_retry_after(
    cloud: Cloud, admin: SandboxAdmin, provider: Provider
) -> None:
    """§8 Being turned away: 429 without Retry-After is repeated after about 0.1, 0.2 and 0.4 s."""
    room_id = await cloud.room()
    await admin.add_fault("status", LIST, times=3, status=429)
    began = now_s()
    assert await provider.find_calls(room_id, "", "none") == []
    assert 0.75 * 0.7 <= now_s() - began < FAR_BELOW_ITS_TIMEOUT_S


async def test_a_lasting_rate_limit_is_reported_as_one(admin: SandboxAdmin, provider: Provider) -> None:
    """§8 Being turned away: without time for the requested pause, the error names that pause."""
    await admin.add_fault("status", ROOMS, times=0, status=429, retryAfterS=30)
    began = now_s()
    with pytest.raises(RateLimited) as limited:
        await provider.create_room(new_key())
    assert limited.value.after_s == 30
    assert now_s() - began < FAR_BELOW_ITS_TIMEOUT_S


async def test_retries_end_at_the_deadline(cloud: Cloud, admin: SandboxAdmin, provider: Provider) -> None:
    """§8 Being turned away: repeated requests stay within the given time."""
    room_id = await cloud.room()
    await admin.add_fault("status", LIST, times=0, status=429)
    began = now_s()
    with pytest.raises(RateLimited):
        await provider.find_calls(room_id, "", "none", within_s=0.5)
    assert now_s() - began < FAR_BELOW_ITS_TIMEOUT_S


async def test_a_refusal_says_why(cloud: Cloud) -> None:
    """§8 Being turned away: an error has a sentence, which our provider passes on."""
    request = {"roomId": ""}
    answer = await cloud.http.post("/v2/rooms/deactivate", json=request)
    assert 400 <= answer.status_code < 500
    body = answer.json()
    sentence = next(body[name] for name in ("message", "error", "msg", "statusMessage") if body.get(name))
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.close_room("")
    assert sentence in str(refusal.value)
