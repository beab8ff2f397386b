"""Room tokens: for an agent that a live transfer needs in this room, or a session's own; short-lived."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from tests.testkit.provider_sandbox import API_KEY, SECRET
from tests.testkit.sent_log import store_in_log
from warmxfer.bus import Busy, InvalidRequest, subjects
from warmxfer.schemas import RoomToken, RoomTokenQuery, decode_as, encode

from .gateway_fixture import GatewayHarness

ROOM = "abcd-efgh-ijkl"


async def request_token(
    harness: GatewayHarness, data: bytes, subject: str = subjects.ASK_ROOM_TOKEN
) -> RoomToken:
    return decode_as(RoomToken, await harness.bus.request(subject, data, timeout_s=5.0))


async def log_names_room(harness: GatewayHarness, **state: Any) -> None:
    """Store a log whose briefing agent `wxa-<id>` belongs into `ROOM`."""
    await store_in_log(
        harness.bus, harness.id, **{"room_id": ROOM, "begun": ["room", "join"], "stage": "ringing", **state}
    )


async def test_a_token_admits_the_briefing_agent_of_a_live_transfer_to_its_room(
    idle_harness: GatewayHarness,
) -> None:
    await idle_harness.start_with_webhooks()
    await log_names_room(idle_harness)
    agent = f"wxa-{idle_harness.id}"
    reply = await request_token(idle_harness, encode(RoomTokenQuery(room_id=ROOM, participant_id=agent)))
    assert reply.signaling_url == idle_harness.cloud.url
    claims = jwt.decode(reply.token, SECRET, algorithms=["HS256"])
    assert claims["exp"] - time.time() <= 300
    del claims["iat"], claims["exp"]
    assert claims == {
        "apikey": API_KEY,
        "version": 2,
        "permissions": ["allow_join"],
        "roles": ["rtc"],
        "roomId": ROOM,
        "participantId": agent,
    }


@pytest.mark.parametrize(
    ("room_id", "participant_id", "state"),
    [
        ("another-room", "wxa-{id}", {}),
        (ROOM, "wxa-{id}", {"stage": "failed"}),
        (ROOM, "wxa-{id}", {"stage": "completed"}),
        (ROOM, "wxs-{id}-1", {}),
        (ROOM, "wxc-{id}", {}),
        (ROOM, "agent-abcd-efgh-ijkl", {}),
        (ROOM, "anyone", {}),
    ],
)
async def test_no_token_for_another_room_or_participant(
    idle_harness: GatewayHarness, room_id: str, participant_id: str, state: dict[str, Any]
) -> None:
    """Before, any client of the broker got a token for any room, and so heard any call."""
    await idle_harness.start_with_webhooks()
    await log_names_room(idle_harness, **state)
    query = RoomTokenQuery(room_id=room_id, participant_id=participant_id.format(id=idle_harness.id))
    with pytest.raises(InvalidRequest, match="No live transfer needs this participant in this room"):
        await request_token(idle_harness, encode(query))


async def test_no_token_for_a_transfer_without_a_log(idle_harness: GatewayHarness) -> None:
    await idle_harness.start_with_webhooks()
    query = RoomTokenQuery(room_id=ROOM, participant_id=f"wxa-{idle_harness.id}")
    with pytest.raises(Busy, match="does not name its room yet"):
        await request_token(idle_harness, encode(query))


async def test_a_session_gets_a_token_for_its_ai_in_its_own_room_only(idle_harness: GatewayHarness) -> None:
    await idle_harness.start_with_webhooks()
    own = encode(RoomTokenQuery(room_id="room-1", participant_id="agent-room-1"))
    reply = await request_token(idle_harness, own, subjects.ask_session_token("room-1"))
    assert jwt.decode(reply.token, SECRET, algorithms=["HS256"])["participantId"] == "agent-room-1"
    for subject in (subjects.ask_session_token("room-2"), subjects.ASK_ROOM_TOKEN):
        with pytest.raises(InvalidRequest):
            await request_token(idle_harness, own, subject)
    other = encode(RoomTokenQuery(room_id="room-1", participant_id="agent-room-2"))
    with pytest.raises(InvalidRequest):
        await request_token(idle_harness, other, subjects.ask_session_token("room-1"))


@pytest.mark.parametrize(
    ("brief_by", "session", "given"),
    [
        ("session", "s-1", True),
        ("session", "s-2", False),
        ("session", None, False),
        ("briefing", "s-1", False),
        ("briefing", None, True),
    ],
)
async def test_the_agent_is_the_one_that_the_request_names(
    idle_harness: GatewayHarness, brief_by: str, session: str | None, given: bool
) -> None:
    await idle_harness.start_with_webhooks()
    await log_names_room(
        idle_harness, request={"room_id": "p", "session": "s-1", "config": {"brief_by": brief_by}}
    )
    query = encode(RoomTokenQuery(room_id=ROOM, participant_id=f"wxa-{idle_harness.id}"))
    subject = subjects.ASK_ROOM_TOKEN if session is None else subjects.ask_session_token(session)
    if given:
        assert await request_token(idle_harness, query, subject)
    else:
        with pytest.raises(InvalidRequest):
            await request_token(idle_harness, query, subject)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"room_id":"a b","participant_id":"x"}'])
async def test_a_wrong_query_is_refused(idle_harness: GatewayHarness, data: bytes) -> None:
    await idle_harness.start_with_webhooks()
    with pytest.raises(InvalidRequest):
        await request_token(idle_harness, data)
