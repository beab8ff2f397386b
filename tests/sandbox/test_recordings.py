"""Recordings of participants: possible shortly after the join, and stopped by the participant's leaving."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .client import DEADLINE_S, Sandbox, supervisor

DIALLED = "sup"
NOT_YET = (400, "participant is not yet joined the meeting")


async def order(sandbox: Sandbox, action: str, room_id: str, participant_id: str) -> tuple[int, Any]:
    body = {"roomId": room_id, "participantId": participant_id}
    response = await sandbox.http.post(f"/v2/recordings/participant/{action}", json=body)
    parsed = response.json()
    return response.status_code, parsed if isinstance(parsed, str) else parsed["message"]


async def recorded(sandbox: Sandbox, room_id: str) -> set[str]:
    rooms = (await sandbox.ok("GET", "/sandbox/state"))["rooms"]
    (room,) = [each for each in rooms if each["roomId"] == room_id]
    return {each["id"] for each in room["participants"] if each["recorded"]}


async def start(sandbox: Sandbox, room_id: str, participant_id: str) -> None:
    """Start the recording of a participant as soon as it is possible."""
    async with asyncio.timeout(DEADLINE_S):
        while (response := await order(sandbox, "start", room_id, participant_id)) == NOT_YET:
            await asyncio.sleep(0.01)
    assert response == (200, "participant recording started successfully.")


async def test_a_participant_is_recorded_from_start_to_stop(sandbox: Sandbox) -> None:
    caller = await sandbox.caller(participantId="ann")
    room_id = caller["roomId"]
    await start(sandbox, room_id, "ann")
    assert await recorded(sandbox, room_id) == {"ann"}
    started = await sandbox.wait_for_entry("recording_started")
    assert (started["callId"], started["roomId"], started["participantId"], started["by"]) == (
        caller["callId"],
        room_id,
        "ann",
        "api",
    )
    assert (await order(sandbox, "stop", room_id, "ann"))[0] == 200
    assert await recorded(sandbox, room_id) == set()
    assert (await sandbox.wait_for_entry("recording_stopped"))["by"] == "api"


async def test_a_second_start_or_stop_is_refused(sandbox: Sandbox) -> None:
    room_id = (await sandbox.caller(participantId="ann"))["roomId"]
    await start(sandbox, room_id, "ann")
    assert await order(sandbox, "start", room_id, "ann") == (400, "participant recording is already started")
    assert (await order(sandbox, "stop", room_id, "ann"))[0] == 200
    assert await order(sandbox, "stop", room_id, "ann") == (400, "participant recording is not started yet")
    kinds = [kind for kind in await sandbox.kinds(room=room_id) if kind.startswith("recording")]
    assert kinds == ["recording_started", "recording_stopped"]


async def test_a_recording_stops_only_when_its_own_participant_leaves(sandbox: Sandbox) -> None:
    room_id = (await sandbox.caller(participantId="ann"))["roomId"]
    async with sandbox.agent(room_id) as agent:
        await start(sandbox, room_id, "ann")
        await agent.send(type="leave")
        await sandbox.wait_for_entry("left", participantId="agent")
    assert await recorded(sandbox, room_id) == {"ann"}
    await sandbox.ok("POST", "/sandbox/people/ann/hangup")
    assert (await sandbox.wait_for_entry("recording_stopped", participantId="ann"))["by"] == "person"


async def test_a_recording_stops_when_its_room_is_deactivated(sandbox: Sandbox) -> None:
    room_id = (await sandbox.caller(participantId="ann"))["roomId"]
    await start(sandbox, room_id, "ann")
    await sandbox.ok("POST", "/v2/rooms/deactivate", json={"roomId": room_id})
    assert (await sandbox.wait_for_entry("recording_stopped", participantId="ann"))["by"] == "cloud"


async def test_a_switch_stops_the_recording_in_the_old_room(sandbox: Sandbox) -> None:
    caller = await sandbox.caller(participantId="ann")
    async with sandbox.agent(room_id := await sandbox.room()):
        await start(sandbox, caller["roomId"], "ann")
        await sandbox.switch(caller["callId"], room_id, participantId="ann-there")
        await sandbox.wait_for_entry("switch_completed")
    stopped = await sandbox.wait_for_entry("recording_stopped")
    assert (stopped["roomId"], stopped["participantId"]) == (caller["roomId"], "ann")


async def test_a_new_participant_cannot_be_recorded_yet(slow_sandbox: Sandbox) -> None:
    room_id = (await slow_sandbox.caller(participantId="ann"))["roomId"]
    assert await order(slow_sandbox, "start", room_id, "ann") == NOT_YET
    assert "recording_started" not in await slow_sandbox.kinds()


async def test_an_absent_participant_cannot_be_recorded(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    assert await order(sandbox, "start", room_id, "ann") == (403, "No active session found")
    async with sandbox.agent(room_id):
        ringing = await sandbox.dial(room_id, supervisor("0103"), participant={"id": DIALLED})
        await sandbox.wait_for_status(ringing, "ringing")
        for participant_id in ("ann", DIALLED):
            assert await order(sandbox, "start", room_id, participant_id) == NOT_YET


@pytest.mark.parametrize(
    ("room_id", "participant_id", "status", "message"),
    [
        ("abcd-abcd-abcd", "ann", 404, "Room not found."),
        ("", "ann", 400, "roomId is required."),
        ("{room}", "", 400, "participantId is required."),
    ],
)
async def test_an_invalid_recording_request_is_refused(
    sandbox: Sandbox, room_id: str, participant_id: str, status: int, message: str
) -> None:
    room_id = room_id.replace("{room}", await sandbox.room())
    assert await order(sandbox, "start", room_id, participant_id) == (status, message)


async def test_recording_needs_a_token(sandbox: Sandbox) -> None:
    response = await sandbox.http.post("/v2/recordings/participant/start", headers={"authorization": ""})
    assert response.status_code == 401
