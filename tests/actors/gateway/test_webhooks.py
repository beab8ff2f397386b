"""Webhooks: the cloud's signed notices are published once, and no others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    CreateRoom,
    InvalidRequest,
    ParticipantJoined,
    ParticipantLeft,
    RoomCreated,
    SupervisorCallEnded,
)

from .gateway_fixture import PATIENCE_S, Bridge, GatewayHarness, build_bridge

BUSY, READY = "+14155550102", "+14155550101"


async def post(url: str, body: bytes, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        return await http.post(url, content=body, headers=headers)


async def counted(url: str) -> dict[str, int]:
    """Return how many webhooks the gateway has handled, by result."""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        health = (await http.get(url.replace("/webhooks/videosdk", "/healthz"))).json()
    assert health["ok"] is True
    return health["webhooks"]


def participant_left_body(harness: GatewayHarness, **more: Any) -> bytes:
    data = {"meetingId": "room-1", "participantId": f"wxc-{harness.id}", "reason": "user-left", **more}
    return json.dumps({"webhookType": "participant-left", "data": data}).encode()


def other_key_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def test_signed_webhooks_of_a_room_are_published(idle_harness: GatewayHarness) -> None:
    """The gateway creates rooms with its own address, because the cloud runs on this machine. It fetches the
    cloud's key.
    """
    harness = idle_harness
    await harness.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY="fetch")
    room = (await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)).room_id
    await harness.send(harness.dial(room, READY))
    joined = await harness.event(ParticipantJoined)
    assert (joined.room_id, joined.participant_id) == (room, harness.supervisor)
    await harness.cloud.hang_up(harness.supervisor)
    ended = await harness.event(SupervisorCallEnded)
    assert (ended.attempt, ended.cause, ended.sip_code) == (1, CallCause.HUNG_UP, None)
    departed = await harness.event(ParticipantLeft)
    assert (departed.room_id, departed.participant_id, departed.reason) == (
        room,
        harness.supervisor,
        "user-left",
    )


async def test_a_busy_supervisor_is_reported_with_the_sip_code(idle_harness: GatewayHarness) -> None:
    harness = idle_harness
    await harness.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY="fetch")
    room = (await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)).room_id
    await harness.send(harness.dial(room, BUSY))
    ended = await harness.event(SupervisorCallEnded)
    assert (ended.cause, ended.sip_code) == (CallCause.BUSY, 486)


async def test_the_hang_up_of_a_moved_caller_is_published(idle_harness: GatewayHarness) -> None:
    harness = idle_harness
    await harness.start_with_webhooks()
    bridge: Bridge = await build_bridge(harness)
    await harness.send(harness.switch(bridge.caller, bridge.supervisor, bridge.consult))
    await harness.cloud.wait_ledger(bridge.consult, "joined", 2)
    await harness.cloud.hang_up(f"wxc-{harness.id}")
    assert (await harness.event(CallerCallEnded)).call_id == bridge.caller


async def test_the_same_body_twice_is_one_event(idle_harness: GatewayHarness) -> None:
    url = await idle_harness.start_with_webhooks()
    for status in ("taken", "repeated", "repeated"):
        assert (await post(url, participant_left_body(idle_harness))).json() == {"status": status}
    assert (await post(url, participant_left_body(idle_harness, sessionId="another"))).status_code == 200
    assert len(await idle_harness.events()) == 2


async def test_forged_webhooks_are_rejected(idle_harness: GatewayHarness) -> None:
    url = await idle_harness.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY="fetch")
    body = participant_left_body(idle_harness)
    assert (await post(url, body)).status_code == 401
    assert (await post(url, body, **{"videosdk-signature": "AAAA"})).status_code == 401
    assert (await post(url, body, **{"videosdk-signature": "this is no base64"})).status_code == 401
    assert await idle_harness.events() == []


async def test_webhooks_signed_with_another_key_are_rejected(idle_harness: GatewayHarness) -> None:
    """The cloud signs with its own key; the gateway was configured with another one."""
    harness = idle_harness
    url = await harness.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY=other_key_pem())
    room = (await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)).room_id
    await harness.cloud.dial(room, harness.supervisor, READY)
    async with asyncio.timeout(PATIENCE_S):
        while not (await counted(url)).get("forged"):
            await asyncio.sleep(0.02)
    assert "taken" not in await counted(url)
    assert [type(event) for event in await harness.events()] == [RoomCreated]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"[" * 60_000, 400),
        (b'{"webhookType":"call-hangup","data":{}}', 400),
        (b'{"webhookType":"participant-left","data":{"meetingId":7}}', 400),
        (b'{"webhookType":"call-answered","data":{"callId":"c","participantId":"wxs-t-1"}}', 200),
        (b'{"webhookType":"session-ended","data":{}}', 200),
        (b'{"webhookType":"call-hangup","data":{"callId":"c","participantId":"unknown"}}', 200),
        (b" " * (64 * 1024 + 1), 413),
    ],
)
async def test_an_irrelevant_or_invalid_webhook_publishes_nothing(
    idle_harness: GatewayHarness, body: bytes, status: int
) -> None:
    url = await idle_harness.start_with_webhooks()
    assert (await post(url, body)).status_code == status
    webhooks = await counted(url)
    assert sum(webhooks.values()) == 1
    assert "taken" not in webhooks


async def test_a_port_in_use_is_refused_in_one_sentence(idle_harness: GatewayHarness) -> None:
    url = await idle_harness.start_with_webhooks()
    port = url.split(":")[2].split("/")[0]
    sentence = rf"WARMXFER_WEBHOOK_PORT is {port}, which cannot be bound on 127.0.0.1"
    with pytest.raises(InvalidRequest, match=sentence):
        await idle_harness.start_with_webhooks(WARMXFER_WEBHOOK_PORT=port)
    idle_harness.gateways.pop()


async def test_a_failed_registration_of_webhooks_does_not_stop_the_gateway(
    idle_harness: GatewayHarness,
) -> None:
    harness = idle_harness
    await harness.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/webhooks"}, 0, status=500)
    await harness.start_with_webhooks()
    await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)
