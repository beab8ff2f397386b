"""REST endpoints for rooms (create, read, validate, deactivate), and the WebSocket endpoint for joins."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from ..cloud import Cloud
from ..errors import HttpError
from ..limits import MAX_URL_CHARS
from ..rooms.rooms import Room, RoomWebhook
from ..tokens import check_api_token, check_join_token
from . import request_fields

_ROOM_ID = re.compile(r"[a-z0-9]{4}(-[a-z0-9]{4}){2}")
_OPTIONS = ("geoFence", "autoCloseConfig", "autoStartConfig", "multiComposition", "allowedParticipantIds")
"""Options of the real cloud that the sandbox stores and returns, without any effect."""


async def create_room(request: Request) -> Response:
    """Create a room. Idempotent by customRoomId."""
    cloud = _authorized_cloud(request)
    body = await request_fields.read_json(request)
    custom_id = request_fields.optional_text(body, "customRoomId")
    options = {name: body[name] for name in _OPTIONS if name in body}
    room = cloud.rooms.create("api", custom_id, _room_webhook(body), options)
    return JSONResponse(_record(request, room))


async def get_room(request: Request) -> Response:
    cloud = _authorized_cloud(request)
    room = cloud.rooms.find_by_any_id(request.path_params["room_id"])
    if room is None:
        raise HttpError(404, "Room not found.")
    return JSONResponse(_record(request, room))


async def validate_room(request: Request) -> Response:
    """Return an active room. Raises HttpError 400 for a malformed id, 402 if unknown or deactivated."""
    cloud = _authorized_cloud(request)
    room_id = request.path_params["room_id"]
    room = cloud.rooms.find_by_any_id(room_id)
    if room is None and not _ROOM_ID.fullmatch(room_id):
        raise HttpError(400, "RoomId is invalid.")
    if room is None or room.disabled:
        raise HttpError(402, "Room not found.")
    return JSONResponse(_record(request, room))


async def deactivate_room(request: Request) -> Response:
    """Close a room. Accepts only a roomId and no customRoomId, as the real cloud does."""
    cloud = _authorized_cloud(request)
    room = cloud.rooms.find(request_fields.text(await request_fields.read_json(request), "roomId"))
    if room is None:
        raise HttpError(402, "Room not found.")
    cloud.deactivate(room)
    return JSONResponse(_record(request, room))


async def join_room(websocket: WebSocket) -> None:
    """Serve the WebSocket /v2/rooms/{roomId}/join?participantId=&name=&token=.

    A refused join gets an HTTP error as the response to the handshake.
    """
    cloud: Cloud = websocket.app.state.cloud
    try:
        room_id, query = websocket.path_params["room_id"], websocket.query_params
        participant_id = request_fields.chosen_id(query, "participantId")
        if participant_id is None:
            raise HttpError(400, "participantId is required.")
        name = request_fields.optional_text(query, "name") or participant_id
        token = query.get("token") or websocket.headers.get("authorization")
        check_join_token(token, cloud.settings, room_id, participant_id)
        fault = cloud.faults.for_join(participant_id, room_id)
        if fault is not None and fault.kind == "refuse":
            raise HttpError(503, "Join refused by an injected fault.")
        if fault is not None:
            await cloud.clock.sleep(fault.delay_s)
        socket = cloud.sockets.admit(websocket, cloud.rooms.get_active(room_id), participant_id, name)
    except HttpError as error:
        await websocket.send_denial_response(error.to_response())
        return
    await cloud.sockets.serve(socket)


def _authorized_cloud(request: Request) -> Cloud:
    cloud: Cloud = request.app.state.cloud
    check_api_token(request.headers.get("authorization"), cloud.settings)
    return cloud


def _record(request: Request, room: Room) -> dict[str, object]:
    return room.record(str(request.base_url).rstrip("/"))


def _room_webhook(body: request_fields.Body) -> RoomWebhook | None:
    webhook = request_fields.optional_object(body, "webhook")
    if not webhook:
        return None
    return RoomWebhook(
        request_fields.text(webhook, "endPoint", MAX_URL_CHARS),
        tuple(request_fields.strings(webhook, "events")),
    )
