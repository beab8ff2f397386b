"""The sandbox AI in a real room with a real caller: it converses, holds, releases and leaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.testkit.provider_sandbox import Cloud, Wire
from tests.testkit.sent_log import log_awaits_summary
from warmxfer.actors.primary import PrimarySettings, run
from warmxfer.actors.primary.sandbox_agent import session
from warmxfer.actors.primary.sandbox_agent.session import GREETING, REPLIES
from warmxfer.bus import Bus, Busy, LiveMessage, NoReply, subjects
from warmxfer.schemas import (
    CallerHeld,
    CallerReleased,
    History,
    HistoryQuery,
    InvalidRequest,
    ParticipantLeft,
    RetryableError,
    RoomTokenQuery,
    TranscriptTurn,
    decode_as,
    encode,
)

from .conftest import Boss

TIMEOUT_S = 10.0


@pytest.fixture
async def tokens(bus: Bus, cloud: Cloud) -> AsyncIterator[None]:
    """The gateway's part: reply to token queries."""

    async def mint(message: LiveMessage) -> bytes:
        query = decode_as(RoomTokenQuery, message.data)
        return encode(await cloud.ticket(query.room_id, query.participant_id)())

    async with bus.serve(subjects.ANY_SESSION_TOKEN, mint):
        yield


@pytest.fixture
def http(cloud: Cloud) -> httpx.AsyncClient:
    return cloud.http


async def call(http: httpx.AsyncClient, room_id: str | None = None, number: str = "+14155550201") -> dict:
    body = {"from": number} | ({"roomId": room_id} if room_id else {})
    reply = await http.post("/sandbox/calls", json=body)
    reply.raise_for_status()
    return reply.json()


@contextlib.asynccontextmanager
async def agents_in(bus: Bus, *room_ids: str) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(run(bus, PrimarySettings(room_ids=room_ids)))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def turns(bus: Bus, room_id: str, at_least: int) -> list[TranscriptTurn]:
    transfer_id = f"t-{room_id}"
    await log_awaits_summary(bus, transfer_id, room_id)
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                query = encode(HistoryQuery(transfer_id))
                reply = await bus.request(subjects.ask_history(room_id), query, 1.0)
            except (Busy, NoReply):
                reply = encode(History())
            spoken = decode_as(History, reply).turns
            if len(spoken) >= at_least:
                return spoken
            await asyncio.sleep(0.02)


async def participants(http: httpx.AsyncClient, room_id: str) -> dict[str, dict]:
    state = (await http.get("/sandbox/state")).json()
    room = next(each for each in state["rooms"] if each["roomId"] == room_id)
    return {each["id"]: each for each in room["participants"]}


async def test_the_ai_and_the_caller_converse(bus: Bus, tokens: None, http: httpx.AsyncClient) -> None:
    caller = await call(http)
    room_id = caller["roomId"]
    async with agents_in(bus, room_id):
        spoken = await turns(bus, room_id, 9)
    assert [each.text for each in spoken if each.role == "agent"] == [GREETING, *REPLIES]
    assert spoken[1] == TranscriptTurn("caller", "Hi, this is Ann. I was charged twice for order 4417.")
    assert [each.role for each in spoken] == ["agent", "caller"] * 4 + ["agent"]


async def test_on_hold_the_ai_hears_nothing_until_it_is_released(
    bus: Bus, tokens: None, http: httpx.AsyncClient, cloud: Cloud, transfer_id: str
) -> None:
    """The line to the caller on hold is spoken, and is no part of the conversation."""
    caller = await call(http, number="+14155550205")
    room_id = caller["roomId"]
    async with agents_in(bus, room_id), bus.subscribe(subjects.event(transfer_id, "primary")) as events:
        boss = Boss(bus, room_id, transfer_id, events)
        await turns(bus, room_id, 1)
        await boss.send(boss.hold("Please hold the line."))
        reply = await boss.hears()
        assert isinstance(reply, CallerHeld)
        assert reply.caller_participant_id == caller["participantId"]
        agent = (await participants(http, room_id))[f"agent-{room_id}"]
        assert agent["listening"] is False
        await asyncio.sleep(0.3)
        received = [each for each in await turns(bus, room_id, 1) if each.text == "Are you still there?"]
        assert received == [], "the AI must not hear the caller on hold"
        await boss.send(boss.release("I'm back."))
        assert isinstance(await boss.hears(), CallerReleased)
        assert (await participants(http, room_id))[f"agent-{room_id}"]["listening"] is True
        transcript = await turns(bus, room_id, 3)
        assert not any("hold" in turn.text for turn in transcript)
        spoken = await cloud.ledger(room_id, "speech")
        assert "Please hold the line." in [entry["text"] for entry in spoken]


async def test_a_caller_who_leaves_on_hold_is_reported_and_ends_the_session_after_the_release(
    bus: Bus,
    tokens: None,
    http: httpx.AsyncClient,
    transfer_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caller = await call(http, number="+14155550202")
    room_id = caller["roomId"]
    async with (
        agents_in(bus, room_id) as agents,
        bus.subscribe(subjects.event(transfer_id, "primary")) as events,
    ):
        boss = Boss(bus, room_id, transfer_id, events)
        await turns(bus, room_id, 1)
        await boss.send(boss.hold())
        await boss.hears()
        left = await boss.hears()
        assert isinstance(left, ParticipantLeft)
        assert (left.room_id, left.participant_id) == (room_id, caller["participantId"])
        assert not agents.done(), "auto-end is suspended"
        monkeypatch.setattr(session, "RETURN_GRACE_S", 0.1)
        await boss.send(boss.release(line=None))
        await boss.hears()
        async with asyncio.timeout(5.0):
            await agents


async def test_the_ai_leaves_the_room(
    bus: Bus, tokens: None, http: httpx.AsyncClient, transfer_id: str
) -> None:
    """Its own leave ends the program that serves the room."""
    room_id = (await call(http))["roomId"]
    async with (
        agents_in(bus, room_id) as agents,
        bus.subscribe(subjects.event(transfer_id, "primary")) as events,
    ):
        boss = Boss(bus, room_id, transfer_id, events)
        await turns(bus, room_id, 1)
        await boss.send(boss.hold())
        assert isinstance(await boss.hears(), CallerHeld)
        await boss.send(boss.leave())
        async with asyncio.timeout(5.0):
            await agents
        assert f"agent-{room_id}" not in await participants(http, room_id)


async def test_a_caller_who_returns_shortly_after_the_release_finds_the_ai(
    bus: Bus, tokens: None, cloud: Cloud, transfer_id: str
) -> None:
    caller = await call(cloud.http)
    room_id, other_room = caller["roomId"], await cloud.open_room()
    await cloud.dial(other_room, "other")
    await cloud.wait_ledger(other_room, "joined", 1)
    async with agents_in(bus, room_id), bus.subscribe(subjects.event(transfer_id, "primary")) as events:
        boss = Boss(bus, room_id, transfer_id, events)
        await turns(bus, room_id, 1)
        await boss.send(boss.hold())
        await boss.hears()
        await cloud.switch(caller["callId"], other_room, "moved")
        assert isinstance(await boss.hears(), ParticipantLeft)
        await boss.send(boss.release(line=None))
        assert isinstance(await boss.hears(), CallerReleased)
        await asyncio.sleep(0.2)
        await cloud.switch(caller["callId"], room_id, "back")
        await cloud.wait_ledger(room_id, "joined", 3)
        assert set(await participants(cloud.http, room_id)) == {f"agent-{room_id}", "back"}
        await cloud.say("back", "Are you still there?")
        assert TranscriptTurn("caller", "Are you still there?") in await turns(bus, room_id, 3)


async def test_the_ai_joins_again_after_a_long_disconnection(
    bus: Bus, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No gateway was running, so the reconnect got no token."""
    monkeypatch.setattr("warmxfer.adapters.rooms.sandbox.client.REJOIN_WITHIN_S", 0.2)
    room_id = (await call(cloud.http))["roomId"]
    gateway_down = asyncio.Event()
    async with Wire(cloud.url) as wire:

        async def mint(message: LiveMessage) -> bytes:
            if gateway_down.is_set():
                raise RetryableError("No gateway is there")
            query = decode_as(RoomTokenQuery, message.data)
            return encode(await cloud.ticket(query.room_id, query.participant_id, wire.url)())

        async with bus.serve(subjects.ANY_SESSION_TOKEN, mint), agents_in(bus, room_id):
            await turns(bus, room_id, 1)
            gateway_down.set()
            wire.cut()
            assert len(await cloud.wait_ledger(room_id, "left", 1)) == 1
            await asyncio.sleep(0.5)
            gateway_down.clear()
            await cloud.wait_ledger(room_id, "joined", 3)
            assert await turns(bus, room_id, 1)


async def test_rooms_are_served_although_one_does_not_exist(
    bus: Bus, tokens: None, http: httpx.AsyncClient
) -> None:
    rooms = [(await call(http))["roomId"] for _ in range(3)]
    async with agents_in(bus, "no-such-room", *rooms):
        spoken = [await turns(bus, each, 2) for each in rooms]
    assert [each[0] for each in spoken] == [TranscriptTurn("agent", GREETING)] * 3


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({}, r"WARMXFER_ROOM_ID is ''; give the room"),
        ({"WARMXFER_ROOM_ID": "a.b"}, r"WARMXFER_ROOM_ID is 'a\.b'"),
        (
            {"WARMXFER_ROOM_ID": "a", "WARMXFER_HOLD_LEASE_S": "0"},
            "WARMXFER_HOLD_LEASE_S is '0'",
        ),
        ({"WARMXFER_ROOM_ID": "a", "WARMXFER_VOICE": "horn"}, "WARMXFER_VOICE is 'horn'; use one of sandbox"),
        (
            {"WARMXFER_ROOM_ID": "a", "WARMXFER_VOICE": "videosdk"},
            "WARMXFER_VOICE is 'videosdk', but the demo AI",
        ),
    ],
)
def test_invalid_settings_are_refused_with_one_sentence(env: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        PrimarySettings.from_env(env)


def test_settings_accept_several_rooms() -> None:
    env = {"WARMXFER_ROOM_ID": "a, b", "WARMXFER_HOLD_LEASE_S": "5"} | dict(os.environ)
    assert PrimarySettings.from_env(env) == PrimarySettings(room_ids=("a", "b"), lease_s=5.0)
