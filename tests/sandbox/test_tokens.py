"""Tokens: which are accepted, and the errors for the others."""

import time

import jwt
import pytest

from warmxfer.sandbox import Settings, tokens
from warmxfer.sandbox.errors import HttpError
from warmxfer.sandbox.tokens import TokenVerifier

from .client import API_KEY, SECRET, Sandbox, token


@pytest.mark.parametrize(
    ("authorization", "status", "message"),
    [
        (None, 401, "Token is missing: send the raw JWT in the Authorization header."),
        ("nonsense", 401, "Token is invalid: it must be a raw HS256 JWT with apikey and exp."),
        ("Bearer " + token(), 401, "Token is invalid: it must be a raw HS256 JWT with apikey and exp."),
        (token(exp=int(time.time()) - 5), 401, "Token is expired."),
        (token(exp=None), 401, "Token is invalid: it must be a raw HS256 JWT with apikey and exp."),
        (token(apikey="other"), 401, "Token is for another apikey."),
        (token(version=None), 401, "Token has no claim version: 2, which the v2 API requires."),
        (token(roles=["rtc"]), 403, 'Token has roles ["rtc"]: it may join rooms, not use the API.'),
    ],
)
async def test_an_invalid_token_is_refused_with_its_reason(
    sandbox: Sandbox, authorization: str | None, status: int, message: str
) -> None:
    sandbox.http.headers.pop("authorization")
    headers = {"authorization": authorization} if authorization else {}
    answer = await sandbox.http.post("/v2/rooms", headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert await sandbox.ledger() == []


@pytest.mark.parametrize("roles", [None, [], ["crawler"], ["crawler", "rtc"]])
async def test_these_roles_may_use_the_api(sandbox: Sandbox, roles: list[str] | None) -> None:
    answer = await sandbox.http.post("/v2/rooms", headers={"authorization": token(roles=roles)})
    assert answer.status_code == 200


def verifier() -> TokenVerifier:
    return TokenVerifier(Settings(API_KEY, SECRET))


@pytest.mark.parametrize("algorithm", ["none", "HS384"])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    secret = "" if algorithm == "none" else SECRET
    raw = jwt.encode(
        {"apikey": API_KEY, "exp": int(time.time()) + 600, "version": 2}, secret, algorithm=algorithm
    )
    with pytest.raises(HttpError, match="Token is invalid"):
        verifier().check_api(raw)


def test_a_remembered_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    expires_at = int(time.time()) + 600
    known, raw = verifier(), token(exp=expires_at)
    assert known.check_api(raw) == known.check_api(raw)
    monkeypatch.setattr(tokens, "time", lambda: expires_at)
    with pytest.raises(HttpError, match="Token is expired"):
        known.check_api(raw)


def test_the_number_of_remembered_tokens_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_VERIFIED", 3)
    known = verifier()
    for n in range(10):
        assert known.check_join(token(roomId=f"r{n}"), f"r{n}", None)["roomId"] == f"r{n}"
    assert len(known._verified) == 3


async def test_a_token_signed_with_another_secret_is_refused(sandbox: Sandbox) -> None:
    forged = token()[:-4] + "AAAA"
    assert (await sandbox.http.post("/v2/rooms", headers={"authorization": forged})).status_code == 401
