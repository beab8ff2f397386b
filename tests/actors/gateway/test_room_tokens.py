"""Room tokens: for one participant in one room, short-lived, only for a valid query."""

from __future__ import annotations

import time

import jwt
import pytest

from tests.testkit.provider_sandbox import API_KEY, SECRET
from warmxfer.bus import InvalidRequest, subjects
from warmxfer.schemas import RoomToken, RoomTokenQuery, decode_as, encode

from .gateway_fixture import GatewayHarness


async def request_token(harness: GatewayHarness, data: bytes) -> RoomToken:
    return decode_as(RoomToken, await harness.bus.request(subjects.ASK_ROOM_TOKEN, data, timeout_s=5.0))


async def test_a_token_admits_one_participant_to_one_room(idle_harness: GatewayHarness) -> None:
    await idle_harness.start_with_webhooks()
    reply = await request_token(
        idle_harness, encode(RoomTokenQuery(room_id="abcd-efgh-ijkl", participant_id="wxa-t1"))
    )
    assert reply.signaling_url == idle_harness.cloud.url
    claims = jwt.decode(reply.token, SECRET, algorithms=["HS256"])
    assert claims["exp"] - time.time() <= 300
    del claims["iat"], claims["exp"]
    assert claims == {
        "apikey": API_KEY,
        "version": 2,
        "permissions": ["allow_join"],
        "roles": ["rtc"],
        "roomId": "abcd-efgh-ijkl",
        "participantId": "wxa-t1",
    }


@pytest.mark.parametrize("data", [b"", b"{}", b'{"room_id":"a b","participant_id":"x"}'])
async def test_a_wrong_query_is_refused(idle_harness: GatewayHarness, data: bytes) -> None:
    await idle_harness.start_with_webhooks()
    with pytest.raises(InvalidRequest):
        await request_token(idle_harness, data)
