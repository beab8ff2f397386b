"""Look-up of a room's servers without blocking the loop.

The library requests the server list while it joins: on the loop, blocking, and without a deadline. So the
list is requested here before. `answer_server_requests` gives the response to the library, which parses it
itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import ContextVar

import httpx

from warmxfer.schemas import RetryableError

from ...decompression import whole
from ...http_pool import HttpPool
from .framework_patches import answer_server_requests

ASK_TIMEOUT_S = 5.0
PATH = "/infra/v1/meetings/server-init-config"

_certificates = httpx.create_ssl_context()
"""Made once, at import: it takes tens of milliseconds, and would delay speech."""

_known: ContextVar[httpx.Response | None] = ContextVar("known_servers", default=None)
answer_server_requests(_known.get)


async def prefetch_servers(room_id: str, token: str, host: str) -> None:
    """Request the server list from `host` and keep the response in this context. Raises `RetryableError`."""
    try:
        _known.set(await _request_servers(room_id, token, host))
    except httpx.HTTPError as error:
        why = "TimeoutError" if isinstance(error, httpx.TimeoutException) else type(error).__name__
        raise RetryableError(f"The servers of room {room_id} could not be looked up ({why})") from error


async def _request_servers(room_id: str, token: str, host: str) -> httpx.Response:
    async def read(response: httpx.Response, body: AsyncIterator[bytes]) -> httpx.Response:
        return (await whole(response, body)).raise_for_status()

    async with HttpPool(max_connections=1, verify=_certificates) as http:
        url, body = f"https://{host}{PATH}", {"roomId": room_id}
        return await http.send(
            "POST", url, read, deadline_s=ASK_TIMEOUT_S, headers={"Authorization": token}, json=body
        )
