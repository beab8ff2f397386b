"""REST endpoints that start and stop the recording of one participant."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..cloud import Cloud
from ..rooms.rooms import Room
from ..tokens import check_api_token
from . import request_fields


async def start_recording(request: Request) -> Response:
    """Start a recording. The response is a JSON string and not an object, as in the real cloud."""
    cloud, room, participant_id = await _read_request(request)
    cloud.recordings.start(room, participant_id)
    return JSONResponse("participant recording started successfully.")


async def stop_recording(request: Request) -> Response:
    cloud, room, participant_id = await _read_request(request)
    cloud.recordings.stop(room, participant_id)
    return JSONResponse("participant recording stopped successfully.")


async def _read_request(request: Request) -> tuple[Cloud, Room, str]:
    """Return cloud, room and participant id of a request. Raises HttpError 400, 401, 403 or 404."""
    cloud: Cloud = request.app.state.cloud
    check_api_token(request.headers.get("authorization"), cloud.settings)
    body = await request_fields.read_json(request)
    room = cloud.rooms.get_active(request_fields.text(body, "roomId"))
    return cloud, room, request_fields.text(body, "participantId")
