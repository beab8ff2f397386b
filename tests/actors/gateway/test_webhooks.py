"""Webhooks: from the cloud's own hand onto the bus, once, and from nobody else's."""

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

from .gateway_fixture import PATIENCE_S, Bridge, Office, build_bridge

BUSY, READY = "+14155550102", "+14155550101"


async def post(url: str, body: bytes, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        return await http.post(url, content=body, headers=headers)


async def counted(url: str) -> dict[str, int]:
    """How many webhooks the gateway has taken, refused or ignored, by word."""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        health = (await http.get(url.replace("/webhooks/videosdk", "/healthz"))).json()
    assert health["ok"] is True
    return health["webhooks"]


def left(office: Office, **more: Any) -> bytes:
    data = {"meetingId": "room-1", "participantId": f"wxc-{office.id}", "reason": "user-left", **more}
    return json.dumps({"webhookType": "participant-left", "data": data}).encode()


def stranger_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def test_a_rooms_own_webhooks_reach_the_bus_signed(idle_office: Office) -> None:
    """Rooms are created with our own address, as the cloud is on this machine; its key is fetched."""
    office = idle_office
    await office.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY="fetch")
    room = (await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)).room_id
    await office.tell(office.dial(room, READY))
    joined = await office.event(ParticipantJoined)
    assert (joined.room_id, joined.participant_id) == (room, office.supervisor)
    await office.cloud.hang_up(office.supervisor)
    ended = await office.event(SupervisorCallEnded)
    assert (ended.attempt, ended.cause, ended.sip_code) == (1, CallCause.HUNG_UP, None)
    gone = await office.event(ParticipantLeft)
    assert (gone.room_id, gone.participant_id, gone.reason) == (room, office.supervisor, "user-left")


async def test_a_busy_supervisor_is_told_with_the_sip_code(idle_office: Office) -> None:
    office = idle_office
    await office.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY="fetch")
    room = (await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)).room_id
    await office.tell(office.dial(room, BUSY))
    ended = await office.event(SupervisorCallEnded)
    assert (ended.cause, ended.sip_code) == (CallCause.BUSY, 486)


async def test_a_moved_caller_who_hangs_up_is_told(idle_office: Office) -> None:
    office = idle_office
    await office.start_with_webhooks()
    bridge: Bridge = await build_bridge(office)
    await office.tell(office.switch(bridge.caller, bridge.supervisor, bridge.consult))
    await office.cloud.wait_ledger(bridge.consult, "joined", 2)
    await office.cloud.hang_up(f"wxc-{office.id}")
    assert (await office.event(CallerCallEnded)).call_id == bridge.caller


async def test_the_same_body_twice_is_one_fact(idle_office: Office) -> None:
    url = await idle_office.start_with_webhooks()
    for _ in range(3):
        assert (await post(url, left(idle_office))).json() == {"status": "taken"}
    assert (await post(url, left(idle_office, sessionId="another"))).status_code == 200
    assert len(await idle_office.events()) == 2


async def test_forged_webhooks_are_turned_away(idle_office: Office) -> None:
    url = await idle_office.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY="fetch")
    body = left(idle_office)
    assert (await post(url, body)).status_code == 401
    assert (await post(url, body, **{"videosdk-signature": "AAAA"})).status_code == 401
    assert (await post(url, body, **{"videosdk-signature": "this is no base64"})).status_code == 401
    assert await idle_office.events() == []


async def test_a_key_of_somebody_else_admits_nobody(idle_office: Office) -> None:
    """The cloud signs with its own key; the gateway was given another."""
    office = idle_office
    url = await office.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY=stranger_pem())
    room = (await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)).room_id
    await office.cloud.dial(room, office.supervisor, READY)
    async with asyncio.timeout(PATIENCE_S):
        while not (await counted(url)).get("forged"):
            await asyncio.sleep(0.02)
    assert "taken" not in await counted(url)
    assert [type(event) for event in await office.events()] == [RoomCreated]


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
        (b'{"webhookType":"call-hangup","data":{"callId":"c","participantId":"somebody"}}', 200),
        (b" " * (64 * 1024 + 1), 413),
    ],
)
async def test_what_is_not_ours_changes_nothing(idle_office: Office, body: bytes, status: int) -> None:
    url = await idle_office.start_with_webhooks()
    assert (await post(url, body)).status_code == status
    webhooks = await counted(url)
    assert sum(webhooks.values()) == 1
    assert "taken" not in webhooks


async def test_a_port_that_is_taken_is_refused_in_one_sentence(idle_office: Office) -> None:
    url = await idle_office.start_with_webhooks()
    port = url.split(":")[2].split("/")[0]
    sentence = rf"WARMXFER_WEBHOOK_PORT is {port}, which cannot be bound on 127.0.0.1"
    with pytest.raises(InvalidRequest, match=sentence):
        await idle_office.start_with_webhooks(WARMXFER_WEBHOOK_PORT=port)
    idle_office.gateways.pop()


async def test_a_cloud_that_takes_no_address_stops_nothing(idle_office: Office) -> None:
    office = idle_office
    await office.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/webhooks"}, 0, status=500)
    await office.start_with_webhooks()
    await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)
