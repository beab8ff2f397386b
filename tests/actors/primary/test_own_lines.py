"""Lines that warmxfer had a session speak are no part of its transcript."""

from __future__ import annotations

from warmxfer.actors.primary.own_lines import MAX_LINES, OwnLines
from warmxfer.schemas import TranscriptTurn

HOLD = "Please hold while I connect you with a supervisor."
CALLER = TranscriptTurn("caller", "I was charged twice.")


def own_lines(*lines: str) -> OwnLines:
    own = OwnLines()
    for line in lines:
        own.add(line)
    return own


def test_a_turn_that_is_our_line_is_dropped() -> None:
    assert own_lines(HOLD).without([CALLER, TranscriptTurn("agent", HOLD)]) == [CALLER]
    assert own_lines(HOLD).without([TranscriptTurn("agent", f"  {HOLD}\n")]) == []
    assert own_lines("请稍等。").without([TranscriptTurn("agent", "请稍等。")]) == []


def test_what_the_agent_said_beside_our_line_stays() -> None:
    turn = TranscriptTurn("agent", f"I see both charges. {HOLD}")
    assert own_lines(HOLD).without([turn]) == [TranscriptTurn("agent", "I see both charges.")]


def test_what_a_caller_says_stays_even_if_it_is_our_line() -> None:
    turn = TranscriptTurn("caller", HOLD)
    assert own_lines(HOLD).without([turn]) == [turn]


def test_a_short_line_is_dropped_only_as_a_whole_turn() -> None:
    turns = [TranscriptTurn("agent", "Sorry."), TranscriptTurn("agent", "Sorry. I see both charges.")]
    assert own_lines("Sorry.").without(turns) == turns[1:]


def test_without_lines_a_transcript_stays_as_it_is() -> None:
    turns = [TranscriptTurn("agent", "Two  blanks."), CALLER]
    assert own_lines().without(turns) == turns
    assert own_lines(HOLD).without(turns) == turns


def test_only_the_newest_lines_are_remembered() -> None:
    own = own_lines(HOLD, *(f"Line number {number}." for number in range(MAX_LINES)))
    assert own.without([TranscriptTurn("agent", HOLD)]) == [TranscriptTurn("agent", HOLD)]
