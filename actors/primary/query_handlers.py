"""The two queries that a session replies to: the conversation, and a summary by the session's own model.

Invariant: queries and replies are never stored and never logged.
"""

from __future__ import annotations

import msgspec

from warmxfer.schemas import (
    MAX_MESSAGE_BYTES,
    MAX_TURN_CHARS,
    MAX_TURNS,
    SUMMARY_MAX_CHARS,
    History,
    SessionSummary,
    SummaryQuery,
    TranscriptTurn,
    decode_as,
    encode,
)

from .own_lines import OwnLines
from .session import Session, guarded_call

HISTORY_TIMEOUT_S = 2.0
SUMMARY_TIMEOUT_S = 60.0
"""The requester's deadline is shorter. This one frees the model when the requester has stopped waiting."""


def newest_turns(turns: list[TranscriptTurn]) -> History:
    """Return the newest turns that fit one message: whole turns, each cut to `MAX_TURN_CHARS`."""
    kept: list[TranscriptTurn] = []
    bytes_left = MAX_MESSAGE_BYTES - len(encode(History()))
    for turn in reversed(turns[-MAX_TURNS:]):
        cut = msgspec.structs.replace(turn, text=turn.text[:MAX_TURN_CHARS])
        bytes_left -= len(encode(cut)) + 1
        if bytes_left < 0:
            break
        kept.append(cut)
    return History(kept[::-1])


async def history_reply(session: Session, own_lines: OwnLines) -> bytes:
    """Return an encoded `History` without `own_lines`; it is empty if the session fails or is too slow."""
    turns = await guarded_call("history", session.history, HISTORY_TIMEOUT_S)
    return encode(newest_turns(own_lines.without(turns.value)) if turns else History())


async def summary_reply(session: Session, query: bytes) -> bytes:
    """Return an encoded `SessionSummary`; it is empty if the session has no model or fails.

    Raises `DecodeError` for an invalid query.
    """
    prompt = decode_as(SummaryQuery, query).prompt
    summary = await guarded_call("summarize", lambda: session.summarize(prompt), SUMMARY_TIMEOUT_S)
    return encode(SessionSummary(((summary and summary.value) or "")[:SUMMARY_MAX_CHARS]))
