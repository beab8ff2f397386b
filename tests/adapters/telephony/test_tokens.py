"""VideoSDK's tokens: permissions, validity and renewal."""

from __future__ import annotations

import time
from email.utils import formatdate

import jwt
import pytest

from warmxfer.adapters.telephony.videosdk.tokens import Tokens

from .scripted_cloud import SECRET


def claims(token: str) -> dict[str, object]:
    return jwt.decode(token, SECRET, algorithms=["HS256"])


def test_the_rest_token_joins_no_room() -> None:
    found = claims(Tokens("key", SECRET).for_rest())
    assert (found["apikey"], found["version"], found["roles"]) == ("key", 2, ["crawler"])
    assert "roomId" not in found


def test_a_room_token_has_no_rest_role() -> None:
    found = claims(Tokens("key", SECRET).for_room("r1", "p1"))
    assert (found["roles"], found["permissions"]) == (["rtc"], ["allow_join"])
    assert (found["roomId"], found["participantId"]) == ("r1", "p1")
    assert found["exp"] - found["iat"] == 300  # pyright: ignore[reportOperatorIssue]


def test_the_rest_token_is_reused_until_shortly_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tokens = Tokens("key", SECRET)
    first = tokens.for_rest()
    now += 470
    assert tokens.for_rest() == first
    now += 20
    assert tokens.for_rest() != first


@pytest.mark.parametrize("wrong_s", [-3_600.0, 3_600.0])
def test_a_token_has_the_clouds_time_once_that_is_known(
    wrong_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_time = time.time() + wrong_s
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: wrong_time)
        tokens = Tokens("key", SECRET)
    refused = tokens.for_rest()
    with pytest.raises(jwt.InvalidTokenError):
        claims(refused)
    assert tokens.observe(formatdate(usegmt=True))
    assert abs(claims(tokens.for_rest())["iat"] - time.time()) < 3  # pyright: ignore[reportOperatorIssue]
    assert not tokens.observe(formatdate(usegmt=True)), "a known clock difference is not reported again"
    assert not tokens.observe("tomorrow")


def test_a_given_token_is_used_for_everything() -> None:
    tokens = Tokens("", "", "given.by.hand")
    assert tokens.for_rest() == tokens.for_room("r1", "p1") == "given.by.hand"
