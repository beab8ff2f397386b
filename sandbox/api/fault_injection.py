"""Carries out the HTTP faults: whether the request is executed, and what the client receives."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from ..cloud import Cloud
from ..faults import Fault
from . import request_fields
from .responses import json_response

DRIP_CHUNKS: Final = 20
"""Number of chunks in a `slow_drip` response."""

_ROOM_FIELDS: Final = ("roomId", "destinationRoomId", "customRoomId", "meetingId")

Execute = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def apply(fault: Fault, cloud: Cloud, request: web.Request, execute: Execute) -> web.StreamResponse:
    """Return the response that the client receives, executed or not."""
    match fault.kind:
        case "delay":
            await cloud.clock.sleep(fault.delay_s)
            return await execute(request)
        case "status":
            return _status_response(fault)
        case "reset":
            return _abort(request)
        case "execute_then_reset":
            await execute(request)
            return _abort(request)
        case "execute_then_timeout":
            await execute(request)
            await cloud.clock.sleep(fault.hold_s)
            return _abort(request)
        case "execute_late":
            cloud.run_in_background(_execute_later(fault.delay_s, cloud, request, execute))
            await cloud.clock.sleep(fault.hold_s)
            return json_response({"message": "Gateway timeout."}, 504)
        case "execute_twice":
            first = await execute(request)
            await execute(request)
            return first
        case "garbage":
            await execute(request)
            return web.Response(body=b"<html>It works!</html>", content_type="application/json")
        case "wrong_schema":
            await execute(request)
            return json_response({"ok": True, "result": [1, 2, 3]})
        case "slow_drip":
            return _drip(fault.delay_s, cloud, await execute(request))
        case other:
            raise ValueError(f"fault {other} is no HTTP fault")


async def room_ids(request: web.Request) -> set[str]:
    """Return all room ids in the path, query and body of a request. Raises HttpError 413."""
    found = set(request.path.split("/"))
    found.update(request.query.getall("roomId", []))
    try:
        parsed: Any = msgspec.json.decode(await request_fields.read_body(request) or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        found.update(str(parsed[name]) for name in _ROOM_FIELDS if name in parsed)
    return found


async def _execute_later(delay_s: float, cloud: Cloud, request: web.Request, execute: Execute) -> None:
    await cloud.clock.sleep(delay_s)
    await execute(request)


def _abort(request: web.Request) -> web.Response:
    """Abort the connection. The response that this returns is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _drip(duration_s: float, cloud: Cloud, response: web.StreamResponse) -> web.Response:
    """Return the response with its body in pieces over `duration_s`."""
    assert isinstance(response, web.Response), "only a WebSocket has no body, and no fault is applied to it"
    content = response.body
    assert isinstance(content, bytes), "only the fault endless of the model streams, and it is the one fault"
    return web.Response(
        body=_pieces(content, duration_s, cloud),
        status=response.status,
        headers={"content-type": response.headers["content-type"], "content-length": str(len(content))},
    )


async def _pieces(content: bytes, duration_s: float, cloud: Cloud) -> AsyncIterator[bytes]:
    size = max(1, -(-len(content) // DRIP_CHUNKS))
    for start in range(0, len(content), size):
        await cloud.clock.sleep(duration_s / DRIP_CHUNKS)
        yield content[start : start + size]


def _status_response(fault: Fault) -> web.StreamResponse:
    body = fault.body if fault.body is not None else {"message": f"Fault {fault.status}."}
    headers = {} if fault.retry_after_s is None else {"retry-after": f"{fault.retry_after_s:g}"}
    return json_response(body, fault.status, headers)
