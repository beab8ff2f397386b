"""Which servers a room is on: asked without keeping the loop waiting, before the framework's library asks.

The library asks with a blocking request that has no deadline, in the middle of joining, on the loop that
carries everybody's voice. So the request is made here; when the library makes it, it is handed the answer we
have, which it reads by itself.
"""

# pyright: reportMissingImports=false
# The extra is not installed where the rest of the house is type-checked.

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import httpx
import videosdk.utils as library

from warmxfer.schemas import RetryableError

ASK_TIMEOUT_S = 5.0
PATH = "/infra/v1/meetings/server-init-config"

_certificates = httpx.create_ssl_context()
"""Takes tens of milliseconds to make: once, and before there is a voice to carry."""

_known: ContextVar[httpx.Response | None] = ContextVar("known_servers", default=None)
_requests = library.requests


async def prefetch_servers(room_id: str, token: str, host: str) -> None:
    """Ask the cloud at `host`, and remember the answer in this context. Raises `Retry`."""
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            _known.set(await _answer(room_id, token, host))
    except (httpx.HTTPError, TimeoutError) as error:
        why = type(error).__name__
        raise RetryableError(f"Nobody said which servers room {room_id} is on ({why})") from error


async def _answer(room_id: str, token: str, host: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=_certificates, timeout=None) as http:
        url, about = f"https://{host}{PATH}", {"roomId": room_id}
        return (await http.post(url, headers={"Authorization": token}, json=about)).raise_for_status()


class _Requests:
    """`requests`, as the library uses it; a context that knows nothing asks as before."""

    RequestException = _requests.RequestException

    @staticmethod
    def post(url: str, **question: Any) -> Any:
        return _known.get() or _requests.post(url, **question)


library.requests = _Requests
