"""The application of the sandbox: all routes, tokens, faults, and errors as responses."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web

from ..cloud import Cloud
from ..errors import HttpError
from ..faults import LLM_KINDS, LLM_PATH
from ..limits import MAX_LLM_BODY_BYTES
from . import admin, agents, calls, chat_completions, fault_injection, recordings, rooms
from .responses import error_response

log = structlog.get_logger(__name__)

Endpoint = Callable[[Cloud, web.Request], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Routes = list[tuple[str, str, Endpoint]]

CLOUD: Final = web.AppKey("cloud", Cloud)
ADMIN_PREFIX: Final = "/sandbox"

TOKEN_ROUTES: Final[Routes] = [
    ("POST", "/v2/rooms", rooms.create_room),
    ("POST", "/v2/rooms/deactivate", rooms.deactivate_room),
    ("GET", "/v2/rooms/validate/{room_id}", rooms.validate_room),
    ("GET", "/v2/rooms/{room_id}", rooms.get_room),
    ("POST", "/v2/sip/call", calls.dial),
    ("GET", "/v2/sip/call", calls.list_calls),
    ("POST", "/v2/sip/call/switch-room", calls.switch_call),
    ("POST", "/v2/sip/call/end", calls.end_call),
    ("GET", "/v2/sip/call/{call_id}", calls.get_call),
    ("POST", "/v2/agent/dispatch", agents.dispatch_agent),
    ("POST", "/v2/recordings/participant/start", recordings.start_recording),
    ("POST", "/v2/recordings/participant/stop", recordings.stop_recording),
    ("POST", "/v2/sip/webhooks", calls.create_webhook),
    ("GET", "/v2/sip/webhooks", calls.list_webhooks),
    ("DELETE", "/v2/sip/webhooks/{webhook_id}", calls.delete_webhook),
]
"""Endpoints that need a token for the REST API."""

OPEN_ROUTES: Final[Routes] = [
    ("GET", "/v2/rooms/{room_id}/join", rooms.join_room),
    ("GET", "/v2/public/rsa-public-key", calls.public_key),
    ("POST", LLM_PATH, chat_completions.complete),
    ("POST", "/sandbox/calls", admin.create_caller),
    ("GET", "/sandbox/ledger", admin.ledger),
    ("GET", "/sandbox/ledger/counts", admin.ledger_counts),
    ("GET", "/sandbox/state", admin.state),
    ("GET", "/sandbox/verdict", admin.transfer_report),
    ("POST", "/sandbox/faults", admin.add_fault),
    ("GET", "/sandbox/faults", admin.list_faults),
    ("DELETE", "/sandbox/faults", admin.clear_faults),
    ("PUT", "/sandbox/people/{number}", admin.override_person),
    ("POST", "/sandbox/people/{participant_id}/hangup", admin.force_hang_up),
    ("POST", "/sandbox/people/{participant_id}/say", admin.force_say),
    ("POST", "/sandbox/people/{participant_id}/press", admin.force_press),
    ("POST", "/sandbox/reset", admin.reset),
]
"""Endpoints that need no token of the REST API. A join has a token of its own."""


def create_app(cloud: Cloud) -> web.Application:
    """Return the application that serves `cloud`."""
    app = web.Application(middlewares=[_handle], client_max_size=MAX_LLM_BODY_BYTES)
    app[CLOUD] = cloud
    app.on_shutdown.append(_close_sockets)
    for method, path, endpoint in TOKEN_ROUTES:
        app.router.add_route(method, path, _with_token(cloud, endpoint))
    for method, path, endpoint in OPEN_ROUTES:
        app.router.add_route(method, path, _without_token(cloud, endpoint))
    return app


async def _close_sockets(app: web.Application) -> None:
    app[CLOUD].sockets.shut_down()


def _with_token(cloud: Cloud, endpoint: Endpoint) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        cloud.tokens.check_api(request.headers.get("authorization"))
        return await endpoint(cloud, request)

    return handle


def _without_token(cloud: Cloud, endpoint: Endpoint) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await endpoint(cloud, request)

    return handle


@web.middleware
async def _handle(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request, apply at most one fault to it, and return the response."""

    async def execute(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception as error:
            return _error_response(request, error)

    cloud = request.app[CLOUD]
    if request.path.startswith(ADMIN_PREFIX):
        return await execute(request)
    cloud.requests += 1
    if not cloud.faults.any_for_http() or "upgrade" in request.headers:
        return await execute(request)
    try:
        room_ids = await fault_injection.room_ids(request)
    except HttpError as error:
        return _error_response(request, error)
    fault = cloud.faults.for_http(request.method, request.path, room_ids)
    if fault is None:
        return await execute(request)
    if fault.kind in LLM_KINDS:
        request[chat_completions.LLM_FAULT] = fault
        return await execute(request)
    return await fault_injection.apply(fault, cloud, request, execute)


def _error_response(request: web.Request, error: Exception) -> web.Response:
    """Return the response to a refused request. An error of the sandbox itself is logged and becomes 500."""
    match error:
        case HttpError():
            return error_response(error.status, error.message)
        case web.HTTPMethodNotAllowed():
            return error_response(405, error.reason, {"allow": error.headers["allow"]})
        case web.HTTPException():
            return error_response(error.status, error.reason)
    log.error("request_failed", method=request.method, path=request.path, exc_info=error)
    return error_response(500, "The sandbox failed; its log says why.")
