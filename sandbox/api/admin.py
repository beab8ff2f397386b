"""Admin API for tests, under /sandbox: create callers, read the ledger, inject faults, control people.

Requests need no token.
"""

from aiohttp import web

from ..cloud import Cloud
from ..errors import HttpError
from ..limits import MAX_TEXT_CHARS
from ..rooms.rooms import Room
from ..rooms.speech_queue import Utterance
from ..telephony.calls import Call
from ..transfer_report import report
from . import request_fields
from .responses import json_response

CALLEE_NUMBER = "+14155550100"
"""Number that every inbound caller has dialled."""


async def create_caller(cloud: Cloud, request: web.Request) -> web.Response:
    """Create an inbound call that is answered at once."""
    body = await request_fields.read_json(request)
    room_id = request_fields.chosen_id(body, "roomId")
    caller = request_fields.phone_number(body, "from")
    participant_id = request_fields.chosen_id(body, "participantId") or f"caller-{caller.lstrip('+')}"
    name = request_fields.optional_text(body, "name") or "Ann"
    if room_id is None or cloud.rooms.find(room_id) is None:
        room = cloud.rooms.create("cloud", room_id=room_id)
    else:
        room = cloud.rooms.get_active(room_id)
    call = Call("inbound", caller, CALLEE_NUMBER, room.id, participant_id, name)
    cloud.call_engine.answer_inbound(call, room)
    ids = {
        "callId": call.id,
        "roomId": room.id,
        "participantId": participant_id,
        "sessionId": call.session_id,
    }
    return json_response(ids)


async def ledger(cloud: Cloud, request: web.Request) -> web.Response:
    query = request.query
    entries = cloud.ledger.entries(room_id=query.get("room"), kind=query.get("kind"))
    return json_response({"entries": entries, "dropped": cloud.ledger.dropped})


async def ledger_counts(cloud: Cloud, request: web.Request) -> web.Response:
    """Return the number of entries of each kind since the start."""
    return json_response({"counts": cloud.ledger.counts, "dropped": cloud.ledger.dropped})


async def state(cloud: Cloud, request: web.Request) -> web.Response:
    rooms = [_room_state(room) for room in cloud.rooms]
    calls = [
        {"callId": call.id, "participantId": call.participant_id, **call.record()} for call in cloud.calls
    ]
    given_up, requests = cloud.webhooks.given_up, cloud.requests
    return json_response({"rooms": rooms, "calls": calls, "webhooksGivenUp": given_up, "requests": requests})


async def transfer_report(cloud: Cloud, request: web.Request) -> web.Response:
    query = request.query
    for name in ("primaryRoom", "callerCallId", "transferKey"):
        request_fields.text(query, name)
    ids = (query["primaryRoom"], query["callerCallId"], query["transferKey"])
    return json_response(report(cloud.ledger.about(*ids), *ids))


async def add_fault(cloud: Cloud, request: web.Request) -> web.Response:
    return json_response(cloud.faults.add(await request_fields.read_json(request)).record())


async def list_faults(cloud: Cloud, request: web.Request) -> web.Response:
    return json_response({"faults": cloud.faults.records()})


async def clear_faults(cloud: Cloud, request: web.Request) -> web.Response:
    cloud.faults.clear()
    return json_response({"faults": []})


async def override_person(cloud: Cloud, request: web.Request) -> web.Response:
    number = request_fields.phone_number(request.match_info, "number")
    person = cloud.phonebook.override(number, await request_fields.read_json(request))
    return json_response({"number": number, "script": person.script, "ringS": person.ring_s})


async def force_hang_up(cloud: Cloud, request: web.Request) -> web.Response:
    """Hang up a person's calls, or remove an agent from its rooms."""
    participant_id = request.match_info["participant_id"]
    agents = cloud.activity.agents_with_id(participant_id)
    for agent in agents:
        cloud.remove_participant(agent, "kicked")
    calls = [] if agents else _calls_of(cloud, participant_id)
    for call in calls:
        cloud.call_engine.hang_up(call, "person")
    return json_response({"hungUp": [call.id for call in calls], "kicked": [agent.id for agent in agents]})


async def force_say(cloud: Cloud, request: web.Request) -> web.Response:
    text = request_fields.text(await request_fields.read_json(request), "text", MAX_TEXT_CHARS)
    calls = _calls_of(cloud, request.match_info["participant_id"])
    for call in calls:
        if call.participant is not None:
            call.participant.speech.say(Utterance("forced", text))
    return json_response({"saying": [call.id for call in calls]})


async def force_press(cloud: Cloud, request: web.Request) -> web.Response:
    """Press one key of a person's phone."""
    digit = request_fields.text(await request_fields.read_json(request), "digit", 1)
    if digit not in "0123456789*#":
        raise HttpError(400, "digit must be one of 0123456789*#.")
    calls = _calls_of(cloud, request.match_info["participant_id"])
    for call in calls:
        cloud.keypad.press(call, digit)
    return json_response({"pressing": [call.id for call in calls]})


async def reset(cloud: Cloud, request: web.Request) -> web.Response:
    cloud.reset()
    return json_response({"reset": True})


def _calls_of(cloud: Cloud, participant_id: str) -> list[Call]:
    """Return the live calls of a participant. Raises HttpError 404 if there are none."""
    calls = cloud.calls.live_of(participant_id)
    if not calls:
        raise HttpError(404, f"No live call has the participant id {participant_id}.")
    return calls


def _room_state(room: Room) -> dict[str, object]:
    return {
        "roomId": room.id,
        "customRoomId": room.custom_id,
        "disabled": room.disabled,
        "held": room.held,
        "sessionId": room.session.id if room.session else None,
        "participants": [
            {
                **participant.public_view(),
                "listening": participant.listening,
                "speaking": participant.speech.busy,
                "recorded": participant.recorded,
            }
            for participant in room.participants.values()
        ],
    }
