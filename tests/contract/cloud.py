"""The cloud under test, through our provider and by raw HTTP. Calls and rooms of a test are ended with it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import structlog

from warmxfer.adapters.telephony import CallRecord, Provider, Rejected, choose_provider
from warmxfer.schemas import WarmxferError

from .target import Target

REQUEST_S = 10.0
NOT_FOUND_STATUSES = {402, 404}
"""Statuses of the platform for an unknown resource; it uses both."""

log = structlog.get_logger(__name__)


@dataclass
class Cloud:
    """The cloud under test. `http` carries a valid REST token; `provider` is opened as the gateway opens
    it.
    """

    target: Target
    http: httpx.AsyncClient
    provider: Provider
    rooms: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def open_provider(self, webhook_url: str | None = None, **env: str) -> Provider:
        """Open another client of the same cloud; `env` changes its settings. The caller closes it."""
        return choose_provider({**_env(self.target), **env}).open(
            webhook_url, "fetch" if webhook_url else None
        )

    async def room(self, provider: Provider | None = None) -> str:
        """Create an empty room."""
        room_id = await (provider or self.provider).create_room(new_key())
        self.rooms.append(room_id)
        return room_id

    async def get(self, path: str, **query: str | int) -> Any:
        """Return the body of a successful GET."""
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the body of a successful POST; without a body none is sent."""
        answer = await self.http.post(path, json=body)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    async def refusal(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        """Send a request that must be refused with a reason; return the status."""
        answer = await self.http.request(method, path, json=body)
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text)
        body = answer.json()
        reasons = [body.get(name) for name in ("message", "error", "msg", "statusMessage")]
        assert any(isinstance(each, str) and each for each in reasons), body
        return answer.status_code

    async def until(
        self, call_id: str, condition: Callable[[CallRecord], bool], what: str, within_s: float | None = None
    ) -> CallRecord:
        """Return the call's record once `condition` holds; fail with `what` if it does not in time."""
        deadline = asyncio.get_running_loop().time() + (within_s or self.target.patience_s)
        while True:
            record = await self.provider.look_up_call(call_id)
            assert record is not None, f"the cloud has no record of a call that should be {what}"
            if condition(record):
                return record
            assert asyncio.get_running_loop().time() < deadline, f"not {what} but {record.status}"
            await asyncio.sleep(self.target.pause_s)

    def token(self, *, secret: str = "", **claims: Any) -> str:
        """Return a REST token with other claims; a claim given as None is omitted."""
        return rest_token(self.target, secret=secret, **claims)

    async def clean_up(self) -> None:
        """End the calls and close the rooms. A missing one is fine; any other failure is raised at the
        end.
        """
        left: list[Exception] = []
        for undo, ids in ((self.provider.end, self.calls), (self.provider.close_room, self.rooms)):
            for each in ids:
                try:
                    await undo(each)
                except Rejected as gone:
                    log.debug("already_ended", status=gone.status)
                except WarmxferError as error:
                    left.append(error)
        if left:
            raise ExceptionGroup(f"{self.target.url} may still hold calls or rooms of this test", left)


@asynccontextmanager
async def open_cloud(target: Target) -> AsyncIterator[Cloud]:
    """Open the cloud for one test; clean up afterwards."""
    provider = choose_provider(_env(target)).open(None, None)
    headers = {"authorization": rest_token(target)}
    try:
        async with httpx.AsyncClient(
            base_url=target.url,
            headers=headers,
            timeout=REQUEST_S,
            trust_env=not target.local,
            verify=not target.local,  # loopback needs no certificates, and loading them is slow
        ) as http:
            cloud = Cloud(target, http, provider)
            try:
                yield cloud
            finally:
                await cloud.clean_up()
    finally:
        await provider.aclose()


def rest_token(target: Target, *, secret: str = "", **claims: Any) -> str:
    """Return a token for the REST API, valid for ten minutes unless `claims` say otherwise."""
    usual = {
        "apikey": target.api_key,
        "permissions": ["allow_join", "allow_mod"],
        "version": 2,
        "roles": ["crawler"],
        "iat": int(time.time()),
        "exp": int(time.time()) + 600,
    }
    whole = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return jwt.encode(whole, secret or target.secret, algorithm="HS256")


def new_key() -> str:
    """Return a key that was never used before."""
    return f"contract-{secrets.token_hex(8)}"


def _env(target: Target) -> dict[str, str]:
    return {
        "VIDEOSDK_API_KEY": target.api_key,
        "VIDEOSDK_SECRET": target.secret,
        "VIDEOSDK_BASE_URL": target.url,
    }
