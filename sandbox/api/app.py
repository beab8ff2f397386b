"""The ASGI application: all routes of the sandbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from ..cloud import Cloud
from ..errors import HttpError, error_response, routing_error_response
from ..faults import LLM_PATH
from ..settings import Settings
from ..signing import public_key_pem
from . import admin, agents, calls, chat_completions, recordings, rooms
from .fault_middleware import FaultMiddleware

_ROUTES = [
    Route("/v2/rooms", rooms.create_room, methods=["POST"]),
    Route("/v2/rooms/deactivate", rooms.deactivate_room, methods=["POST"]),
    Route("/v2/rooms/validate/{room_id}", rooms.validate_room, methods=["GET"]),
    Route("/v2/rooms/{room_id}", rooms.get_room, methods=["GET"]),
    WebSocketRoute("/v2/rooms/{room_id}/join", rooms.join_room),
    Route("/v2/sip/call", calls.dial, methods=["POST"]),
    Route("/v2/sip/call", calls.list_calls, methods=["GET"]),
    Route("/v2/sip/call/switch-room", calls.switch_call, methods=["POST"]),
    Route("/v2/sip/call/end", calls.end_call, methods=["POST"]),
    Route("/v2/sip/call/{call_id}", calls.get_call, methods=["GET"]),
    Route("/v2/agent/dispatch", agents.dispatch_agent, methods=["POST"]),
    Route("/v2/recordings/participant/start", recordings.start_recording, methods=["POST"]),
    Route("/v2/recordings/participant/stop", recordings.stop_recording, methods=["POST"]),
    Route("/v2/sip/webhooks", calls.create_webhook, methods=["POST"]),
    Route("/v2/sip/webhooks", calls.list_webhooks, methods=["GET"]),
    Route("/v2/sip/webhooks/{webhook_id}", calls.delete_webhook, methods=["DELETE"]),
    Route("/v2/public/rsa-public-key", calls.public_key, methods=["GET"]),
    Route(LLM_PATH, chat_completions.complete, methods=["POST"]),
    Route("/sandbox/calls", admin.create_caller, methods=["POST"]),
    Route("/sandbox/ledger", admin.ledger, methods=["GET"]),
    Route("/sandbox/state", admin.state, methods=["GET"]),
    Route("/sandbox/verdict", admin.transfer_report, methods=["GET"]),
    Route("/sandbox/faults", admin.add_fault, methods=["POST"]),
    Route("/sandbox/faults", admin.list_faults, methods=["GET"]),
    Route("/sandbox/faults", admin.clear_faults, methods=["DELETE"]),
    Route("/sandbox/people/{number}", admin.override_person, methods=["PUT"]),
    Route("/sandbox/people/{participant_id}/hangup", admin.force_hang_up, methods=["POST"]),
    Route("/sandbox/people/{participant_id}/say", admin.force_say, methods=["POST"]),
    Route("/sandbox/people/{participant_id}/press", admin.force_press, methods=["POST"]),
    Route("/sandbox/reset", admin.reset, methods=["POST"]),
]


def create_app(settings: Settings) -> Starlette:
    """Return the sandbox as an ASGI app.

    Faults that abort the connection work only under serve(), which has access to the sockets.
    """
    cloud = Cloud(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if settings.sign_webhooks:
            public_key_pem()
        yield
        await cloud.close()

    app = Starlette(
        routes=_ROUTES,
        middleware=[Middleware(FaultMiddleware, cloud=cloud)],
        exception_handlers={HttpError: error_response, HTTPException: routing_error_response},
        lifespan=lifespan,
    )
    app.state.cloud = cloud
    return app
