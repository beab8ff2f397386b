"""The contract, section 3: every call is found again, one by one and page by page."""

from __future__ import annotations

import asyncio
import time

import pytest

from warmxfer.adapters.telephony.videosdk import provider

from .cloud import NOT_FOUND_STATUSES, Cloud, new_key
from .phone import Phone
from .sandbox_admin import SandboxAdmin

PER_PAGE = 10
"""The platform's default page size."""
CALLS = PER_PAGE + 2


async def test_a_room_without_calls_lists_none(cloud: Cloud) -> None:
    """§3 Looking up: an empty page is an empty list with its figures."""
    answer = await cloud.get("/v2/sip/call", roomId=await cloud.room())
    assert answer["data"] == []
    assert answer.get("pageInfo", answer)["total"] == 0


async def test_an_unknown_call_is_none(cloud: Cloud) -> None:
    """§3 Looking up: GET /v2/sip/call/{callId} of nothing is 402 or 404."""
    call_id = "0" * 32
    assert await cloud.refusal("GET", f"/v2/sip/call/{call_id}") in NOT_FOUND_STATUSES
    assert await cloud.provider.look_up_call(call_id) is None


async def test_more_calls_than_one_page_holds(
    cloud: Cloud, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§3 Looking up: ten a page, with pageInfo; our provider reads every page."""
    orders = [phone.request(await cloud.room())]
    orders += [phone.request(orders[0].room_id) for _ in range(CALLS - 1)]
    for request in orders:
        await cloud.provider.end(await phone.dial(request))
    room_id = orders[0].room_id
    first = await cloud.get("/v2/sip/call", roomId=room_id)
    second = await cloud.get("/v2/sip/call", roomId=room_id, page=2)
    for number, answer in enumerate((first, second), 1):
        info = answer.get("pageInfo", answer)
        figures = [info[name] for name in ("currentPage", "perPage", "lastPage", "total")]
        assert figures == [number, PER_PAGE, 2, CALLS]
    assert (len(first["data"]), len(second["data"])) == (PER_PAGE, CALLS - PER_PAGE)
    assert {call["callId"] for call in first["data"] + second["data"]} == set(cloud.calls)
    monkeypatch.setattr(provider, "PER_PAGE", 5)
    for request in (orders[0], orders[-1]):
        [found] = await cloud.provider.find_calls(room_id, "", request.metadata["attemptKey"])
        assert found.metadata["warmxferId"] == request.metadata["warmxferId"]


async def test_a_call_is_the_same_in_the_list_and_alone(cloud: Cloud, phone: Phone) -> None:
    """§3 Looking up: GET /v2/sip/call and GET /v2/sip/call/{callId} agree; `type` filters."""
    call = await phone.answered_call()
    [listed] = (await cloud.get("/v2/sip/call", roomId=str(call.room_id)))["data"]
    alone = (await cloud.get(f"/v2/sip/call/{call.call_id}"))["data"]
    assert listed["callId"] == (alone.get("id") or alone["callId"]) == call.call_id
    same = ("type", "status", "roomId", "metadata", "start", "end", "timelog")
    assert [listed[name] for name in same] == [alone[name] for name in same]
    assert [entry["status"].lower() for entry in alone["timelog"]][-1] == "answered"
    assert alone["end"] is None
    assert (await cloud.get("/v2/sip/call", roomId=str(call.room_id), type="inbound"))["data"] == []


async def test_legs_are_found_by_their_mark_and_by_when_they_began(cloud: Cloud, phone: Phone) -> None:
    """§3 Looking up: GET /v2/sip/call of the whole project; `startDate` omits calls that began earlier."""
    call, other = await phone.answered_call(), await phone.answered_call()
    marks = {"warmxferId": str(call.metadata["warmxferId"])}
    found = await cloud.provider.find_marked_calls(marks, 600.0)
    assert [each.call_id for each in found] == [call.call_id]
    later = {"type": "outbound", "startDate": round((time.time() + 600) * 1_000)}
    assert (await cloud.get("/v2/sip/call", **later))["data"] == []
    assert await cloud.provider.find_marked_calls(marks, -600.0) == []
    await cloud.provider.end(call.call_id)
    await cloud.until(call.call_id, lambda record: not record.up, "over")
    assert await cloud.provider.find_marked_calls(marks, 600.0) == []
    assert (await cloud.provider.look_up_call(other.call_id) or other).up


async def test_a_dialled_leg_is_not_taken_for_the_caller(cloud: Cloud, phone: Phone) -> None:
    """§3 Looking up: metadata is echoed, so a dialled leg is never taken for the caller."""
    call = await phone.answered_call()
    assert await cloud.provider.find_caller_call(str(call.room_id)) is None


async def test_the_caller_is_found(cloud: Cloud, phone: Phone, admin: SandboxAdmin) -> None:
    """§3 Looking up: beside a dialled leg, the inbound call of the room is the caller's."""
    room_id = await cloud.room()
    call_id, _ = await asyncio.gather(admin.caller(room_id), phone.dial(phone.request(room_id, new_key())))
    found = await cloud.provider.find_caller_call(room_id)
    assert found is not None
    assert (found.call_id, found.direction, found.up) == (call_id, "inbound", True)
