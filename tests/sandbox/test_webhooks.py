"""Webhooks: which, in what order, signed, and what happens when the receiver or the road is bad."""

import asyncio
import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .client import Mailbox, Sandbox, supervisor

RING = ["call-started", "call-ringing", "call-answered"]


async def register(sandbox: Sandbox, mailbox: Mailbox, *events: str) -> str:
    body = {"url": mailbox.url, "events": list(events)}
    return (await sandbox.ok("POST", "/v2/sip/webhooks", json=body))["id"]


async def test_a_call_is_told_in_order(sandbox: Sandbox, mailbox: Mailbox) -> None:
    await register(sandbox, mailbox)
    metadata = {"transferKey": "t1"}
    room_id = await sandbox.room()
    call_id = await sandbox.dial(room_id, supervisor("0109"), metadata=metadata, participant={"id": "sup"})
    async with sandbox.agent(room_id) as agent:
        await agent.until("audio-stream-enabled")
        await agent.say("Ready?")
        assert await mailbox.until("call-hangup") == [*RING, "call-hangup"]
    [answered] = mailbox.of("call-answered")
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


async def test_a_call_nobody_answers_is_missed(sandbox: Sandbox, mailbox: Mailbox) -> None:
    await register(sandbox, mailbox)
    await sandbox.dial(await sandbox.room(), supervisor("0103"), ringingTimeout=1)
    assert await mailbox.until("call-missed") == ["call-started", "call-ringing", "call-missed"]
    assert mailbox.of("call-missed")[0]["status"] == "not-answered"


async def test_busy_is_told_with_its_sip_code(sandbox: Sandbox, mailbox: Mailbox) -> None:
    await register(sandbox, mailbox)
    await sandbox.dial(await sandbox.room(), supervisor("0102"))
    assert await mailbox.until("call-hangup") == ["call-started", "call-hangup"]
    assert mailbox.of("call-hangup")[0]["timelog"][-1]["sipCode"] == 486


async def test_a_switch_is_told(sandbox: Sandbox, mailbox: Mailbox) -> None:
    caller, target = await sandbox.caller(), await sandbox.room()
    async with sandbox.agent(target):
        await register(sandbox, mailbox)
        await sandbox.switch(caller["callId"], target)
        kinds = ["switch-room-initiated", "switch-room-completed", "call-update"]
        assert await mailbox.until("call-update") == kinds
        assert [mailbox.of(kind)[0]["roomId"] for kind in kinds] == [target] * 3
        await sandbox.fault({"switch": True}, "fails")
        await sandbox.switch(caller["callId"], target)
        await mailbox.until("switch-room-failed")


async def test_a_room_tells_its_own_hook(sandbox: Sandbox, mailbox: Mailbox) -> None:
    hook = {"endPoint": mailbox.url, "events": ["session*", "participant-*"]}
    room_id, other = await sandbox.room(webhook=hook), await sandbox.room()
    async with sandbox.agent(room_id, "ai") as ai, sandbox.agent(other):
        await ai.send(type="leave")
        kinds = ["session-started", "participant-joined", "participant-left", "session-ended"]
        assert await mailbox.until("session-ended") == kinds
    [joined], [left], [ended] = (mailbox.of(kind) for kind in kinds[1:])
    person = {
        "meetingId": room_id,
        "sessionId": ended["sessionId"],
        "participantId": "ai",
        "participantName": "ai",
    }
    assert joined == person
    assert left == {**person, "reason": "user-left"}
    assert (ended["meetingId"], ended["error"], ended["reason"]) == (room_id, None, "Meeting Ended.")


async def test_only_the_events_asked_for(sandbox: Sandbox, mailbox: Mailbox) -> None:
    await register(sandbox, mailbox, "call-answered")
    await sandbox.dial(await sandbox.room(), supervisor("0101"))
    await mailbox.until("call-answered")
    assert mailbox.kinds == ["call-answered"]


async def test_registrations_are_listed_and_deleted(sandbox: Sandbox, mailbox: Mailbox) -> None:
    webhook_id = await register(sandbox, mailbox, "call-answered")
    [listed] = (await sandbox.ok("GET", "/v2/sip/webhooks"))["data"]
    assert (listed["id"], listed["url"], listed["events"]) == (webhook_id, mailbox.url, ["call-answered"])
    await sandbox.ok("DELETE", f"/v2/sip/webhooks/{webhook_id}")
    assert (await sandbox.ok("GET", "/v2/sip/webhooks"))["data"] == []
    assert (await sandbox.http.delete(f"/v2/sip/webhooks/{webhook_id}")).status_code == 404
    assert (await sandbox.http.post("/v2/sip/webhooks", json={"url": "ftp://x"})).status_code == 400


async def test_every_letter_is_signed_over_its_raw_body(sandbox: Sandbox, mailbox: Mailbox) -> None:
    await register(sandbox, mailbox)
    await sandbox.dial(await sandbox.room(), supervisor("0102"))
    await mailbox.until("call-hangup")
    pem = (await sandbox.ok("GET", "/v2/public/rsa-public-key"))["publicKey"]
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    for headers, body in mailbox.letters:
        signature = base64.b64decode(headers["videosdk-signature"])
        key.verify(signature, body, padding.PKCS1v15(), hashes.SHA256())


async def test_a_failing_receiver_is_tried_three_times(sandbox: Sandbox, mailbox: Mailbox) -> None:
    mailbox.answers = [500, 503]
    await register(sandbox, mailbox, "call-started")
    await sandbox.dial(await sandbox.room(), supervisor("0103"))
    assert await mailbox.until("call-started", 3) == ["call-started"] * 3
    bodies = {body for _, body in mailbox.letters}
    assert len(bodies) == 1
    assert (await sandbox.ok("GET", "/sandbox/state"))["webhooksGivenUp"] == 0


async def test_a_receiver_that_has_died_costs_little(sandbox: Sandbox, mailbox: Mailbox) -> None:
    """Found by chaos: three tries for each event of 450 rooms, at two dead addresses, took all its time."""
    mailbox.answers = [503] * 4 + [200, 503]
    await register(sandbox, mailbox, "call-started")
    for tries_in_all in (3, 4, 5, 7):
        await sandbox.dial(await sandbox.room(), supervisor("0102"))
        await mailbox.until("call-started", tries_in_all)
        await asyncio.sleep(0.1)
    bodies = [body for _, body in mailbox.letters]
    assert [bodies.count(body) for body in dict.fromkeys(bodies)] == [3, 1, 1, 2]


async def test_a_receiver_that_says_no_is_not_asked_again(sandbox: Sandbox, mailbox: Mailbox) -> None:
    mailbox.answers = [400]
    await register(sandbox, mailbox, "call-started", "call-ringing")
    await sandbox.dial(await sandbox.room(), supervisor("0103"))
    assert await mailbox.until("call-ringing") == ["call-started", "call-ringing"]


async def test_an_absent_receiver_is_nobodys_trouble(sandbox: Sandbox) -> None:
    await sandbox.ok(
        "POST", "/v2/sip/webhooks", json={"url": "http://127.0.0.1:1/", "events": ["call-started"]}
    )
    call_id = await sandbox.dial(await sandbox.room(), supervisor("0101"))
    await sandbox.entry("answered", callId=call_id)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("drop", ["call-started", "call-answered"]),
        ("duplicate", ["call-started", "call-ringing", "call-ringing", "call-answered"]),
        ("reorder", ["call-started", "call-answered", "call-ringing"]),
        ("delay", ["call-started", "call-ringing", "call-answered"]),
    ],
)
async def test_bad_roads(sandbox: Sandbox, mailbox: Mailbox, kind: str, expected: list[str]) -> None:
    await register(sandbox, mailbox, *RING)
    await sandbox.fault({"webhook": "call-ringing"}, kind, delayS=2.0)
    await sandbox.dial(await sandbox.room(), supervisor("0101"))
    await mailbox.until(expected[-1])
    await asyncio.sleep(0.05)
    assert mailbox.kinds == expected


async def test_any_webhook_can_be_struck(sandbox: Sandbox, mailbox: Mailbox) -> None:
    await register(sandbox, mailbox, *RING)
    await sandbox.fault({"webhook": "*"}, "drop", times=2)
    await sandbox.dial(await sandbox.room(), supervisor("0101"))
    assert await mailbox.until("call-answered") == ["call-answered"]
    assert json.loads(mailbox.letters[0][1])["data"]["status"] == "answered"
