"""Questions between actors that need an answer now and must not be kept: plain request and reply.

What is answered here (a transcript, a room token) never enters the stream.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

MAX_TURNS = 200
MAX_TURN_CHARS = 2_000

TurnText = Annotated[str, Meta(max_length=MAX_TURN_CHARS, extra={"pii": True})]


class TranscriptTurn(Struct, frozen=True):
    """One utterance of the call, oldest first in any list of them."""

    role: Literal["caller", "agent"]
    text: TurnText


class HistoryQuery(Struct, frozen=True):
    """To the primary-session proxy, on `warmxfer.ask.history.<session>`."""


class History(Struct, frozen=True):
    """The newest `MAX_TURNS` turns of the session."""

    turns: list[TranscriptTurn] = field(default_factory=list[TranscriptTurn])


class SummaryQuery(Struct, frozen=True):
    """To the proxy, on `warmxfer.ask.summary.<session>`: let the session's own model write it."""

    prompt: str


class SessionSummary(Struct, frozen=True):
    """Empty when the session has no model of its own, or it failed."""

    text: str


class RoomTokenQuery(Struct, frozen=True):
    """To the SIP gateway, on `warmxfer.ask.token`: may this participant join this room?"""

    room_id: str
    participant_id: str


class RoomToken(Struct, frozen=True):
    """A participant token for that room and participant only, valid for minutes. A secret."""

    token: str
    signaling_url: str
    """The base URL of the cloud whose rooms the token opens."""


class LivenessQuery(Struct, frozen=True):
    """To any coordinator, on `warmxfer.ask.pulse`: is somebody in charge of this transfer?"""

    transfer_id: str


class LivenessReply(Struct, frozen=True):
    """`live` False: the transfer is over, or was never there."""

    live: bool
