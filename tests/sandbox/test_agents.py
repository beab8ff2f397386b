"""Dispatched agents: one per request; each joins, greets, and leaves after the last person."""

import pytest

from .client import Sandbox

AGENT = "sandbox-agent"


async def test_a_dispatched_agent_joins_and_greets(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    room_id = caller["roomId"]
    body = {"agentId": AGENT, "meetingId": room_id, "metadata": {"case": "4417"}, "versionId": "v1"}
    async with sandbox.agent(room_id, "observer") as observer:
        response = await sandbox.ok("POST", "/v2/agent/dispatch", json=body)
        await observer.wait_for("participant-joined")
        greeting = await observer.wait_for("speech", participantId="dispatched-1")
    assert response["data"] == {"success": True, "status": "assigned", "roomId": room_id, "agentId": AGENT}
    assert greeting["text"].startswith("Hello")
    [dispatch] = await sandbox.ledger(room=room_id, kind="dispatch")
    assert dispatch["metadata"] == {"case": "4417"}


async def test_a_dispatched_agent_leaves_after_the_last_person(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    room_id = caller["roomId"]
    body = {"agentId": AGENT, "meetingId": room_id}
    async with sandbox.agent(room_id, "observer") as observer:
        await sandbox.ok("POST", "/v2/agent/dispatch", json=body)
        await observer.wait_for("speech", participantId="dispatched-1")
        await sandbox.ok("POST", f"/sandbox/people/{caller['participantId']}/hangup")
        await observer.wait_for("participant-left", participantId="dispatched-1")


async def test_each_request_starts_one_more_agent(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    body = {"agentId": AGENT, "meetingId": caller["roomId"]}
    async with sandbox.agent(caller["roomId"], "observer") as observer:
        for _ in range(2):
            await sandbox.ok("POST", "/v2/agent/dispatch", json=body)
        for number in (1, 2):
            await observer.wait_for("speech", participantId=f"dispatched-{number}")


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        (
            {"agentId": "another"},
            404,
            "No workers registered: the sandbox runs the agent sandbox-agent only.",
        ),
        ({"agentId": None}, 400, "agentId is required."),
        ({"meetingId": "none-such-room"}, 404, "Room not found."),
        ({"metadata": "text"}, 400, "metadata must be an object."),
    ],
)
async def test_a_dispatch_that_cannot_be_made_is_refused(
    sandbox: Sandbox, changes: dict[str, object], status: int, message: str
) -> None:
    caller = await sandbox.caller()
    body = {"agentId": AGENT, "meetingId": caller["roomId"], **changes}
    response = await sandbox.http.post("/v2/agent/dispatch", json=body)
    assert (response.status_code, response.json()["message"]) == (status, message)
    assert "dispatch" not in await sandbox.kinds()
