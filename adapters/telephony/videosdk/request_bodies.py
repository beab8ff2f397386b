"""Request bodies for VideoSDK. Pure.

Invariant: no option of a user can replace a field that the dial policy has checked (toll fraud). A body is
built from typed fields, and the checked fields are set last. `test_no_options_override_what_was_checked`
holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..provider import DialRequest

ROOM_EVENTS = ("participant-joined", "participant-left")
"""Room events for our webhook."""
CALL_EVENTS = ("call-started", "call-hangup", "call-missed", "call-update")
"""Call events for our webhook. The first one shows that the others will come."""

RULE_OPTIONS = frozenset(
    {"recordAudio", "dtmf", "hidePhoneNumber", "headers", "includeHeaders", "mediaEncryption"}
)
"""Options that the cloud takes from the routing rule for a provisioned number (server SDK 0.1.1)."""


def dial_body(order: DialRequest) -> dict[str, Any]:
    """`POST /v2/sip/call`."""
    destination = order.destination
    options: dict[str, Any] = msgspec.to_builtins(destination.extra_options)
    ringing_timeout_s = min(options.get("ringingTimeout", order.ringing_timeout_s), order.ringing_timeout_s)
    return {
        **options,
        "metadata": {**options.get("metadata", {}), **order.metadata},
        "ringingTimeout": ringing_timeout_s,
        "participant": {"id": order.participant_id, "name": destination.participant_display_name},
        "destinationRoomId": order.room_id,
        "routingRuleId": destination.routing_rule_id,
        "sipCallFrom": destination.sip_call_from,
        "sipCallTo": destination.sip_call_to,
    }


def dispatch_body(
    agent_id: str, room_id: str, version_id: str | None, metadata: Mapping[str, str]
) -> dict[str, Any]:
    """`POST /v2/agent/dispatch`. Not idempotent: each request starts one more agent."""
    body: dict[str, Any] = {"agentId": agent_id, "meetingId": room_id, "metadata": dict(metadata)}
    return body if version_id is None else {**body, "versionId": version_id}


def room_body(key: str, webhook_url: str | None) -> dict[str, Any]:
    """`POST /v2/rooms`. Idempotent: the same key gives the same room."""
    body: dict[str, Any] = {"customRoomId": key}
    if webhook_url is not None:
        body["webhook"] = {"endPoint": webhook_url, "events": list(ROOM_EVENTS)}
    return body


def recording_body(room_id: str, participant_id: str) -> dict[str, Any]:
    """`POST /v2/recordings/participant/start`."""
    return {"roomId": room_id, "participantId": participant_id}


def webhook_body(url: str) -> dict[str, Any]:
    """`POST /v2/sip/webhooks`."""
    return {"url": url, "events": list(CALL_EVENTS)}


def switch_body(call_id: str, room_id: str, participant_id: str, token: str) -> dict[str, Any]:
    """`POST /v2/sip/call/switch-room`."""
    return {"callId": call_id, "roomId": room_id, "participantId": participant_id, "token": token}
