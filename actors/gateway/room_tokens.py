"""Room tokens on request: only the gateway holds the provider's secret.

A token admits one participant to one room and expires after minutes. It is never stored and never logged.
"""

from __future__ import annotations

import re

import structlog

from warmxfer.adapters.telephony import Provider
from warmxfer.bus import Bus, LiveMessage, Responder, subjects
from warmxfer.schemas import DecodeError, InvalidRequest, RoomToken, RoomTokenQuery, decode_as, encode

QUEUE = "gateway"
_ID = re.compile(r"[A-Za-z0-9_.:@+-]{1,128}", re.ASCII)

log = structlog.get_logger(__name__)


def serve_room_tokens(bus: Bus, provider: Provider) -> Responder:
    """Return a context that replies to room token queries; one gateway replies to each query."""

    async def reply(message: LiveMessage) -> bytes:
        query = _read_query(message.data)
        token = provider.mint_token(query.room_id, query.participant_id)
        log.info("room_token_issued", room_id=query.room_id, participant_id=query.participant_id)
        return encode(RoomToken(token=token, signaling_url=provider.signaling_url))

    return bus.serve(subjects.ASK_ROOM_TOKEN, reply, queue=QUEUE)


def _read_query(data: bytes) -> RoomTokenQuery:
    try:
        query = decode_as(RoomTokenQuery, data)
    except DecodeError as error:
        raise InvalidRequest(f"The query is not a room token query ({error})") from error
    for field, value in (("room_id", query.room_id), ("participant_id", query.participant_id)):
        if _ID.fullmatch(value) is None:
            raise InvalidRequest(f"{field} is not a {field[:-3]} id; use 1 to 128 of A-Z a-z 0-9 _ . : @ + -")
    return query
