"""Queries between actors: request and reply, never stored in the stream.

A query needs its reply at once, and the reply (a transcript, a room token) must not be kept.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from .fields import Id, LongText, SubjectText, SummaryText, Token, TokenText, Url, Word

MAX_TURNS = 200
MAX_TURN_CHARS = 2_000
MAX_LIVENESS_QUERY = 256
"""Transfers that one liveness query is about."""

TurnText = Annotated[str, Meta(max_length=MAX_TURN_CHARS, extra={"pii": True})]


class TranscriptTurn(Struct, frozen=True):
    """One utterance of the call. Lists are sorted oldest first."""

    role: Literal["caller", "agent"]
    text: TurnText


class HistoryQuery(Struct, frozen=True):
    """Query for the transcript, to the primary session, on `warmxfer.ask.history.<session>`."""

    transfer_id: Id = ""
    """The transfer that needs it. The session replies only if the log of this transfer awaits the summary."""


class History(Struct, frozen=True):
    """The newest `MAX_TURNS` turns of the session."""

    turns: Annotated[list[TranscriptTurn], Meta(max_length=MAX_TURNS)] = field(
        default_factory=list[TranscriptTurn]
    )


class SummaryQuery(Struct, frozen=True):
    """Query for a summary by the session's own model, on `warmxfer.ask.summary.<session>`."""

    prompt: LongText
    transfer_id: Id = ""
    """As in `HistoryQuery`."""


class SessionSummary(Struct, frozen=True):
    """The session's summary. Empty if the session has no model of its own, or the model failed."""

    text: SummaryText


class RoomTokenQuery(Struct, frozen=True):
    """Query for a room token, to the gateway, on `warmxfer.ask.token`."""

    room_id: Id
    participant_id: Id


class RoomToken(Struct, frozen=True):
    """Token for one room and one participant, valid for minutes. It is a secret."""

    token: TokenText
    signaling_url: Url
    """Base URL of the cloud that hosts the room."""


class LivenessQuery(Struct, frozen=True):
    """Query to any coordinator, on `warmxfer.ask.pulse`: are these transfers still being processed?

    A coordinator of an older version reads `transfer_id` alone, and replies about that transfer.
    """

    transfer_id: Id
    more: Annotated[list[Id], Meta(max_length=MAX_LIVENESS_QUERY)] = field(default_factory=list[str])
    """Further transfers, at most `MAX_LIVENESS_QUERY` in all."""


class Liveness(Struct, frozen=True):
    """Liveness of one transfer. `live` False: it has ended or never existed."""

    live: bool
    stage: Word = ""
    """Its stage: if it changes, an actor may have missed a command. Empty if unknown."""


class LivenessReply(Liveness, frozen=True):
    """Reply to a `LivenessQuery`: the liveness of its `transfer_id`, and of the further ones."""

    more: Annotated[list[Liveness], Meta(max_length=MAX_LIVENESS_QUERY)] = field(
        default_factory=list[Liveness]
    )
    """In the order of the query. Empty from a coordinator of an older version."""


class ReplayQuery(Struct, frozen=True):
    """Query to any coordinator, on `warmxfer.ask.replay`: handle a dead-lettered message again."""

    dead_letter: int
    """The number of the dead letter in the stream."""


class ReplayReply(Struct, frozen=True):
    """What was handled again: the subject and the number of the message that the dead letter is about."""

    subject: SubjectText
    seq: int


class EraseQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query to any coordinator, on `warmxfer.ask.erase`: erase a transfer that was archived."""

    id: Token


class EraseReply(Struct, frozen=True):
    """What became of the transfer."""

    id: Id
    erased: bool
    """True: only its id, its final phase and the time of that phase are kept. False: it has ended and is not
    archived yet.
    """
    messages: int = 0
    """How many stored messages were overwritten now. 0 if it was erased before."""
