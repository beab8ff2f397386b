"""Recording somebody: from a moment after they came in until they go, whoever else goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .client import DEADLINE_S, Sandbox, supervisor

DIALLED = "sup"
NOT_YET = (400, "participant is not yet joined the meeting")


async def ask(sandbox: Sandbox, what: str, room_id: str, participant_id: str) -> tuple[int, Any]:
    body = {"roomId": room_id, "participantId": participant_id}
    answer = await sandbox.http.post(f"/v2/recordings/participant/{what}", json=body)
    said = answer.json()
    return answer.status_code, said if isinstance(said, str) else said["message"]


async def recorded(sandbox: Sandbox, room_id: str) -> set[str]:
    rooms = (await sandbox.ok("GET", "/sandbox/state"))["rooms"]
    (room,) = [each for each in rooms if each["roomId"] == room_id]
    return {each["id"] for each in room["participants"] if each["recorded"]}


async def start(sandbox: Sandbox, room_id: str, participant_id: str) -> None:
    """Have somebody recorded, as soon as they can be."""
    async with asyncio.timeout(DEADLINE_S):
        while (answer := await ask(sandbox, "start", room_id, participant_id)) == NOT_YET:
            await asyncio.sleep(0.01)
    assert answer == (200, "participant recording started successfully.")


async def test_whoever_is_there_is_recorded_until_told_otherwise(sandbox: Sandbox) -> None:
    caller = await sandbox.caller(participantId="ann")
    room_id = caller["roomId"]
    await start(sandbox, room_id, "ann")
    assert await recorded(sandbox, room_id) == {"ann"}
    started = await sandbox.entry("recording_started")
    assert (started["callId"], started["roomId"], started["participantId"], started["by"]) == (
        caller["callId"],
        room_id,
        "ann",
        "api",
    )
    assert (await ask(sandbox, "stop", room_id, "ann"))[0] == 200
    assert await recorded(sandbox, room_id) == set()
    assert (await sandbox.entry("recording_stopped"))["by"] == "api"


async def test_nobody_is_recorded_twice_or_stopped_twice(sandbox: Sandbox) -> None:
    room_id = (await sandbox.caller(participantId="ann"))["roomId"]
    await start(sandbox, room_id, "ann")
    assert await ask(sandbox, "start", room_id, "ann") == (400, "participant recording is already started")
    assert (await ask(sandbox, "stop", room_id, "ann"))[0] == 200
    assert await ask(sandbox, "stop", room_id, "ann") == (400, "participant recording is not started yet")
    kinds = [kind for kind in await sandbox.kinds(room=room_id) if kind.startswith("recording")]
    assert kinds == ["recording_started", "recording_stopped"]


async def test_a_recording_ends_with_its_participants_leaving_and_with_nobody_elses(sandbox: Sandbox) -> None:
    room_id = (await sandbox.caller(participantId="ann"))["roomId"]
    async with sandbox.agent(room_id) as agent:
        await start(sandbox, room_id, "ann")
        await agent.send(type="leave")
        await sandbox.entry("left", participantId="agent")
    assert await recorded(sandbox, room_id) == {"ann"}
    await sandbox.ok("POST", "/sandbox/people/ann/hangup")
    assert (await sandbox.entry("recording_stopped", participantId="ann"))["by"] == "person"


async def test_a_recording_ends_with_its_room(sandbox: Sandbox) -> None:
    room_id = (await sandbox.caller(participantId="ann"))["roomId"]
    await start(sandbox, room_id, "ann")
    await sandbox.ok("POST", "/v2/rooms/deactivate", json={"roomId": room_id})
    assert (await sandbox.entry("recording_stopped", participantId="ann"))["by"] == "cloud"


async def test_a_switch_ends_the_recording_in_the_room_that_was_left(sandbox: Sandbox) -> None:
    caller = await sandbox.caller(participantId="ann")
    async with sandbox.agent(room_id := await sandbox.room()):
        await start(sandbox, caller["roomId"], "ann")
        await sandbox.switch(caller["callId"], room_id, participantId="ann-there")
        await sandbox.entry("switch_completed")
    stopped = await sandbox.entry("recording_stopped")
    assert (stopped["roomId"], stopped["participantId"]) == (caller["roomId"], "ann")


async def test_somebody_who_has_just_come_in_cannot_be_recorded_yet(slow_sandbox: Sandbox) -> None:
    room_id = (await slow_sandbox.caller(participantId="ann"))["roomId"]
    assert await ask(slow_sandbox, "start", room_id, "ann") == NOT_YET
    assert "recording_started" not in await slow_sandbox.kinds()


async def test_who_is_not_there_cannot_be_recorded(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    assert await ask(sandbox, "start", room_id, "ann") == (403, "No active session found")
    async with sandbox.agent(room_id):
        ringing = await sandbox.dial(room_id, supervisor("0103"), participant={"id": DIALLED})
        await sandbox.status(ringing, "ringing")
        for who in ("ann", DIALLED):
            assert await ask(sandbox, "start", room_id, who) == NOT_YET


@pytest.mark.parametrize(
    ("room_id", "participant_id", "status", "message"),
    [
        ("abcd-abcd-abcd", "ann", 404, "Room not found."),
        ("", "ann", 400, "roomId is required."),
        ("{room}", "", 400, "participantId is required."),
    ],
)
async def test_refusals(
    sandbox: Sandbox, room_id: str, participant_id: str, status: int, message: str
) -> None:
    room_id = room_id.replace("{room}", await sandbox.room())
    assert await ask(sandbox, "start", room_id, participant_id) == (status, message)


async def test_a_token_is_needed(sandbox: Sandbox) -> None:
    answer = await sandbox.http.post("/v2/recordings/participant/start", headers={"authorization": ""})
    assert answer.status_code == 401
