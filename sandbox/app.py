"""Every address of the sandbox on one page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from . import control, llm, rest_recordings, rest_rooms, rest_sip
from .cloud import Cloud
from .errors import HttpError, error_response, unknown_address
from .faults import LLM_PATH
from .gate import FaultMiddleware
from .settings import Settings
from .signing import public_key_pem

_ROUTES = [
    Route("/v2/rooms", rest_rooms.create_room, methods=["POST"]),
    Route("/v2/rooms/deactivate", rest_rooms.deactivate_room, methods=["POST"]),
    Route("/v2/rooms/validate/{room_id}", rest_rooms.validate_room, methods=["GET"]),
    Route("/v2/rooms/{room_id}", rest_rooms.get_room, methods=["GET"]),
    WebSocketRoute("/v2/rooms/{room_id}/join", rest_rooms.join_room),
    Route("/v2/sip/call", rest_sip.dial, methods=["POST"]),
    Route("/v2/sip/call", rest_sip.list_calls, methods=["GET"]),
    Route("/v2/sip/call/switch-room", rest_sip.switch_call, methods=["POST"]),
    Route("/v2/sip/call/end", rest_sip.end_call, methods=["POST"]),
    Route("/v2/sip/call/{call_id}", rest_sip.get_call, methods=["GET"]),
    Route("/v2/recordings/participant/start", rest_recordings.start_recording, methods=["POST"]),
    Route("/v2/recordings/participant/stop", rest_recordings.stop_recording, methods=["POST"]),
    Route("/v2/sip/webhooks", rest_sip.create_webhook, methods=["POST"]),
    Route("/v2/sip/webhooks", rest_sip.list_webhooks, methods=["GET"]),
    Route("/v2/sip/webhooks/{webhook_id}", rest_sip.delete_webhook, methods=["DELETE"]),
    Route("/v2/public/rsa-public-key", rest_sip.public_key, methods=["GET"]),
    Route(LLM_PATH, llm.complete, methods=["POST"]),
    Route("/sandbox/calls", control.create_caller, methods=["POST"]),
    Route("/sandbox/ledger", control.ledger, methods=["GET"]),
    Route("/sandbox/state", control.state, methods=["GET"]),
    Route("/sandbox/verdict", control.verdict, methods=["GET"]),
    Route("/sandbox/faults", control.add_fault, methods=["POST"]),
    Route("/sandbox/faults", control.list_faults, methods=["GET"]),
    Route("/sandbox/faults", control.clear_faults, methods=["DELETE"]),
    Route("/sandbox/people/{who}", control.override_person, methods=["PUT"]),
    Route("/sandbox/people/{who}/hangup", control.force_hang_up, methods=["POST"]),
    Route("/sandbox/people/{who}/say", control.force_say, methods=["POST"]),
    Route("/sandbox/reset", control.reset, methods=["POST"]),
]


def create_app(settings: Settings) -> Starlette:
    """The sandbox as an ASGI app. Faults that cut the connection need serve(), which knows the sockets."""
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
        exception_handlers={HttpError: error_response, HTTPException: unknown_address},
        lifespan=lifespan,
    )
    app.state.cloud = cloud
    return app
