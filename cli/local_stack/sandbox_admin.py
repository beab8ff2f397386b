"""Client of the sandbox's admin API (`/sandbox/*`), for the demo and the tests."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
from msgspec import Struct

from warmxfer.adapters.decompression import whole
from warmxfer.adapters.http_pool import HttpPool
from warmxfer.schemas import InvalidRequest, RetryableError

TIMEOUT_S = 10.0
MAX_CONNECTIONS = 100
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""The ledger of thousands of calls is one answer."""
DEFAULT_CALLER = "+14155550201"
MAX_SHOWN_CHARS = 200


class PlacedCall(Struct, frozen=True, rename="camel"):
    """One caller's call, and the room in which the caller talks with the AI."""

    room_id: str
    call_id: str
    participant_id: str


class SandboxAdmin:
    """Places calls, sets faults and reads the ledger. `sandbox_url` is set before the first request."""

    def __init__(self, sandbox_url: str = "", verify: ssl.SSLContext | None = None) -> None:
        self.sandbox_url = sandbox_url
        options: dict[str, Any] = {"verify": verify} if verify else {}
        self._http = HttpPool(max_connections=MAX_CONNECTIONS, **options)

    async def call(self, number: str = DEFAULT_CALLER, **fields: Any) -> PlacedCall:
        """Place a call from `number` into a new room; `fields` are added to the request."""
        # By default the sandbox makes the participant id from the number, which must not stand in an id.
        caller = {"participantId": f"caller-{secrets.token_hex(4)}"}
        answer = await self.post("/sandbox/calls", {"from": number, **caller, **fields})
        return PlacedCall(answer["roomId"], answer["callId"], answer["participantId"])

    async def report(self, caller: PlacedCall, transfer_id: str) -> dict[str, Any]:
        """Return the transfer report: what the sandbox executed for it, and where its people are."""
        query = {"primaryRoom": caller.room_id, "callerCallId": caller.call_id, "transferKey": transfer_id}
        return await self.get("/sandbox/verdict", **query)

    async def ledger(self, **query: str) -> list[dict[str, Any]]:
        """Return what the sandbox executed, oldest first. `room` and `kind` filter the entries."""
        return (await self.get("/sandbox/ledger", **query))["entries"]

    async def state(self) -> dict[str, Any]:
        """Return the rooms and calls of the sandbox, and how many requests it has received."""
        return await self.get("/sandbox/state")

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return the answer to a GET. Raises as `post` does."""
        return await self._request("GET", path, params=query)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a POST.

        Raises `InvalidRequest` with the sandbox's own sentence if it refuses, `RetryableError` if it cannot
        be reached.
        """
        return await self._request("POST", path, json=dict(body))

    async def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a PUT. Raises as `post` does."""
        return await self._request("PUT", path, json=dict(body))

    async def aclose(self) -> None:
        """Close the connections to the sandbox."""
        await self._http.aclose()

    async def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = await self._http.send(
                method,
                self.sandbox_url + path,
                partial(whole, max_bytes=MAX_ANSWER_BYTES),
                deadline_s=TIMEOUT_S,
                **options,
            )
        except httpx.HTTPError as error:
            raise RetryableError(
                f"The sandbox does not answer at {self.sandbox_url} ({type(error).__name__})"
            ) from error
        if answer.is_error:
            raise InvalidRequest(f"The sandbox refused {path}: {_sentence(answer)[:MAX_SHOWN_CHARS]}")
        return answer.json()


def _sentence(answer: httpx.Response) -> str:
    """Return the sentence in an error of the sandbox, otherwise the whole body."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text
