"""REST endpoints that start and stop the recording of one participant."""

from aiohttp import web

from ..cloud import Cloud
from ..rooms.rooms import Room
from . import request_fields
from .responses import json_response


async def start_recording(cloud: Cloud, request: web.Request) -> web.Response:
    """Start a recording. The response is a JSON string and not an object, as in the real cloud."""
    room, participant_id = await _read_request(cloud, request)
    cloud.recordings.start(room, participant_id)
    return json_response("participant recording started successfully.")


async def stop_recording(cloud: Cloud, request: web.Request) -> web.Response:
    room, participant_id = await _read_request(cloud, request)
    cloud.recordings.stop(room, participant_id)
    return json_response("participant recording stopped successfully.")


async def _read_request(cloud: Cloud, request: web.Request) -> tuple[Room, str]:
    """Return room and participant id of a request. Raises HttpError 400 or 404."""
    body = await request_fields.read_json(request)
    room = cloud.rooms.get_active(request_fields.text(body, "roomId"))
    return room, request_fields.text(body, "participantId")
