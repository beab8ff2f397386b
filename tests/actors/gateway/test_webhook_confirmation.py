"""A reported end becomes an event only after the provider confirmed it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.testkit.waiting import until
from warmxfer.actors.gateway import webhook_confirmation
from warmxfer.schemas import CallerCallEnded, ParticipantLeft, SupervisorCallEnded, SupervisorDialed

from .gateway_fixture import Bridge, GatewayHarness
from .test_webhooks import counted, post


def hang_up_body(harness: GatewayHarness, call_id: str, **more: Any) -> bytes:
    """Return what the provider sends when the supervisor of this transfer hangs up."""
    metadata = {"warmxferId": harness.id, "attempt": "1", "attemptKey": f"{harness.id}-1"}
    data = {"callId": call_id, "type": "outbound", "status": "ended", "metadata": metadata, **more}
    return json.dumps({"webhookType": "call-hangup", "data": data}).encode()


async def dialed(harness: GatewayHarness) -> tuple[str, str]:
    """Dial a supervisor who stays on the phone; return the room and the call."""
    room = await harness.cloud.open_room()
    reply = await harness.execute(harness.dial(room), SupervisorDialed)
    return room, reply.call_id


async def test_a_forged_hang_up_of_a_live_leg_ends_nothing(idle_harness: GatewayHarness) -> None:
    """Before, a forged `call-hangup` ended a live transfer, with no read-back."""
    url = await idle_harness.start_with_webhooks()
    _, call_id = await dialed(idle_harness)
    reply = await post(url, hang_up_body(idle_harness, call_id))
    assert (reply.status_code, reply.json()) == (200, {"status": "unconfirmed"})
    assert (await counted(url))["unconfirmed"] == 1
    assert not any(isinstance(each, SupervisorCallEnded) for each in await idle_harness.events())


async def test_an_end_that_the_record_shows_a_moment_later_is_published(
    idle_harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider's records may be behind its webhooks."""
    monkeypatch.setattr(webhook_confirmation, "LATER_PAUSES_S", (0.3, 0.3, 0.3, 0.3))
    url = await idle_harness.start_with_webhooks()
    _, call_id = await dialed(idle_harness)
    assert (await post(url, hang_up_body(idle_harness, call_id))).json() == {"status": "unconfirmed"}
    await idle_harness.cloud.hang_up(idle_harness.supervisor)
    ended = await idle_harness.event(SupervisorCallEnded)
    assert ended.call_id == call_id


async def test_a_provider_that_does_not_answer_confirms_nothing(idle_harness: GatewayHarness) -> None:
    url = await idle_harness.start_with_webhooks()
    _, call_id = await dialed(idle_harness)
    match = {"method": "GET", "path": f"/v2/sip/call/{call_id}"}
    for _ in range(5):
        await idle_harness.cloud.break_once("status", match, 0, status=500)
    assert (await post(url, hang_up_body(idle_harness, call_id))).json() == {"status": "unconfirmed"}


async def test_a_call_that_the_provider_does_not_know_confirms_nothing(
    idle_harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, it was taken for a leg that is down: any call id ended a transfer whose marks are known."""
    monkeypatch.setattr(webhook_confirmation, "LATER_PAUSES_S", (0.1, 0.1))
    url = await idle_harness.start_with_webhooks()
    room, _ = await dialed(idle_harness)
    with capture_logs() as logs:
        reply = await post(url, hang_up_body(idle_harness, "no-such-call"))
        assert reply.json() == {"status": "unconfirmed"}
        await until(lambda: any(each["event"] == "reported_end_unconfirmed" for each in logs))
    assert await departed(idle_harness, url, room, idle_harness.supervisor) == "unconfirmed"
    assert not any(isinstance(each, SupervisorCallEnded) for each in await idle_harness.events())


async def test_a_reported_end_that_is_not_confirmed_when_the_gateway_stops_is_logged(
    idle_harness: GatewayHarness,
) -> None:
    """The provider does not send it again, so a leg check has to find it."""
    url = await idle_harness.start_with_webhooks()
    _, call_id = await dialed(idle_harness)
    await post(url, hang_up_body(idle_harness, call_id))
    with capture_logs() as logs:
        await idle_harness.stop()
    found = [each for each in logs if each["event"] == "reported_end_unconfirmed"]
    assert [(each["reported"], each["cause"]) for each in found] == [
        ("SupervisorCallEnded", "the gateway stops")
    ]


async def test_an_end_that_the_record_shows_as_the_gateway_stops_is_published(
    idle_harness: GatewayHarness,
) -> None:
    """Before, it was given up, and the next leg check was minutes away."""
    url = await idle_harness.start_with_webhooks(WARMXFER_WEBHOOK_URL="http://127.0.0.1:1/elsewhere")
    _, call_id = await dialed(idle_harness)
    assert (await post(url, hang_up_body(idle_harness, call_id))).json() == {"status": "unconfirmed"}
    # The provider's own webhook goes elsewhere: only the last read can show the end.
    await idle_harness.cloud.hang_up(idle_harness.supervisor)
    await idle_harness.stop()
    ended = await idle_harness.event(SupervisorCallEnded)
    assert ended.call_id == call_id


async def departed(harness: GatewayHarness, url: str, room: str, participant: str) -> str:
    """Report that a participant has left a room; return how the gateway took it."""
    data = {"meetingId": room, "participantId": participant, "reason": "user-left"}
    body = json.dumps({"webhookType": "participant-left", "data": data}).encode()
    return (await post(url, body)).json()["status"]


async def test_a_forged_departure_of_a_supervisor_who_is_there_ends_nothing(
    idle_harness: GatewayHarness,
) -> None:
    url = await idle_harness.start_with_webhooks()
    room, _ = await dialed(idle_harness)
    assert await departed(idle_harness, url, room, idle_harness.supervisor) == "unconfirmed"
    assert not any(isinstance(each, ParticipantLeft) for each in await idle_harness.events())
    assert await departed(idle_harness, url, "another-room", idle_harness.supervisor) == "taken"


async def test_a_forged_departure_of_a_caller_who_is_there_ends_nothing(
    idle_harness: GatewayHarness, bridge: Bridge
) -> None:
    url = await idle_harness.start_with_webhooks()
    await idle_harness.cloud.switch(bridge.caller, bridge.consult, f"wxc-{idle_harness.id}")
    await idle_harness.cloud.wait_ledger(bridge.consult, "joined", 2)
    assert await departed(idle_harness, url, bridge.consult, f"wxc-{idle_harness.id}") == "unconfirmed"
    assert not any(isinstance(each, ParticipantLeft) for each in await idle_harness.events())


async def test_a_forged_hang_up_of_the_caller_ends_nothing(
    idle_harness: GatewayHarness, bridge: Bridge
) -> None:
    url = await idle_harness.start_with_webhooks()
    data = {"callId": bridge.caller, "type": "inbound", "participantId": f"wxc-{idle_harness.id}"}
    body = json.dumps({"webhookType": "call-hangup", "data": data}).encode()
    assert (await post(url, body)).json() == {"status": "unconfirmed"}
    assert not any(isinstance(each, CallerCallEnded) for each in await idle_harness.events())


async def test_reported_ends_that_wait_are_limited(
    idle_harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_confirmation, "MAX_WAITING", 2)
    monkeypatch.setattr(webhook_confirmation, "FIRST_PAUSES_S", (0.0,))
    url = await idle_harness.start_with_webhooks()
    _, call_id = await dialed(idle_harness)
    bodies = [hang_up_body(idle_harness, call_id, n=n) for n in range(20)]
    replies = await asyncio.gather(*(post(url, body) for body in bodies))
    assert {each.json()["status"] for each in replies} == {"unconfirmed"}
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert names.count("end-confirmation") == 2
