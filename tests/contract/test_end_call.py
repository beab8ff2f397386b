"""The contract, section 5: a call ends once, and its record says so afterwards."""

from __future__ import annotations

import pytest

from warmxfer.adapters.telephony import Rejected
from warmxfer.schemas import CallCause

from .cloud import NOT_FOUND_STATUSES, Cloud
from .phone import Phone


async def test_an_unknown_call_cannot_be_ended(cloud: Cloud) -> None:
    """§5 Ending: a missing field is 400, an unknown call is refused."""
    assert await cloud.refusal("POST", "/v2/sip/call/end", {}) == 400
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.end("0" * 32)
    assert refusal.value.status in {400, *NOT_FOUND_STATUSES}


async def test_an_ended_call_is_down(cloud: Cloud, phone: Phone) -> None:
    """§5 Ending: the record stays, with its end and its cause."""
    call = await phone.answered_call()
    await cloud.provider.end(call.call_id)
    record = await cloud.until(call.call_id, lambda now: not now.up, "down")
    assert (record.status, record.cause) == ("ended", CallCause.HUNG_UP)
    assert record.raw["end"] is not None
    assert record.raw["timelog"][-1]["status"].lower() == "ended"


async def test_a_ringing_call_is_called_off(cloud: Cloud, phone: Phone) -> None:
    """§5 Ending: a call that is not answered yet can be ended."""
    call_id = await phone.ring()
    await cloud.provider.end(call_id)
    record = await cloud.until(call_id, lambda now: not now.up, "down")
    assert "answered" not in {entry["status"].lower() for entry in record.raw["timelog"]}


async def test_an_ended_call_is_not_ended_again(cloud: Cloud, phone: Phone) -> None:
    """§5 Ending: the second request is refused, which our provider reports as not done."""
    call = await phone.answered_call()
    await cloud.provider.end(call.call_id)
    await cloud.until(call.call_id, lambda now: not now.up, "down")
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.end(call.call_id)
    assert refusal.value.status in {400, 409, *NOT_FOUND_STATUSES}
