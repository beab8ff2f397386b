"""The contract, section 6: which token may use the API, and which may join a room."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from warmxfer.adapters.telephony import Rejected

from .cloud import Cloud, new_key
from .sandbox_admin import SandboxAdmin

ROOM_TOKEN_LIFE_S = 300
OTHER_SECRET = "a-secret-of-another-project-32-bytes"


async def statuses(cloud: Cloud, token: str | None) -> tuple[int, int]:
    """Return the statuses of a GET and of a POST with this token."""
    cloud.http.headers.pop("authorization")
    headers = {} if token is None else {"authorization": token}
    asked = await cloud.http.get("/v2/sip/call", headers=headers)
    ordered = await cloud.http.post("/v2/rooms", headers=headers)
    return asked.status_code, ordered.status_code


async def test_a_room_token_is_narrow_and_short(cloud: Cloud) -> None:
    """§6 Tokens: role rtc, one room, one participant, minutes; signed HS256 with the secret."""
    before = int(time.time())
    claims = jwt.decode(cloud.provider.mint_token("room-1", "p-1"), cloud.target.secret, algorithms=["HS256"])
    assert (claims["apikey"], claims["version"]) == (cloud.target.api_key, 2)
    assert (claims["roles"], claims["permissions"]) == (["rtc"], ["allow_join"])
    assert (claims["roomId"], claims["participantId"]) == ("room-1", "p-1")
    assert before <= claims["iat"] <= int(time.time())
    assert claims["exp"] - claims["iat"] == ROOM_TOKEN_LIFE_S


async def test_a_rest_token_is_good(cloud: Cloud) -> None:
    """§6 Tokens: role crawler uses the API, sent raw, without "Bearer"."""
    answer = await cloud.http.get("/v2/sip/call", headers={"authorization": cloud.token()})
    assert answer.status_code == 200


async def test_a_room_token_does_not_use_the_api(cloud: Cloud) -> None:
    """§6 Tokens: a participant's token cannot use the REST API."""
    token = cloud.provider.mint_token(await cloud.room(), new_key())
    assert {*await statuses(cloud, token)} <= {401, 403}


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": int(time.time()) - 7_200, "exp": int(time.time()) - 3_600},
        {"secret": OTHER_SECRET},
        {"apikey": "00000000-0000-0000-0000-000000000000"},
        {"apikey": None},
    ],
    ids=["expired", "signed with another secret", "of another project", "of no project"],
)
async def test_a_bad_token_is_rejected(cloud: Cloud, claims: dict[str, Any]) -> None:
    """§6 Tokens: an expired, forged or foreign token is 401."""
    assert await statuses(cloud, cloud.token(**claims)) == (401, 401)


@pytest.mark.parametrize("token", [None, "not.a.token"])
async def test_a_missing_token_is_rejected(cloud: Cloud, token: str | None) -> None:
    """§6 Tokens: without one it is 401."""
    assert await statuses(cloud, token) == (401, 401)


async def test_our_provider_names_the_key_to_check(cloud: Cloud) -> None:
    """§6 Tokens: a wrong secret is reported as not done, with the remedy, without the secret."""
    mistaken = cloud.open_provider(VIDEOSDK_SECRET=OTHER_SECRET)
    try:
        with pytest.raises(Rejected, match="check VIDEOSDK_API_KEY and VIDEOSDK_SECRET") as refusal:
            await mistaken.create_room(new_key())
        assert refusal.value.status == 401
        assert OTHER_SECRET not in str(refusal.value)
    finally:
        await mistaken.aclose()


async def test_a_room_token_admits_one_participant_to_one_room(cloud: Cloud, admin: SandboxAdmin) -> None:
    """§6 Tokens: another room, another participant, or the role crawler is refused on joining."""
    here, there = await cloud.room(), await cloud.room()
    join_url = f"{cloud.target.url.replace('http', 'ws')}/v2/rooms"
    token = cloud.provider.mint_token(here, "p-1")
    for room_id, name, key in ((there, "p-1", token), (here, "p-2", token), (here, "p-1", cloud.token())):
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"{join_url}/{room_id}/join?participantId={name}&token={key}", open_timeout=5)
        assert refusal.value.response.status_code == httpx.codes.FORBIDDEN
    assert await admin.executed(here, "joined") == []
    async with connect(f"{join_url}/{here}/join?participantId=p-1&token={token}", open_timeout=5):
        [joined] = await admin.executed(here, "joined")
        assert joined["participantId"] == "p-1"
