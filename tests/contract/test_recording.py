"""The contract, section 9: a participant is recorded from the request until they leave."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.adapters.telephony import NotReady, Rejected

from .cloud import NOT_FOUND_STATUSES, Cloud, new_key
from .phone import Phone
from .sandbox_admin import SandboxAdmin

START, STOP = "/v2/recordings/participant/start", "/v2/recordings/participant/stop"


async def record(cloud: Cloud, room_id: str, participant_id: str) -> None:
    """Start the recording of a participant who is in the room or about to join."""
    async with asyncio.timeout(cloud.target.patience_s):
        while True:
            try:
                return await cloud.provider.record_participant(room_id, participant_id)
            except NotReady:
                await asyncio.sleep(cloud.target.pause_s)


async def answered_participant(cloud: Cloud, phone: Phone) -> tuple[str, str]:
    """Return a room, and the participant id of a person on the phone in it."""
    request = phone.request(await cloud.room())
    call_id = await phone.dial(request)
    await cloud.until(call_id, lambda call: call.status == "answered", "answered")
    return request.room_id, request.participant_id


@pytest.mark.parametrize("missing", ["roomId", "participantId"])
async def test_a_request_without_a_required_field_is_refused(cloud: Cloud, missing: str) -> None:
    """§9 Recording: a missing field is refused."""
    request = {"roomId": await cloud.room(), "participantId": new_key()}
    del request[missing]
    answer = await cloud.http.post(START, json=request)
    # The room is empty too, and the cloud may check either condition first.
    assert answer.status_code in {400, 403, *NOT_FOUND_STATUSES}


async def test_a_room_without_a_session_cannot_be_recorded(cloud: Cloud) -> None:
    """§9 Recording: no session is 403, and a repeat does not help."""
    with pytest.raises(Rejected) as refusal:
        await cloud.provider.record_participant(await cloud.room(), new_key())
    assert refusal.value.status in {403, *NOT_FOUND_STATUSES}


async def test_an_absent_participant_is_not_ready_to_be_recorded(cloud: Cloud, phone: Phone) -> None:
    """§9 Recording: 400 with that reason in a live room; the participant may still join."""
    with pytest.raises(NotReady) as refusal:
        await cloud.provider.record_participant(await phone.live_room(), new_key())
    assert refusal.value.status == 400


async def test_a_present_participant_is_recorded_and_a_repeat_changes_nothing(
    cloud: Cloud, phone: Phone
) -> None:
    """§9 Recording: recording is a state; a second request succeeds."""
    room_id, participant_id = await answered_participant(cloud, phone)
    await record(cloud, room_id, participant_id)
    await cloud.provider.record_participant(room_id, participant_id)


async def test_a_recording_can_be_stopped(cloud: Cloud, phone: Phone) -> None:
    """§9 Recording: /stop takes the same two fields."""
    room_id, participant_id = await answered_participant(cloud, phone)
    await record(cloud, room_id, participant_id)
    answer = await cloud.http.post(STOP, json={"roomId": room_id, "participantId": participant_id})
    assert answer.status_code == 200


async def test_a_moved_call_is_recorded_under_its_new_participant_id(cloud: Cloud, phone: Phone) -> None:
    """§9 Recording: a moved call is recorded in its new room, a moment after the record shows it there."""
    target, call = await phone.live_room(), await phone.answered_call()
    await cloud.provider.switch(call.call_id, target, name := new_key())
    await cloud.until(call.call_id, lambda now: now.completed_moves == 1, "moved")
    await record(cloud, target, name)


async def test_a_recording_ends_with_its_own_participant(
    cloud: Cloud, phone: Phone, admin: SandboxAdmin
) -> None:
    """§9 Recording: another participant leaving does not end it."""
    room_id, participant_id = await answered_participant(cloud, phone)
    other = await phone.answered_call(room_id)
    await record(cloud, room_id, participant_id)
    await cloud.provider.end(other.call_id)
    await cloud.until(other.call_id, lambda call: not call.up, "down")
    assert await admin.executed(room_id, "recording_stopped") == []
    await cloud.provider.end(cloud.calls[0])
    (stopped,) = await admin.executed(room_id, "recording_stopped")
    assert stopped["participantId"] == participant_id
