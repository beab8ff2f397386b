"""REST endpoints for rooms (create, read, validate, deactivate), and the WebSocket endpoint for joins."""

import re

from aiohttp import web

from ..cloud import Cloud
from ..errors import HttpError
from ..limits import MAX_URL_CHARS
from ..rooms.rooms import Room, RoomWebhook
from ..rooms.websocket import new_websocket
from . import request_fields
from .responses import json_response

_ROOM_ID = re.compile(r"[a-z0-9]{4}(-[a-z0-9]{4}){2}")
_OPTIONS = ("geoFence", "autoCloseConfig", "autoStartConfig", "multiComposition", "allowedParticipantIds")
"""Options of the real cloud that the sandbox stores and returns, without any effect."""


async def create_room(cloud: Cloud, request: web.Request) -> web.Response:
    """Create a room. Idempotent by customRoomId."""
    body = await request_fields.read_json(request)
    custom_id = request_fields.optional_text(body, "customRoomId")
    options = {name: body[name] for name in _OPTIONS if name in body}
    room = cloud.rooms.create("api", custom_id, _room_webhook(body), options)
    return json_response(_record(request, room))


async def get_room(cloud: Cloud, request: web.Request) -> web.Response:
    room = cloud.rooms.find_by_any_id(request.match_info["room_id"])
    if room is None:
        raise HttpError(404, "Room not found.")
    return json_response(_record(request, room))


async def validate_room(cloud: Cloud, request: web.Request) -> web.Response:
    """Return an active room. Raises HttpError 400 for a malformed id, 402 if unknown or deactivated."""
    room_id = request.match_info["room_id"]
    room = cloud.rooms.find_by_any_id(room_id)
    if room is None and not _ROOM_ID.fullmatch(room_id):
        raise HttpError(400, "RoomId is invalid.")
    if room is None or room.disabled:
        raise HttpError(402, "Room not found.")
    return json_response(_record(request, room))


async def deactivate_room(cloud: Cloud, request: web.Request) -> web.Response:
    """Close a room. Accepts only a roomId and no customRoomId, as the real cloud does."""
    room = cloud.rooms.find(request_fields.text(await request_fields.read_json(request), "roomId"))
    if room is None:
        raise HttpError(402, "Room not found.")
    cloud.deactivate(room)
    return json_response(_record(request, room))


async def join_room(cloud: Cloud, request: web.Request) -> web.StreamResponse:
    """Join a room: /v2/rooms/{roomId}/join?participantId=&name=&token=. A fault may delay the join.

    Raises HttpError; the response to the handshake is then that error.
    """
    room_id, query = request.match_info["room_id"], request.query
    participant_id = request_fields.chosen_id(query, "participantId")
    if participant_id is None:
        raise HttpError(400, "participantId is required.")
    name = request_fields.optional_text(query, "name") or participant_id
    cloud.tokens.check_join(
        query.get("token") or request.headers.get("authorization"), room_id, participant_id
    )
    fault = cloud.faults.for_join(participant_id, room_id)
    if fault is not None and fault.kind == "refuse":
        raise HttpError(503, "Join refused by an injected fault.")
    if fault is not None:
        await cloud.clock.sleep(fault.delay_s)
    websocket = new_websocket(request)
    room = cloud.rooms.get_active(room_id)
    await cloud.sockets.serve(cloud.sockets.admit(websocket, request, room, participant_id, name))
    return websocket


def _record(request: web.Request, room: Room) -> dict[str, object]:
    return room.record(f"http://{request.host}")


def _room_webhook(body: request_fields.Body) -> RoomWebhook | None:
    webhook = request_fields.optional_object(body, "webhook")
    if not webhook:
        return None
    return RoomWebhook(
        request_fields.text(webhook, "endPoint", MAX_URL_CHARS),
        tuple(request_fields.strings(webhook, "events")),
    )
