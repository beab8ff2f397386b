"""VideoSDK's webhooks: signature check and parsing.

The signature covers the raw body, but no time, so an old webhook can be replayed: acting on one must be
idempotent. Fields may be at the top or under `data`; `meetingId` is the room's id.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from warmxfer.schemas import CallCause, InvalidRequest
from warmxfer.schemas.fields import provider_id

from ..errors import InvalidWebhookSignature
from ..provider import (
    CallEndedNotice,
    CallUpNotice,
    Notice,
    ParticipantJoinedNotice,
    ParticipantLeftNotice,
)
from .responses import DOWN, Unreadable, decoded, read_call

SIGNATURE = "videosdk-signature"
MAX_SIGNATURE_CHARS = 2_048
MAX_REASON_CHARS = 100
MAX_TIMES, MAX_TIME_CHARS = 20, 40

_DOWN_TYPES = frozenset({"call-hangup", "call-missed"})
"""Types of webhooks that mean that the leg is down, whatever status they carry."""
_STATUS_TYPES = frozenset({"call-update", "call-transferred"})
_UP_TYPES = frozenset({"call-started", "call-ringing", "call-answered"})


def read_public_key(pem: str, field: str = "The webhook key") -> rsa.RSAPublicKey:
    """Return the key in `pem`, which the error names as `field`. Raises `InvalidRequest`."""
    try:
        # In environment files a PEM is on one line, with `\n` in place of line breaks.
        key = serialization.load_pem_public_key(pem.replace("\\n", "\n").encode())
    except ValueError as error:
        raise InvalidRequest(
            f"{field} is not a public key in PEM; give one, or the word fetch", field=field
        ) from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise InvalidRequest(
            f"{field} is not an RSA key; give VideoSDK's own, or the word fetch", field=field
        )
    return key


def verify(key: rsa.RSAPublicKey, signature: str, body: bytes) -> None:
    """Check the base64 RSA-SHA256 signature of the raw body. Raises `InvalidWebhookSignature`."""
    try:
        raw = base64.b64decode(signature[:MAX_SIGNATURE_CHARS], validate=True)
        key.verify(raw, body, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise InvalidWebhookSignature("The webhook is not signed by VideoSDK") from error


def parse_webhook(body: bytes) -> Notice | None:
    """Return the notice in a webhook; None if it is of no interest. Raises `InvalidRequest`."""
    try:
        webhook: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest("The webhook is not JSON") from error
    if not isinstance(webhook, dict):
        raise InvalidRequest("The webhook is not a JSON object")
    kind, data = _kind_and_data(cast("dict[str, Any]", webhook))
    if kind in _DOWN_TYPES or kind in _STATUS_TYPES or kind in _UP_TYPES:
        return _call_notice(kind, data)
    if kind in ("participant-joined", "participant-left"):
        return _room_notice(kind, data)
    return None


def reported_at(body: bytes) -> float | None:
    """Return when the newest event in a webhook happened, in epoch seconds; None if it names no time.

    The start of a call is a time of the event only while the call begins: a call that ends began long ago.
    """
    try:
        webhook: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    kind, data = _kind_and_data(cast("dict[str, Any]", webhook) if isinstance(webhook, dict) else {})
    entries = decoded(data.get("timelog"))
    log = cast("list[object]", entries) if isinstance(entries, list) else []
    values = [
        cast("dict[str, Any]", each).get("timestamp") for each in log[-MAX_TIMES:] if isinstance(each, dict)
    ]
    values += [data.get("end"), data.get("start") if kind in _UP_TYPES else None]
    return max((at for each in values if (at := _epoch(each)) is not None), default=None)


def _kind_and_data(fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the type of a webhook, or "", and what it tells. Some senders write `data` as JSON text."""
    inner = decoded(fields.get("data"))
    data = {**fields, **cast("dict[str, Any]", inner)} if isinstance(inner, dict) else fields
    kind = fields.get("webhookType") or fields.get("type")
    return kind if isinstance(kind, str) else "", data


def _epoch(value: object) -> float | None:
    if not isinstance(value, str) or len(value) > MAX_TIME_CHARS:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at.timestamp() if at.tzinfo is not None else None


def _call_notice(kind: str, data: Mapping[str, Any]) -> CallUpNotice | CallEndedNotice:
    try:
        record = read_call(data)
    except Unreadable as error:
        raise InvalidRequest("The webhook names no call") from error
    if kind in _UP_TYPES or (record.up and kind in _STATUS_TYPES):
        return CallUpNotice(record.call_id)
    cause = record.cause or (CallCause.NO_ANSWER if kind == "call-missed" else DOWN["ended"])
    return CallEndedNotice(
        call_id=record.call_id,
        participant_id=record.participant_id,
        direction=record.direction,
        metadata=record.metadata,
        cause=cause,
        sip_code=record.sip_code,
    )


def _room_notice(kind: str, data: Mapping[str, Any]) -> Notice | None:
    """Return the notice; None if an id is too long for a participant of ours."""
    room_id, participant_id = data.get("meetingId") or data.get("roomId"), data.get("participantId")
    if not isinstance(room_id, str) or not isinstance(participant_id, str):
        raise InvalidRequest("The webhook names no room or no participant")
    if provider_id(room_id) is None or provider_id(participant_id) is None:
        return None
    if kind == "participant-joined":
        return ParticipantJoinedNotice(room_id, participant_id)
    return ParticipantLeftNotice(room_id, participant_id, str(data.get("reason") or "")[:MAX_REASON_CHARS])
