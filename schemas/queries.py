"""Queries between actors: request and reply, never stored in the stream.

A query needs its reply at once, and the reply (a transcript, a room token) must not be kept.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

MAX_TURNS = 200
MAX_TURN_CHARS = 2_000

TurnText = Annotated[str, Meta(max_length=MAX_TURN_CHARS, extra={"pii": True})]


class TranscriptTurn(Struct, frozen=True):
    """One utterance of the call. Lists are sorted oldest first."""

    role: Literal["caller", "agent"]
    text: TurnText


class HistoryQuery(Struct, frozen=True):
    """Query for the transcript, to the primary session, on `warmxfer.ask.history.<session>`."""


class History(Struct, frozen=True):
    """The newest `MAX_TURNS` turns of the session."""

    turns: list[TranscriptTurn] = field(default_factory=list[TranscriptTurn])


class SummaryQuery(Struct, frozen=True):
    """Query for a summary by the session's own model, on `warmxfer.ask.summary.<session>`."""

    prompt: str


class SessionSummary(Struct, frozen=True):
    """The session's summary. Empty if the session has no model of its own, or the model failed."""

    text: str


class RoomTokenQuery(Struct, frozen=True):
    """Query for a room token, to the gateway, on `warmxfer.ask.token`."""

    room_id: str
    participant_id: str


class RoomToken(Struct, frozen=True):
    """Token for one room and one participant, valid for minutes. It is a secret."""

    token: str
    signaling_url: str
    """Base URL of the cloud that hosts the room."""


class LivenessQuery(Struct, frozen=True):
    """Query to any coordinator, on `warmxfer.ask.pulse`: is this transfer still being processed?"""

    transfer_id: str


class LivenessReply(Struct, frozen=True):
    """Liveness of the transfer. `live` False: it has ended or never existed."""

    live: bool
