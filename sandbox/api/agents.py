"""REST endpoint that dispatches a deployed agent into a room."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..cloud import Cloud
from ..tokens import check_api_token
from . import request_fields


async def dispatch_agent(request: Request) -> Response:
    """Start an agent in a room. The response comes before the agent joins."""
    cloud: Cloud = request.app.state.cloud
    check_api_token(request.headers.get("authorization"), cloud.settings)
    body = await request_fields.read_json(request)
    agent_id = request_fields.text(body, "agentId")
    room = cloud.rooms.get_active(request_fields.text(body, "meetingId"))
    request_fields.optional_text(body, "versionId")
    cloud.dispatched_agents.dispatch(agent_id, room, request_fields.optional_object(body, "metadata"))
    data = {"success": True, "status": "assigned", "roomId": room.id, "agentId": agent_id}
    return JSONResponse({"message": "Agent dispatch requested successfully.", "data": data})
