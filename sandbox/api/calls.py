"""REST endpoints for phone calls (dial, read, switch, end), SIP webhooks and the public key."""

from aiohttp import web

from ..cloud import Cloud
from ..errors import HttpError
from ..limits import DEFAULT_PER_PAGE, MAX_EPOCH_MS, MAX_LIVE_CALLS, MAX_PER_PAGE, MAX_URL_CHARS
from ..signing import public_key_pem
from ..telephony.calls import DEFAULT_RINGING_TIMEOUT_S, Call
from . import request_fields
from .responses import json_response

MAX_METADATA_CHARS = 8_000


async def dial(cloud: Cloud, request: web.Request) -> web.Response:
    """Start an outbound call. The response comes before the phone rings."""
    body = await request_fields.read_json(request)
    call = _new_call(cloud, body)
    cloud.call_engine.dial(call)
    return json_response({"message": "Call initiated successfully", "data": call.summary()})


async def list_calls(cloud: Cloud, request: web.Request) -> web.Response:
    """Return one page of calls, newest first."""
    query = request.query
    page = request_fields.whole_number(query, "page", 1, MAX_LIVE_CALLS)
    per_page = request_fields.whole_number(query, "perPage", DEFAULT_PER_PAGE, MAX_PER_PAGE)
    found = _matching_calls(cloud, request)
    page_calls = found[(page - 1) * per_page : page * per_page]
    page_info = {
        "currentPage": page,
        "perPage": per_page,
        "lastPage": max(1, -(-len(found) // per_page)),
        "total": len(found),
    }
    data = [{"callId": call.id, **call.record()} for call in page_calls]
    return json_response({"statusCode": 200, "pageInfo": page_info, "data": data})


async def get_call(cloud: Cloud, request: web.Request) -> web.Response:
    call = cloud.calls.get(request.match_info["call_id"])
    return json_response({"data": {"id": call.id, **call.record()}})


async def switch_call(cloud: Cloud, request: web.Request) -> web.Response:
    """Accept a room switch. The call moves after the response, or the switch fails."""
    body = await request_fields.read_json(request)
    call = cloud.calls.get(request_fields.text(body, "callId"))
    room = cloud.rooms.get_active(request_fields.text(body, "roomId"))
    participant_id = request_fields.chosen_id(body, "participantId")
    if body.get("token") is not None:
        _check_switch_token(cloud, request_fields.text(body, "token", 4_096), room.id, participant_id)
    cloud.room_switch.switch(call, room, participant_id or call.participant_id)
    return json_response(
        {"statusCode": 200, "data": {**call.summary(), "status": "answered", "roomId": room.id}}
    )


async def end_call(cloud: Cloud, request: web.Request) -> web.Response:
    call = cloud.calls.get(request_fields.text(await request_fields.read_json(request), "callId"))
    cloud.call_engine.end(call)
    return json_response({"message": "Call ended successfully", "data": {"callId": call.id, **call.record()}})


async def create_webhook(cloud: Cloud, request: web.Request) -> web.Response:
    body = await request_fields.read_json(request)
    url, events = request_fields.text(body, "url", MAX_URL_CHARS), request_fields.strings(body, "events")
    if not url.startswith(("http://", "https://")):
        raise HttpError(400, "url must start with http:// or https://.")
    return json_response(cloud.webhooks.register(url, tuple(events)).record())


async def list_webhooks(cloud: Cloud, request: web.Request) -> web.Response:
    return json_response({"data": [registration.record() for registration in cloud.webhooks.registered()]})


async def delete_webhook(cloud: Cloud, request: web.Request) -> web.Response:
    if not cloud.webhooks.unregister(request.match_info["webhook_id"]):
        raise HttpError(404, "Webhook not found.")
    return json_response({"message": "Webhook deleted successfully"})


async def public_key(cloud: Cloud, request: web.Request) -> web.Response:
    return json_response({"publicKey": public_key_pem()})


def _new_call(cloud: Cloud, body: request_fields.Body) -> Call:
    """Create the call that a dial request describes. Raises HttpError 400 or 404."""
    routing_rule_id = request_fields.text(body, "routingRuleId")
    callee, caller = (
        request_fields.phone_number(body, "sipCallTo"),
        request_fields.phone_number(body, "sipCallFrom"),
    )
    participant = request_fields.optional_object(body, "participant")
    metadata = request_fields.optional_object(body, "metadata") or request_fields.optional_object(
        participant, "metadata"
    )
    if len(str(metadata)) > MAX_METADATA_CHARS:
        raise HttpError(400, f"metadata is longer than {MAX_METADATA_CHARS} characters.")
    ringing_s = request_fields.seconds(body, "ringingTimeout", DEFAULT_RINGING_TIMEOUT_S)
    max_duration_s = request_fields.seconds(body, "maxCallDuration", 0.0)
    room_id = request_fields.optional_text(body, "destinationRoomId")
    room = cloud.rooms.get_active(room_id) if room_id is not None else cloud.rooms.create("cloud")
    return Call(
        direction="outbound",
        caller=caller,
        callee=callee,
        room_id=room.id,
        participant_id=request_fields.chosen_id(participant, "id") or callee,
        participant_name=request_fields.optional_text(participant, "name") or callee,
        metadata=metadata,
        routing_rule_id=routing_rule_id,
        gateway_id=request_fields.optional_text(body, "gatewayId"),
        ringing_timeout_s=ringing_s,
        max_duration_s=max_duration_s or None,
    )


def _matching_calls(cloud: Cloud, request: web.Request) -> list[Call]:
    """Return the calls that the query asks for, newest first."""
    query = request.query
    room_id, session_id, call_id = query.get("roomId"), query.get("sessionId"), query.get("id")
    direction = query.get("type")
    if direction not in (None, "inbound", "outbound"):
        raise HttpError(400, "type must be inbound or outbound.")
    since_ms = request_fields.whole_number(query, "startDate", 1, MAX_EPOCH_MS)
    until_ms = request_fields.whole_number(query, "endDate", MAX_EPOCH_MS, MAX_EPOCH_MS)
    calls = cloud.calls.newest_first() if room_id is None else iter(cloud.calls.of_room(room_id))
    return [
        call
        for call in calls
        if session_id in (None, call.session_id)
        and call_id in (None, call.id)
        and direction in (None, call.direction)
        and since_ms <= call.started_at_s * 1_000 <= until_ms
    ]


def _check_switch_token(cloud: Cloud, token: str, room_id: str, participant_id: str | None) -> None:
    """Check the token in a switch request.

    Raises HttpError 400 and not 401 or 403: this token is a field, not the credential of the request.
    """
    try:
        cloud.tokens.check_join(token, room_id, participant_id)
    except HttpError as error:
        raise HttpError(400, f"token does not permit a join of this room: {error.message}") from None
