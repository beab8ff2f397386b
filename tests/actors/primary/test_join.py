"""How an AI joins its room: it waits for a missing room, and never disconnects another agent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from tests.testkit.provider_sandbox import Cloud
from warmxfer.actors.primary import PrimarySettings, run
from warmxfer.actors.primary.sandbox_agent import actor, join
from warmxfer.adapters.rooms import JoinOptions, RoomSettings, open_room_client
from warmxfer.bus import Bus, LiveMessage, subjects
from warmxfer.schemas import InvalidRequest, RetryableError, RoomTokenQuery, decode_as, encode

TIMEOUT_S = 10.0
WITH_GATEWAY = pytest.mark.usefixtures("gateway")
CALLER = "+14155550201"


@pytest.fixture
async def gateway(bus: Bus, cloud: Cloud) -> AsyncIterator[None]:
    """The gateway's part: reply to token queries."""

    async def mint(message: LiveMessage) -> bytes:
        query = decode_as(RoomTokenQuery, message.data)
        return encode(await cloud.ticket(query.room_id, query.participant_id)())

    async with bus.serve(subjects.ANY_SESSION_TOKEN, mint):
        yield


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "WAIT_S", 0.5)


class Primary:
    """`run` for one room, as a task; `ready` is set when it calls `ready`."""

    def __init__(self, bus: Bus, room_id: str) -> None:
        self.ready = asyncio.Event()
        self.task = asyncio.create_task(
            run(bus, PrimarySettings(room_ids=(room_id,)), ready=self.ready.set), name=f"primary-{room_id}"
        )

    async def wait_ready(self) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await self.ready.wait()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task], timeout=TIMEOUT_S)

    async def refusal(self) -> str:
        """Return the sentence with which the process ends."""
        with pytest.raises((InvalidRequest, RetryableError)) as refused:
            await asyncio.wait_for(self.task, TIMEOUT_S)
        return str(refused.value)


async def call(cloud: Cloud, room_id: str) -> None:
    reply = await cloud.http.post("/sandbox/calls", json={"from": CALLER, "roomId": room_id})
    reply.raise_for_status()


async def agents_joined(cloud: Cloud, room_id: str) -> int:
    joined = await cloud.ledger(room_id, "joined")
    return [each["participantId"] for each in joined].count(f"agent-{room_id}")


@pytest.fixture
def room_id() -> str:
    return f"room-{secrets.token_hex(4)}"


@WITH_GATEWAY
async def test_a_room_that_is_never_opened_ends_the_process_with_one_sentence(
    bus: Bus, room_id: str, short_wait: None
) -> None:
    primary = Primary(bus, room_id)
    sentence = await primary.refusal()
    assert sentence.startswith(
        f"WARMXFER_ROOM_ID has '{room_id}', but no such room was opened within 0.5 s; place"
    )
    assert not primary.ready.is_set()


@WITH_GATEWAY
async def test_the_ai_joins_a_room_that_is_opened_later(bus: Bus, cloud: Cloud, room_id: str) -> None:
    primary = Primary(bus, room_id)
    await asyncio.sleep(0.5)
    assert not primary.ready.is_set()
    await call(cloud, room_id)
    await primary.wait_ready()
    assert await agents_joined(cloud, room_id) == 1
    await primary.end()


@WITH_GATEWAY
async def test_a_second_ai_of_a_room_does_not_join_and_ends_with_one_sentence(
    bus: Bus, cloud: Cloud, room_id: str, short_wait: None
) -> None:
    """Regression: two agents restarted in a loop, because each join disconnected the other."""
    await call(cloud, room_id)
    first = Primary(bus, room_id)
    await first.wait_ready()
    second = Primary(bus, room_id)
    sentence = await second.refusal()
    assert sentence.startswith(
        f"WARMXFER_ROOM_ID has '{room_id}', but another process runs the AI agent of this room; give"
    )
    assert (second.ready.is_set(), first.task.done()) == (False, False)
    assert await agents_joined(cloud, room_id) == 1
    await first.end()


@WITH_GATEWAY
async def test_a_second_ai_joins_when_the_first_has_left(bus: Bus, cloud: Cloud, room_id: str) -> None:
    await call(cloud, room_id)
    first = Primary(bus, room_id)
    await first.wait_ready()
    second = Primary(bus, room_id)
    await asyncio.sleep(0.5)
    assert not second.ready.is_set()
    await first.end()
    await second.wait_ready()
    await second.end()


@WITH_GATEWAY
async def test_a_replaced_ai_ends_with_one_sentence(bus: Bus, cloud: Cloud, room_id: str) -> None:
    """Two agents that start at the same moment do not see each other's reply."""
    await call(cloud, room_id)
    primary = Primary(bus, room_id)
    await primary.wait_ready()
    participant_id = f"agent-{room_id}"
    other = open_room_client(
        RoomSettings(), JoinOptions(room_id, participant_id, "Agent", cloud.ticket(room_id, participant_id))
    )
    await other.join()
    try:
        assert "another process runs the AI agent of this room" in await primary.refusal()
    finally:
        await other.leave()


async def test_without_a_gateway_the_process_ends_with_one_sentence(
    bus: Bus, room_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor, "FIRST_JOIN_S", 1.0)
    primary = Primary(bus, room_id)
    assert await primary.refusal() == (
        f"Room {room_id} could not be joined within 1 s: "
        "no gateway replied; start one with `warmxfer run gateway`"
    )
    assert not primary.ready.is_set()
