"""A session's replies to history and summary queries, and their size limits."""

from __future__ import annotations

from warmxfer.actors.primary.own_lines import OwnLines
from warmxfer.actors.primary.query_handlers import history_reply, newest_turns, summary_reply
from warmxfer.schemas import (
    MAX_MESSAGE_BYTES,
    MAX_TURN_CHARS,
    MAX_TURNS,
    History,
    SessionSummary,
    TranscriptTurn,
    decode_as,
    encode,
)

from .fake_session import RecordingSession


def test_the_newest_turns_are_kept_in_order() -> None:
    turns = [TranscriptTurn("caller", f"turn {number}") for number in range(MAX_TURNS + 5)]
    assert newest_turns(turns).turns == turns[5:]


def test_a_long_turn_is_truncated() -> None:
    assert newest_turns([TranscriptTurn("agent", "x" * 9_999)]).turns == [
        TranscriptTurn("agent", "x" * MAX_TURN_CHARS)
    ]


def test_a_history_holds_as_many_turns_as_fit_one_message() -> None:
    turns = [TranscriptTurn("caller", f"{number:03d} " + "ü" * 900) for number in range(100)]
    history = newest_turns(turns)
    data = encode(history)
    assert len(data) <= MAX_MESSAGE_BYTES < len(data) + len(encode(turns[0]))
    assert decode_as(History, data).turns == turns[-len(history.turns) :]


async def test_the_history_is_empty_when_the_session_raises() -> None:
    session = RecordingSession("r", fails={"history": 1}, turns=[TranscriptTurn("caller", "Hi")])
    assert decode_as(History, await history_reply(session, OwnLines())).turns == []
    assert decode_as(History, await history_reply(session, OwnLines())).turns == [
        TranscriptTurn("caller", "Hi")
    ]


async def test_the_sessions_own_model_receives_the_prompt() -> None:
    session = RecordingSession("r", own_summary="Ann wants a refund.")
    reply = await summary_reply(session, "In one line.")
    assert decode_as(SessionSummary, reply).text == "Ann wants a refund."
    assert session.done == ["summarize: In one line."]


async def test_the_summary_is_empty_without_a_model() -> None:
    reply = await summary_reply(RecordingSession("r"), "p")
    assert decode_as(SessionSummary, reply).text == ""
