"""The routes of the board, and the headers of every response.

GET  /                                   the page; `?token=` exchanges the token for a cookie
POST /login                              the same from a form
GET  /assets/<file>                      scripts, styles and the icon
GET  /api/events                         server-sent events
GET  /api/transfers?limit=               the newest transfers, archived ones too
GET  /api/transfers/<id>                 one transfer, live or from the archive
POST /api/transfers/<id>/cancel          if the board has actions
POST /api/dead-letters/<number>/replay   if the board has actions
GET  /healthz                            200 while the board is connected to the broker
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmxfer.bus import Bus
from warmxfer.client import Client, NoSuchDeadLetter, NoSuchTransfer
from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError, encode

from . import actions
from .access import COOKIE_AGE_S, Access, is_own_page
from .content import Content, TooManyWatchers
from .event_stream import EventStream
from .transfer_page import read_transfer

PAGE: Final = Path(__file__).parent / "page"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
HEADERS: Final = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
MAX_BODY_BYTES: Final = 4_096
BODY_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 20.0
DEFAULT_LISTED, MAX_LISTED = 200, 1_000
MAX_NUMBER_DIGITS: Final = 18

Handler = Callable[[Request], Awaitable[Any]]
log = structlog.get_logger(__name__)


class BoardApp:
    """The web application; `serve.py` serves `app`."""

    def __init__(self, bus: Bus, content: Content, access: Access) -> None:
        self._bus = bus
        self._client = Client(bus)
        self._content = content
        self._access = access
        self.app = _WithHeaders(
            Starlette(
                routes=[
                    Route("/", self._index, methods=["GET"]),
                    Route("/login", self._log_in, methods=["POST"]),
                    Route("/assets/{name:path}", self._asset, methods=["GET"]),
                    Route("/api/events", self._events, methods=["GET"]),
                    Route("/api/transfers", self._answering(self._list), methods=["GET"]),
                    Route("/api/transfers/{id}", self._answering(self._transfer), methods=["GET"]),
                    Route("/api/transfers/{id}/cancel", self._acting(self._cancel), methods=["POST"]),
                    Route("/api/dead-letters/{number}/replay", self._acting(self._replay), methods=["POST"]),
                    Route("/healthz", self._health, methods=["GET"]),
                ]
            )
        )

    async def _index(self, request: Request) -> Response:
        given = request.query_params.get("token")
        if given is not None:
            return self._exchanged(given)
        return _file("index.html") if self._access.allows(request) else _file("login.html", 401)

    async def _log_in(self, request: Request) -> Response:
        if not is_own_page(request.headers):
            return _sentence("This form belongs to another page; open the board's own address", 403)
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _body(request)
        except (TimeoutError, ClientDisconnect):
            return _sentence("The form did not arrive in time; send it again", 408)
        if body is None:
            return _sentence(f"The form is larger than {MAX_BODY_BYTES} bytes; send the token alone", 413)
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=4)
        return self._exchanged(next(iter(fields.get("token", [])), ""))

    def _exchanged(self, given: str) -> Response:
        """Return the cookie and the address without the token, or the form again."""
        if not self._access.is_token(given.strip()):
            log.warning("board_token_rejected")
            return _file("login.html", 401)
        response = RedirectResponse("/", 303)
        access = self._access
        response.set_cookie(
            access.cookie, access.session, max_age=COOKIE_AGE_S, path="/", httponly=True, samesite="strict"
        )
        return response

    async def _asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _assets() or name.endswith(".html"):
            return _sentence("There is no such file", 404)
        return _file(name)

    async def _events(self, request: Request) -> Response:
        if not self._access.allows(request):
            return _sentence("Log in first", 401)
        return _Watching(self._content)

    def _answering(self, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return a route that checks access and answers with JSON, or with the sentence of an error."""

        async def answer(request: Request) -> Response:
            if not self._access.allows(request):
                return _sentence("Log in first", 401)
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    return _json(await handle(request))
            except TimeoutError:
                return _sentence("No answer came in time; try again", 504)
            except (NoSuchTransfer, NoSuchDeadLetter) as error:
                return _sentence(str(error), 404)
            except InvalidRequest as error:
                return _sentence(str(error), 400)
            except RetryableError as error:
                return _sentence(str(error), 503)
            except WarmxferError as error:
                return _sentence(str(error), 500)

        return answer

    def _acting(self, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return a route that changes something: it needs actions, and a page of this board."""
        answering = self._answering(handle)

        async def act(request: Request) -> Response:
            if not is_own_page(request.headers):
                return _sentence("This request comes from another page; use the board's own", 403)
            if not self._content.settings.actions:
                return _sentence("This board only shows; start it with --allow-actions", 403)
            return await answering(request)

        return act

    async def _list(self, request: Request) -> Any:
        given = request.query_params.get("limit", str(DEFAULT_LISTED))
        limit = _number(given, "limit")
        if not 1 <= limit <= MAX_LISTED:
            raise InvalidRequest(f"limit is {limit}; give 1 to {MAX_LISTED}", field="limit")
        return {"transfers": await self._client.list(limit)}

    async def _transfer(self, request: Request) -> Any:
        return await read_transfer(self._client, request.path_params["id"])

    async def _cancel(self, request: Request) -> Any:
        await actions.cancel(self._bus, request.path_params["id"])
        return {"cancelled": request.path_params["id"]}

    async def _replay(self, request: Request) -> Any:
        number = _number(request.path_params["number"], "number")
        return await actions.replay(self._client, number)

    async def _health(self, request: Request) -> Response:
        connected = self._bus.connected
        return _json({"ok": connected}, 200 if connected else 503)


class _Watching(Response):
    """An event stream that is counted among the watchers while it runs."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._content.watching() as watcher:
                await EventStream(self._content, watcher)(scope, receive, send)
        except TooManyWatchers as error:
            await _sentence(str(error), 503)(scope, receive, send)


class _WithHeaders:
    """Adds the headers to every response, whatever it says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


@cache
def _assets() -> dict[str, bytes]:
    """Return every file that a browser may load, by its path below `page`."""
    return {
        path.relative_to(PAGE).as_posix(): path.read_bytes()
        for path in sorted(PAGE.rglob("*"))
        if path.suffix in TYPES
    }


def _file(name: str, status: int = 200) -> Response:
    return Response(_assets()[name], status, media_type=TYPES[Path(name).suffix])


def _json(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")


def _sentence(sentence: str, status: int) -> Response:
    return _json({"error": sentence}, status)


def _number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_NUMBER_DIGITS):
        raise InvalidRequest(f"{field} is {text[:20]!r}; give a number", field=field)
    return int(text)


async def _body(request: Request) -> bytes | None:
    """Return the body, or None if it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)
