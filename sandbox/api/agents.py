"""REST endpoint that dispatches a deployed agent into a room."""

from aiohttp import web

from ..cloud import Cloud
from . import request_fields
from .responses import json_response


async def dispatch_agent(cloud: Cloud, request: web.Request) -> web.Response:
    """Start an agent in a room. The response comes before the agent joins."""
    body = await request_fields.read_json(request)
    agent_id = request_fields.text(body, "agentId")
    room = cloud.rooms.get_active(request_fields.text(body, "meetingId"))
    request_fields.optional_text(body, "versionId")
    cloud.dispatched_agents.dispatch(agent_id, room, request_fields.optional_object(body, "metadata"))
    data = {"success": True, "status": "assigned", "roomId": room.id, "agentId": agent_id}
    return json_response({"message": "Agent dispatch requested successfully.", "data": data})
