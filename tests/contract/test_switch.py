"""The contract, section 4: a live call moves into a live room, and nothing else does."""

from __future__ import annotations

import pytest

from warmxfer.adapters.telephony import ParticipantJoinedNotice, Rejected

from .cloud import NOT_THERE, Cloud, new_key
from .phone import Phone
from .sandbox_admin import Hand
from .webhook_receiver import Letterbox


@pytest.mark.parametrize("missing", ["callId", "roomId"])
async def test_an_order_with_a_hole_is_refused(cloud: Cloud, missing: str) -> None:
    """§4 Switching: a missing field is 400."""
    order = {"callId": "0" * 32, "roomId": await cloud.room()}
    del order[missing]
    status = await cloud.refusal("POST", "/v2/sip/call/switch-room", order)
    # Without a room nobody can tell which is looked at first: the missing field or the unknown call.
    assert status in ({400} if missing == "callId" else {400, *NOT_THERE})


async def test_an_unknown_call_does_not_move(cloud: Cloud) -> None:
    """§4 Switching: an unknown call is refused."""
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.switch("0" * 32, await cloud.room(), new_key())
    assert refusal.value.status in {400, *NOT_THERE}


async def test_a_switch_is_taken_on_and_then_done(cloud: Cloud, phone: Phone) -> None:
    """§4 Switching: the 200 is an acceptance; the look-up tells when the call is in its new room."""
    target, call = await phone.live_room(), await phone.talk()
    accepted = await cloud.provider.switch(call.call_id, target, "moved")
    assert (accepted["data"]["callId"], accepted["data"]["status"].lower()) == (call.call_id, "answered")
    record = await cloud.until(call.call_id, lambda now: now.completed_moves == 1, "moved")
    assert (record.up, record.moving, record.failed_moves) == (True, False, 0)
    assert (record.room_id, record.call_id) == (target, call.call_id)


async def test_a_moved_call_is_listed_where_it_is(cloud: Cloud, phone: Phone) -> None:
    """§4 Switching: after it the call belongs to the new room, and to no other."""
    target, call = await phone.live_room(), await phone.talk()
    await cloud.provider.switch(call.call_id, target, "moved")
    await cloud.until(call.call_id, lambda now: now.completed_moves == 1, "moved")
    there = (await cloud.get("/v2/sip/call", roomId=target))["data"]
    assert call.call_id in {each["callId"] for each in there}
    assert (await cloud.get("/v2/sip/call", roomId=str(call.room_id)))["data"] == []


async def test_a_switch_is_told_by_webhook(cloud: Cloud, phone: Phone, letterbox: Letterbox) -> None:
    """§4 Switching: switch-room-completed names the call and its new room."""
    events = ["switch-room-completed", "switch-room-failed"]
    hook = await cloud.post("/v2/sip/webhooks", {"url": letterbox.url, "events": events})
    try:
        target, call = await phone.live_room(), await phone.talk()
        await cloud.provider.switch(call.call_id, target, "moved")
        letter = await letterbox.until("switch-room-completed", callId=call.call_id)
        assert letter.data["roomId"] == target
        assert {each.kind for each in letterbox.letters} == {"switch-room-completed"}
    finally:
        await cloud.http.delete(f"/v2/sip/webhooks/{hook['id']}")


async def test_who_was_moved_arrives_under_our_name(cloud: Cloud, phone: Phone, letterbox: Letterbox) -> None:
    """§4 Switching: the participant id we asked for is the one who joins the new room."""
    telling = cloud.open_provider(letterbox.url)
    try:
        target, name = await cloud.room(telling), new_key()
        await phone.talk(target)
        call = await phone.talk()
        await cloud.provider.switch(call.call_id, target, name)
        letter = await letterbox.until("participant-joined", participantId=name)
        assert await telling.parse_webhook(letter.headers, letter.body) == ParticipantJoinedNotice(
            target, name
        )
    finally:
        await telling.aclose()


async def test_nobody_is_moved_into_a_room_without_a_session(cloud: Cloud, phone: Phone) -> None:
    """§4 Switching: the target room must be active; else the call stays where it is."""
    empty, call = await cloud.room(), await phone.talk()
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
    target, call = await phone.live_room(), await phone.talk()
    await cloud.provider.end(call.call_id)
    await cloud.until(call.call_id, lambda now: not now.up, "down")
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.switch(call.call_id, target, "moved")
    assert refusal.value.status in {400, 409, *NOT_THERE}


async def test_a_switch_that_fails_is_counted(cloud: Cloud, phone: Phone, hand: Hand) -> None:
    """§4 Switching: switch-room-failed leaves the call up, where it was."""
    target, call = await phone.live_room(), await phone.talk()
    await hand.break_it("fails", {"switch": True, "callId": call.call_id})
    await cloud.provider.switch(call.call_id, target, "moved")
    record = await cloud.until(call.call_id, lambda now: now.failed_moves == 1, "told to have failed")
    assert (record.up, record.room_id, record.completed_moves) == (True, call.room_id, 0)
