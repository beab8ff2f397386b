"""The contract, section 2: a call is placed as requested, or refused before any phone rings."""

from __future__ import annotations

from datetime import datetime

import pytest

from warmxfer.adapters.telephony import NotReady, Rejected
from warmxfer.schemas import CallCause

from .cloud import NOT_FOUND_STATUSES, Cloud, new_key
from .phone import Phone
from .sandbox_admin import BUSY, NO_ANSWER, REJECTS, SandboxAdmin
from .target import PhoneLine
from .test_recording import record

NO_RULE = PhoneLine("+14155550101", "+14155550100", "rr_unknown")
"""The cloud refuses these requests before it dials. If it did not, no routing rule would allow them."""


@pytest.mark.parametrize("missing", ["routingRuleId", "sipCallTo", "sipCallFrom"])
async def test_a_request_without_a_required_field_is_refused(cloud: Cloud, missing: str) -> None:
    """§2 Dialling: a missing field is 400."""
    request = Phone(cloud, NO_RULE).wire_order(await cloud.room())
    del request[missing]
    assert await cloud.refusal("POST", "/v2/sip/call", request) == 400


async def test_our_provider_reports_a_refusal_as_rejected(cloud: Cloud) -> None:
    """§2 Dialling: a refused dial was not executed, and no call is listed."""
    room_id = await cloud.room()
    request = Phone(cloud, NO_RULE).request(room_id, to="invalid")
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.dial(request)
    assert refusal.value.status == 400
    assert await cloud.provider.find_calls(room_id, request.participant_id, "") == []


async def test_the_reply_to_a_dial_describes_the_call(cloud: Cloud, phone: Phone) -> None:
    """§2 Dialling: the shape of POST /v2/sip/call, with our metadata echoed."""
    room_id, key = await cloud.room(), new_key()
    answer = await cloud.post("/v2/sip/call", phone.wire_order(room_id, metadata={"attemptKey": key}))
    call = answer["data"]
    cloud.calls.append(call.get("callId") or call["id"])
    assert isinstance(answer["message"], str)
    assert (call["status"].lower(), call["roomId"]) == ("initiated", room_id)
    assert (call["sipCallTo"], call["sipCallFrom"]) == (phone.line.to, phone.line.caller)
    assert call["metadata"] == {"attemptKey": key}
    [begun] = call["timelog"]
    assert begun["status"].lower() == "initiated"
    assert datetime.fromisoformat(begun["timestamp"]).tzinfo is not None


async def test_an_answered_call_is_in_its_room_under_the_participant_id_of_the_dial(
    cloud: Cloud, phone: Phone
) -> None:
    """§2 Dialling: `participant.id` is taken over. Only a participant of the room can be recorded (§9)."""
    request = phone.request(await cloud.room())
    call_id = await phone.dial(request)
    await cloud.until(call_id, lambda call: call.status == "answered", "answered")
    await record(cloud, request.room_id, request.participant_id)
    with pytest.raises(NotReady):
        await cloud.provider.record_participant(request.room_id, f"{request.participant_id}-not")


async def test_a_dial_is_answered(cloud: Cloud, phone: Phone) -> None:
    """§2 Dialling: an answered call is in the requested room, as an outbound call."""
    request = phone.request(await cloud.room())
    call_id = await phone.dial(request)
    record = await cloud.until(call_id, lambda call: call.status == "answered", "answered")
    assert (record.up, record.cause, record.direction) == (True, None, "outbound")
    assert record.room_id == request.room_id
    assert request.metadata.items() <= record.metadata.items()


async def test_a_dial_into_a_missing_room_is_refused(cloud: Cloud, phone: Phone) -> None:
    """§2 Dialling: an unknown room and a closed one are refused."""
    closed = await cloud.room()
    await cloud.provider.close_room(closed)
    for room_id in (closed, "zzzz-zzzz-zzzz"):
        with pytest.raises(Rejected) as refusal:
            await phone.dial(phone.request(room_id))
        assert refusal.value.status in {400, *NOT_FOUND_STATUSES}


@pytest.mark.parametrize(
    ("number", "cause", "sip_code"),
    [(BUSY, CallCause.BUSY, 486), (NO_ANSWER, CallCause.NO_ANSWER, 480), (REJECTS, CallCause.REJECTED, 603)],
)
async def test_an_unanswered_call_ends_with_its_cause(
    cloud: Cloud, phone: Phone, admin: SandboxAdmin, number: str, cause: CallCause, sip_code: int
) -> None:
    """§2 Dialling: an unanswered call ends with its cause and SIP code, no later than ringingTimeout."""
    call_id = await phone.dial(phone.request(await cloud.room(), to=number, ringing_timeout_s=2))
    record = await cloud.until(call_id, lambda call: not call.up, "down")
    assert (record.cause, record.sip_code) == (cause, sip_code)
    assert [entry["callId"] for entry in await admin.executed(record.room_id or "", "hangup")] == [call_id]
