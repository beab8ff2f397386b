"""Tickets: the key to one seat, asked of whoever holds the provider's secret. Never kept, never logged."""

from __future__ import annotations

from typing import Final

from warmxfer.bus import Bus, subjects
from warmxfer.schemas import RoomToken, RoomTokenQuery, decode_as, encode

from .room_client import TokenSource

ASK_TIMEOUT_S: Final = 3.0


def token_source(bus: Bus, room_id: str, participant_id: str) -> TokenSource:
    """A ticket that asks the SIP gateway; it raises `NoOneAnswered` (a `Retry`) when no gateway is there."""
    question = encode(RoomTokenQuery(room_id=room_id, participant_id=participant_id))

    async def ticket() -> RoomToken:
        return decode_as(RoomToken, await bus.request(subjects.ASK_ROOM_TOKEN, question, ASK_TIMEOUT_S))

    return ticket
