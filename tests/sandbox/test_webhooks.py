"""Webhooks: selection, order, signature, and delivery when the receiver or the network fails."""

import asyncio
import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.testkit.slow_server import slow_server
from tests.testkit.waiting import until
from warmxfer.sandbox import Settings, webhooks
from warmxfer.sandbox.clock import Clock
from warmxfer.sandbox.faults import FaultRegistry
from warmxfer.sandbox.webhooks import MAX_CONNECTIONS, WebhookSender

from .client import Sandbox, WebhookReceiver, supervisor

RING = ["call-started", "call-ringing", "call-answered"]


async def register(sandbox: Sandbox, receiver: WebhookReceiver, *events: str) -> str:
    body = {"url": receiver.url, "events": list(events)}
    return (await sandbox.ok("POST", "/v2/sip/webhooks", json=body))["id"]


async def test_the_webhooks_of_a_call_arrive_in_order(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    await register(sandbox, receiver)
    metadata = {"transferKey": "t1"}
    room_id = await sandbox.room()
    call_id = await sandbox.dial(room_id, supervisor("0109"), metadata=metadata, participant={"id": "sup"})
    async with sandbox.agent(room_id) as agent:
        await agent.wait_for("audio-stream-enabled")
        await agent.say("Ready?")
        assert await receiver.wait_for("call-hangup") == [*RING, "call-hangup"]
    [answered] = receiver.of("call-answered")
    assert [entry.pop("timestamp")[-1] for entry in answered["timelog"]] == ["Z"] * 3
    assert answered == {
        "callId": call_id,
        "status": "answered",
        "type": "outbound",
        "roomId": room_id,
        "sessionId": answered["sessionId"],
        "sipCallTo": supervisor("0109"),
        "sipCallFrom": "+14155550100",
        "gatewayId": None,
        "metadata": metadata,
        "participantId": "sup",
        "timelog": [{"status": status} for status in ("initiated", "ringing", "answered")],
    }


async def test_an_unanswered_call_sends_call_missed(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    await register(sandbox, receiver)
    await sandbox.dial(await sandbox.room(), supervisor("0103"), ringingTimeout=1)
    assert await receiver.wait_for("call-missed") == ["call-started", "call-ringing", "call-missed"]
    assert receiver.of("call-missed")[0]["status"] == "not-answered"


async def test_a_busy_call_sends_its_sip_code(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    await register(sandbox, receiver)
    await sandbox.dial(await sandbox.room(), supervisor("0102"))
    assert await receiver.wait_for("call-hangup") == ["call-started", "call-hangup"]
    assert receiver.of("call-hangup")[0]["timelog"][-1]["sipCode"] == 486


async def test_a_switch_sends_its_webhooks(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    caller, target = await sandbox.caller(), await sandbox.room()
    async with sandbox.agent(target):
        await register(sandbox, receiver)
        await sandbox.switch(caller["callId"], target)
        kinds = ["switch-room-initiated", "switch-room-completed", "call-update"]
        assert await receiver.wait_for("call-update") == kinds
        assert [receiver.of(kind)[0]["roomId"] for kind in kinds] == [target] * 3
        await sandbox.fault({"switch": True}, "fails")
        await sandbox.switch(caller["callId"], target)
        await receiver.wait_for("switch-room-failed")


async def test_a_room_sends_events_to_its_own_webhook(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    webhook = {"endPoint": receiver.url, "events": ["session*", "participant-*"]}
    room_id, other = await sandbox.room(webhook=webhook), await sandbox.room()
    async with sandbox.agent(room_id, "ai") as ai, sandbox.agent(other):
        await ai.send(type="leave")
        kinds = ["session-started", "participant-joined", "participant-left", "session-ended"]
        assert await receiver.wait_for("session-ended") == kinds
    [joined], [left], [ended] = (receiver.of(kind) for kind in kinds[1:])
    person = {
        "meetingId": room_id,
        "sessionId": ended["sessionId"],
        "participantId": "ai",
        "participantName": "ai",
    }
    assert joined == person
    assert left == {**person, "reason": "user-left"}
    assert (ended["meetingId"], ended["error"], ended["reason"]) == (room_id, None, "Meeting Ended.")


async def test_a_webhook_receives_only_its_events(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    await register(sandbox, receiver, "call-answered")
    await sandbox.dial(await sandbox.room(), supervisor("0101"))
    await receiver.wait_for("call-answered")
    assert receiver.kinds == ["call-answered"]


async def test_registrations_are_listed_and_deleted(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    webhook_id = await register(sandbox, receiver, "call-answered")
    [listed] = (await sandbox.ok("GET", "/v2/sip/webhooks"))["data"]
    assert (listed["id"], listed["url"], listed["events"]) == (webhook_id, receiver.url, ["call-answered"])
    await sandbox.ok("DELETE", f"/v2/sip/webhooks/{webhook_id}")
    assert (await sandbox.ok("GET", "/v2/sip/webhooks"))["data"] == []
    assert (await sandbox.http.delete(f"/v2/sip/webhooks/{webhook_id}")).status_code == 404
    assert (await sandbox.http.post("/v2/sip/webhooks", json={"url": "ftp://x"})).status_code == 400


async def test_every_webhook_is_signed_over_its_raw_body(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    await register(sandbox, receiver)
    await sandbox.dial(await sandbox.room(), supervisor("0102"))
    await receiver.wait_for("call-hangup")
    pem = (await sandbox.ok("GET", "/v2/public/rsa-public-key"))["publicKey"]
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    for headers, body in receiver.requests:
        signature = base64.b64decode(headers["videosdk-signature"])
        key.verify(signature, body, padding.PKCS1v15(), hashes.SHA256())


async def test_a_failing_receiver_is_tried_three_times(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    receiver.statuses = [500, 503]
    await register(sandbox, receiver, "call-started")
    await sandbox.dial(await sandbox.room(), supervisor("0103"))
    assert await receiver.wait_for("call-started", 3) == ["call-started"] * 3
    bodies = {body for _, body in receiver.requests}
    assert len(bodies) == 1
    assert (await sandbox.ok("GET", "/sandbox/state"))["webhooksGivenUp"] == 0


async def test_a_failing_receiver_gets_one_attempt_until_it_recovers(
    sandbox: Sandbox, receiver: WebhookReceiver
) -> None:
    """Found in a chaos run: three attempts per event of 450 rooms at two dead addresses took too long."""
    receiver.statuses = [503] * 4 + [200, 503]
    await register(sandbox, receiver, "call-started")
    for total_attempts in (3, 4, 5, 7):
        await sandbox.dial(await sandbox.room(), supervisor("0102"))
        await receiver.wait_for("call-started", total_attempts)
        await asyncio.sleep(0.1)
    bodies = [body for _, body in receiver.requests]
    assert [bodies.count(body) for body in dict.fromkeys(bodies)] == [3, 1, 1, 2]


async def test_a_4xx_response_is_not_retried(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    receiver.statuses = [400]
    await register(sandbox, receiver, "call-started", "call-ringing")
    await sandbox.dial(await sandbox.room(), supervisor("0103"))
    assert await receiver.wait_for("call-ringing") == ["call-started", "call-ringing"]


async def test_an_absent_receiver_does_not_delay_calls(sandbox: Sandbox) -> None:
    await sandbox.ok(
        "POST", "/v2/sip/webhooks", json={"url": "http://127.0.0.1:1/", "events": ["call-started"]}
    )
    call_id = await sandbox.dial(await sandbox.room(), supervisor("0101"))
    await sandbox.wait_for_entry("answered", callId=call_id)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("drop", ["call-started", "call-answered"]),
        ("duplicate", ["call-started", "call-ringing", "call-ringing", "call-answered"]),
        ("reorder", ["call-started", "call-answered", "call-ringing"]),
        ("delay", ["call-started", "call-ringing", "call-answered"]),
    ],
)
async def test_a_webhook_fault_drops_duplicates_reorders_or_delays(
    sandbox: Sandbox, receiver: WebhookReceiver, kind: str, expected: list[str]
) -> None:
    await register(sandbox, receiver, *RING)
    await sandbox.fault({"webhook": "call-ringing"}, kind, delayS=2.0)
    await sandbox.dial(await sandbox.room(), supervisor("0101"))
    await receiver.wait_for(expected[-1])
    await asyncio.sleep(0.05)
    assert receiver.kinds == expected


async def test_a_webhook_fault_can_match_all_events(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    await register(sandbox, receiver, *RING)
    await sandbox.fault({"webhook": "*"}, "drop", times=2)
    await sandbox.dial(await sandbox.room(), supervisor("0101"))
    assert await receiver.wait_for("call-answered") == ["call-answered"]
    assert json.loads(receiver.requests[0][1])["data"]["status"] == "answered"


def unsigned_sender() -> WebhookSender:
    return WebhookSender(Settings("key", "secret", sign_webhooks=False), Clock(1.0), FaultRegistry())


async def test_events_one_after_another_use_one_connection() -> None:
    sender = unsigned_sender()
    async with slow_server() as server:
        sender.register(server.url, ())
        for number in range(20):
            sender.call_event(f"call-{number}", None, "call-started", {})
            await until(lambda count=number + 1: server.received == count)
            await asyncio.sleep(0.01)
        assert server.open == 1
        await sender.close()


async def test_events_of_many_calls_wait_for_a_limited_number_of_connections() -> None:
    sender = unsigned_sender()
    async with slow_server() as server:
        server.hold()
        sender.register(server.url, ())
        for number in range(MAX_CONNECTIONS + 50):
            sender.call_event(f"call-{number}", None, "call-started", {})
        await until(lambda: server.received == MAX_CONNECTIONS)
        assert server.open == MAX_CONNECTIONS
        server.release()
        await until(lambda: server.received == MAX_CONNECTIONS + 50)
        assert sender.given_up == 0
        await sender.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
async def test_receivers_may_answer_in_any_framing(answer: bytes) -> None:
    sender = unsigned_sender()
    async with slow_server() as server:
        server.answer = answer
        sender.register(server.url, ())
        for kind in (*RING, "call-hangup"):
            sender.call_event("call-1", None, kind, {})
        await until(lambda: server.received == 4)  # an event is sent once the one before it was answered
        assert sender.given_up == 0
        await sender.close()


async def test_a_receiver_that_never_answers_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "REQUEST_TIMEOUT_S", 0.1)
    sender = unsigned_sender()
    async with slow_server() as server:
        server.hold()
        sender.register(server.url, ())
        sender.call_event("call-1", None, "call-started", {})
        await until(lambda: sender.given_up == 1)
        assert server.received == 3
        await until(lambda: server.open == 0)
        server.release()
        await sender.close()


@pytest.mark.parametrize("url", ["http://", "http://host:port/", "ftp://host/", "http://h\u00f6st/", "text"])
async def test_an_address_that_is_none_is_given_up_and_stops_nothing(url: str) -> None:
    sender = unsigned_sender()
    sender.register(url, ())
    sender.call_event("call-1", None, "call-started", {})
    await until(lambda: sender.given_up == 1)
    await sender.close()


async def test_a_reset_during_deliveries_costs_no_connection() -> None:
    """A reset cancels deliveries. Before, the connections of cancelled requests were lost for good."""
    sender = unsigned_sender()
    async with slow_server() as server:
        for _ in range(4):
            before = server.received
            server.hold()
            sender.register(server.url, ())
            for number in range(150):
                sender.call_event(f"call-{number}", None, "call-started", {})
            await until(lambda before=before: server.received >= before + 100)
            sender.clear()
            server.release()
        before = server.received
        sender.register(server.url, ())
        sender.call_event("last", None, "call-started", {})
        await until(lambda: server.received == before + 1, within_s=4.0)
        await sender.close()
