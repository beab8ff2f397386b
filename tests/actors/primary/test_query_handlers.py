"""What a session tells of its conversation, and how much of it."""

from __future__ import annotations

from warmxfer.actors.primary.query_handlers import answer_history, answer_summary, newest_turns
from warmxfer.schemas import (
    MAX_MESSAGE_BYTES,
    MAX_TURN_CHARS,
    MAX_TURNS,
    History,
    SessionSummary,
    SummaryQuery,
    TranscriptTurn,
    decode_as,
    encode,
)

from .fake_session import RecordingSession


def test_the_newest_turns_are_kept_in_order() -> None:
    turns = [TranscriptTurn("caller", f"turn {number}") for number in range(MAX_TURNS + 5)]
    assert newest_turns(turns).turns == turns[5:]


def test_a_long_turn_is_cut() -> None:
    assert newest_turns([TranscriptTurn("agent", "x" * 9_999)]).turns == [
        TranscriptTurn("agent", "x" * MAX_TURN_CHARS)
    ]


def test_what_is_told_fits_one_message_and_is_as_much_as_fits() -> None:
    turns = [TranscriptTurn("caller", f"{number:03d} " + "ü" * 900) for number in range(100)]
    told = newest_turns(turns)
    data = encode(told)
    assert len(data) <= MAX_MESSAGE_BYTES < len(data) + len(encode(turns[0]))
    assert decode_as(History, data).turns == turns[-len(told.turns) :]


async def test_a_session_that_raises_has_no_history() -> None:
    session = RecordingSession("r", fails={"history": 1}, turns=[TranscriptTurn("caller", "Hi")])
    assert decode_as(History, await answer_history(session)).turns == []
    assert decode_as(History, await answer_history(session)).turns == [TranscriptTurn("caller", "Hi")]


async def test_the_sessions_own_model_gets_the_prompt() -> None:
    session = RecordingSession("r", own_summary="Ann wants a refund.")
    answer = await answer_summary(session, encode(SummaryQuery("In one line.")))
    assert decode_as(SessionSummary, answer).text == "Ann wants a refund."
    assert session.done == ["summarize: In one line."]


async def test_a_session_without_a_model_answers_empty() -> None:
    answer = await answer_summary(RecordingSession("r"), encode(SummaryQuery("p")))
    assert decode_as(SessionSummary, answer).text == ""
