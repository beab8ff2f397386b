"""The two queries that a session replies to: the conversation, and a summary by the session's own model.

- Invariant: queries and replies are never stored and never logged.
- Invariant: a session replies only while the log of a transfer of this session awaits the summary.

Test: `tests/actors/primary/test_query_handlers.py`.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
import structlog

from warmxfer.bus import subjects
from warmxfer.schemas import (
    MAX_MESSAGE_BYTES,
    MAX_TURN_CHARS,
    MAX_TURNS,
    SUMMARY_MAX_CHARS,
    DecodeError,
    History,
    InvalidRequest,
    RetryableError,
    SessionSummary,
    TranscriptTurn,
    decode_as,
    encode,
)

from ..common.log_check import LogCheck
from ..common.log_record import LogRecord
from .own_lines import OwnLines
from .session import Session, guarded_call

NO_TRANSFER = "No live transfer of this session awaits a summary; the conversation is not given out"
SUMMARIZE, SUMMARY_TASK = "summarize", "summary"
QUERY_PAUSES_S = (0.02, 0.1, 0.4)
"""Pauses before the repeated reads of a log that does not have the command to summarize yet."""
HISTORY_TIMEOUT_S = 2.0
SUMMARY_TIMEOUT_S = 60.0
"""No requester waits longer. This frees the model when the requester has stopped waiting."""
SUMMARY_REPLY_S = SUMMARY_TIMEOUT_S + 5.0
"""Time of the whole reply: the log is read before."""

Q = TypeVar("Q")
log = structlog.get_logger(__name__)


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


def decode_query(kind: type[Q], data: bytes) -> Q:
    """Return the query in `data`. Raises `InvalidRequest` if it is none."""
    try:
        return decode_as(kind, data)
    except DecodeError as error:
        raise InvalidRequest(f"The query is not a {kind.__name__} ({error})") from error


async def check_query(check: LogCheck, transfer_id: str, session: str, *, by_session: bool = False) -> None:
    """Raise `InvalidRequest` unless the log of `transfer_id` awaits the summary of this session's call.

    `by_session`: only if the session's own model is to write it. Raises `RetryableError` if the log does not
    say.
    """
    if subjects.is_token(transfer_id):
        for pause_s in QUERY_PAUSES_S:
            record = check.kept(transfer_id)
            if record is None or not _awaits_summary(record, session, by_session):
                record = await check.read(transfer_id)
            if record is not None and _awaits_summary(record, session, by_session):
                return
            if record is not None and SUMMARY_TASK in record.state.begun:
                break
            await asyncio.sleep(pause_s)
        else:
            raise RetryableError("The log of the transfer does not await a summary yet")
    log.warning("query_refused", session=session)
    raise InvalidRequest(NO_TRANSFER, field="transfer_id")


def _awaits_summary(record: LogRecord, session: str, by_session: bool) -> bool:
    state = record.state
    if state.request is None or state.request.session_name != session or not state.awaits(SUMMARIZE):
        return False
    return not by_session or state.request.config.summarize_by == "session"


async def history_reply(session: Session, own_lines: OwnLines) -> bytes:
    """Return an encoded `History` without `own_lines`; it is empty if the session fails or is too slow."""
    turns = await guarded_call("history", session.history, HISTORY_TIMEOUT_S)
    return encode(newest_turns(own_lines.without(turns.value)) if turns else History())


async def summary_reply(session: Session, prompt: str) -> bytes:
    """Return an encoded `SessionSummary`; it is empty if the session has no model or fails."""
    summary = await guarded_call("summarize", lambda: session.summarize(prompt), SUMMARY_TIMEOUT_S)
    return encode(SessionSummary(((summary and summary.value) or "")[:SUMMARY_MAX_CHARS]))
