"""The contract, section 4: a live call moves into a live room; any other request is refused."""

from __future__ import annotations

import pytest

from warmxfer.adapters.telephony import ParticipantJoinedNotice, Rejected

from .cloud import NOT_FOUND_STATUSES, Cloud, new_key
from .phone import Phone
from .sandbox_admin import SandboxAdmin
from .webhook_receiver import WebhookReceiver


@pytest.mark.parametrize("missing", ["callId", "roomId"])
async def test_a_request_without_a_required_field_is_refused(cloud: Cloud, missing: str) -> None:
    """§4 Switching: a missing field is 400."""
    request = {"callId": "0" * 32, "roomId": await cloud.room()}
    del request[missing]
    status = await cloud.refusal("POST", "/v2/sip/call/switch-room", request)
    # Without a room, the cloud may check the missing field or the unknown call first.
    assert status in ({400} if missing == "callId" else {400, *NOT_FOUND_STATUSES})


async def test_an_unknown_call_does_not_move(cloud: Cloud) -> None:
    """§4 Switching: an unknown call is refused."""
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.switch("0" * 32, await cloud.room(), new_key())
    assert refusal.value.status in {400, *NOT_FOUND_STATUSES}


async def test_a_switch_is_accepted_and_then_completed(cloud: Cloud, phone: Phone) -> None:
    """§4 Switching: the 200 is an acceptance; the call record shows when the call is in its new room."""
    target, call = await phone.live_room(), await phone.answered_call()
    accepted = await cloud.provider.switch(call.call_id, target, "moved")
    assert (accepted["data"]["callId"], accepted["data"]["status"].lower()) == (call.call_id, "answered")
    record = await cloud.until(call.call_id, lambda now: now.completed_moves == 1, "moved")
    assert (record.up, record.moving, record.failed_moves) == (True, False, 0)
    assert (record.room_id, record.call_id) == (target, call.call_id)


async def test_a_moved_call_is_listed_where_it_is(cloud: Cloud, phone: Phone) -> None:
    """§4 Switching: afterwards the call belongs to the new room and to no other."""
    target, call = await phone.live_room(), await phone.answered_call()
    await cloud.provider.switch(call.call_id, target, "moved")
    await cloud.until(call.call_id, lambda now: now.completed_moves == 1, "moved")
    there = (await cloud.get("/v2/sip/call", roomId=target))["data"]
    assert call.call_id in {each["callId"] for each in there}
    assert (await cloud.get("/v2/sip/call", roomId=str(call.room_id)))["data"] == []


async def test_a_switch_is_notified_by_webhook(
    cloud: Cloud, phone: Phone, webhook_receiver: WebhookReceiver
) -> None:
    """§4 Switching: switch-room-completed names the call and its new room."""
    events = ["switch-room-completed", "switch-room-failed"]
    hook = await cloud.post("/v2/sip/webhooks", {"url": webhook_receiver.url, "events": events})
    try:
        target, call = await phone.live_room(), await phone.answered_call()
        await cloud.provider.switch(call.call_id, target, "moved")
        webhook = await webhook_receiver.until("switch-room-completed", callId=call.call_id)
        assert webhook.data["roomId"] == target
        assert {each.kind for each in webhook_receiver.webhooks} == {"switch-room-completed"}
    finally:
        await cloud.http.delete(f"/v2/sip/webhooks/{hook['id']}")


async def test_a_moved_call_joins_with_the_requested_participant_id(
    cloud: Cloud, phone: Phone, webhook_receiver: WebhookReceiver
) -> None:
    """§4 Switching: the call joins the new room with the participant id that we requested."""
    registered_provider = cloud.open_provider(webhook_receiver.url)
    try:
        target, name = await cloud.room(registered_provider), new_key()
        await phone.answered_call(target)
        call = await phone.answered_call()
        await cloud.provider.switch(call.call_id, target, name)
        webhook = await webhook_receiver.until("participant-joined", participantId=name)
        assert await registered_provider.parse_webhook(
            webhook.headers, webhook.body
        ) == ParticipantJoinedNotice(target, name)
    finally:
        await registered_provider.aclose()


async def test_a_switch_into_a_room_without_a_session_is_refused(cloud: Cloud, phone: Phone) -> None:
    """§4 Switching: the target room must be active; otherwise the call stays in its room."""
    empty, call = await cloud.room(), await phone.answered_call()
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.switch(call.call_id, empty, "moved")
    assert refusal.value.status == 400
    record = await cloud.provider.look_up_call(call.call_id)
    assert record is not None
    assert (record.up, record.room_id, record.completed_moves, record.moving) == (
        True,
        call.room_id,
        0,
        False,
    )


async def test_an_ended_call_does_not_move(cloud: Cloud, phone: Phone) -> None:
    """§4 Switching: the call must be active."""
    target, call = await phone.live_room(), await phone.answered_call()
    await cloud.provider.end(call.call_id)
    await cloud.until(call.call_id, lambda now: not now.up, "down")
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.switch(call.call_id, target, "moved")
    assert refusal.value.status in {400, 409, *NOT_FOUND_STATUSES}


async def test_a_switch_that_fails_is_counted(cloud: Cloud, phone: Phone, admin: SandboxAdmin) -> None:
    """§4 Switching: switch-room-failed leaves the call up, in its old room."""
    target, call = await phone.live_room(), await phone.answered_call()
    await admin.add_fault("fails", {"switch": True, "callId": call.call_id})
    await cloud.provider.switch(call.call_id, target, "moved")
    record = await cloud.until(call.call_id, lambda now: now.failed_moves == 1, "reported as failed")
    assert (record.up, record.room_id, record.completed_moves) == (True, call.room_id, 0)
