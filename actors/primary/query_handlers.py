"""The two questions a session answers: what was said, and what its own model makes of it.

The law of this file: asked and answered, never stored and never logged.
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

from .session import Session, guarded_call

HISTORY_TIMEOUT_S = 2.0
SUMMARY_TIMEOUT_S = 60.0
"""The asker's own deadline is shorter; this one frees the model when nobody waits any more."""


def newest_turns(turns: list[TranscriptTurn]) -> History:
    """The end of the conversation, as much of it as one message holds: whole turns, each cut to its limit."""
    kept: list[TranscriptTurn] = []
    bytes_left = MAX_MESSAGE_BYTES - len(encode(History()))
    for turn in reversed(turns[-MAX_TURNS:]):
        cut = msgspec.structs.replace(turn, text=turn.text[:MAX_TURN_CHARS])
        bytes_left -= len(encode(cut)) + 1
        if bytes_left < 0:
            break
        kept.append(cut)
    return History(kept[::-1])


async def history_reply(session: Session) -> bytes:
    """A `History`; empty when the session cannot tell in time."""
    turns = await guarded_call("history", session.history, HISTORY_TIMEOUT_S)
    return encode(newest_turns(turns.value) if turns else History())


async def summary_reply(session: Session, query: bytes) -> bytes:
    """An `OwnSummary`; empty when the session has no model, or it failed. Raises `Undecodable`."""
    prompt = decode_as(SummaryQuery, query).prompt
    summary = await guarded_call("summarize", lambda: session.summarize(prompt), SUMMARY_TIMEOUT_S)
    return encode(SessionSummary(((summary and summary.value) or "")[:SUMMARY_MAX_CHARS]))
