"""ASGI middleware that counts requests and injects HTTP faults.

Each fault decides whether the request is executed, and which response the client receives.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..cloud import Cloud
from ..faults import LLM_KINDS, Fault
from ..limits import MAX_LLM_BODY_BYTES

DRIP_CHUNKS = 20
"""Number of chunks in a `slow_drip` response."""

_ROOM_FIELDS = ("roomId", "destinationRoomId", "customRoomId", "meetingId")

AbortConnection = Callable[[Any], None]
"""Function of serve() that aborts the connection of a client address."""


class FaultMiddleware:
    """Middleware that counts every request outside /sandbox and applies at most one fault to it."""

    def __init__(self, app: ASGIApp, cloud: Cloud) -> None:
        self._app = app
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"].startswith("/sandbox"):
            await self._app(scope, receive, send)
            return
        self._cloud.requests += 1
        if scope["type"] != "http" or not self._cloud.faults.any_for_http():
            await self._app(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            return
        fault = self._cloud.faults.for_http(scope["method"], scope["path"], _room_ids(scope, body))
        if fault is None or fault.kind in LLM_KINDS:
            scope.setdefault("state", {})["fault"] = fault
            await self._app(scope, _replay(body, receive), send)
        else:
            await self._apply(fault, scope, body, receive, send)

    async def _apply(self, fault: Fault, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "delay":
                await self._cloud.clock.sleep(fault.delay_s)
                await self._app(scope, _replay(body, receive), send)
            case "status":
                await _respond(scope, send, _status_response(fault))
            case "reset":
                await self._abort(scope, receive)
            case "execute_then_reset":
                await self._execute(scope, body)
                await self._abort(scope, receive)
            case "execute_then_timeout":
                await self._execute(scope, body)
                await self._cloud.clock.sleep(fault.hold_s)
                await self._abort(scope, receive)
            case "execute_late":
                self._cloud.run_in_background(self._execute_later(fault.delay_s, scope, body))
                await self._cloud.clock.sleep(fault.hold_s)
                await _respond(scope, send, JSONResponse({"message": "Gateway timeout."}, 504))
            case "execute_twice":
                first = await self._execute(scope, body)
                await self._execute(scope, body)
                for message in first:
                    await send(message)
            case "garbage":
                await self._execute(scope, body)
                await _respond(scope, send, Response("<html>It works!</html>", media_type="application/json"))
            case "wrong_schema":
                await self._execute(scope, body)
                await _respond(scope, send, JSONResponse({"ok": True, "result": [1, 2, 3]}))
            case "slow_drip":
                await self._send_slowly(fault.delay_s, await self._execute(scope, body), send)

    async def _execute(self, scope: Scope, body: bytes) -> list[Message]:
        """Execute the request and return the response messages, without sending them."""
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._app(dict(scope), _replay(body, _wait_forever), collect)
        return messages

    async def _execute_later(self, delay_s: float, scope: Scope, body: bytes) -> None:
        await self._cloud.clock.sleep(delay_s)
        await self._execute(scope, body)

    async def _send_slowly(self, duration_s: float, messages: list[Message], send: Send) -> None:
        await send(messages[0])
        content = b"".join(message.get("body", b"") for message in messages[1:])
        size = max(1, -(-len(content) // DRIP_CHUNKS))
        for start in range(0, len(content), size):
            await self._cloud.clock.sleep(duration_s / DRIP_CHUNKS)
            await send(
                {"type": "http.response.body", "body": content[start : start + size], "more_body": True}
            )
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _abort(self, scope: Scope, receive: Receive) -> None:
        """Abort the connection and wait until it is closed."""
        abort_connection: AbortConnection | None = getattr(scope["app"].state, "abort_connection", None)
        if abort_connection is None:
            raise RuntimeError(
                "this fault aborts the connection, which needs serve(); start the sandbox with serve()"
            )
        abort_connection(scope["client"])
        await receive()


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body, up to the size that every endpoint refuses; None if the client disconnected."""
    body = bytearray()
    while len(body) <= MAX_LLM_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return bytes(body)


def _replay(body: bytes, then_receive: Receive) -> Receive:
    """Return a `receive` that replays the body, then delegates to `then_receive` (for a disconnect)."""
    bodies = [body]

    async def receive() -> Message:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        return await then_receive()

    return receive


async def _wait_forever() -> Message:
    """Wait forever, so that a client's disconnect does not stop the execution."""
    return await asyncio.get_running_loop().create_future()


def _room_ids(scope: Scope, body: bytes) -> set[str]:
    """Return all room ids in the path, query and body of a request."""
    room_ids = set(scope["path"].split("/"))
    room_ids.update(parse_qs(scope["query_string"].decode("latin-1")).get("roomId", []))
    try:
        parsed = json.loads(body or b"null")
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        room_ids.update(str(parsed[name]) for name in _ROOM_FIELDS if name in parsed)
    return room_ids


def _status_response(fault: Fault) -> Response:
    body = fault.body if fault.body is not None else {"message": f"Fault {fault.status}."}
    headers = {} if fault.retry_after_s is None else {"retry-after": f"{fault.retry_after_s:g}"}
    return JSONResponse(body, fault.status, headers)


async def _respond(scope: Scope, send: Send, response: Response) -> None:
    await response(scope, _wait_forever, send)
