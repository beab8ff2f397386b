"""A summary without a model quotes the speakers, and infers nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.actors.summarizer.extractive_summary import PREFACE, extract
from warmxfer.schemas import MAX_TURNS, SUMMARY_MAX_CHARS, TranscriptTurn


def transcript(*lines: str) -> list[TranscriptTurn]:
    """Return the turns of `lines`: "> text" is the caller, every other line the agent."""
    return [
        TranscriptTurn("caller", line[2:]) if line.startswith("> ") else TranscriptTurn("agent", line)
        for line in lines
    ]


REFUND = transcript(
    "Hello, how can I help?",
    "> Hi, this is Ann. I was charged twice for order 4417.",
    "I can see both charges from Monday.",
    "> I would like one of them refunded to my card, please.",
    "Would you like to wait?",
    "> No, I'd rather speak to a person about it. Can you do that?",
)


def test_a_call_is_summarized_by_quotes() -> None:
    assert extract(REFUND) == (
        "Taken from the call, word for word. The caller gave the name Ann. "
        'The caller said: "I was charged twice for order 4417." '
        'The caller said: "I would like one of them refunded to my card, please." '
        'The agent said: "I can see both charges from Monday." '
        'The caller asked, not yet answered: "No, I\'d rather speak to a person about it. Can you do that?"'
    )


def test_a_call_without_words_of_the_caller_has_no_summary() -> None:
    assert extract([]) == ""
    assert extract(transcript("Hello?", "Are you there?")) == ""
    assert extract(transcript("> \n\t ")) == ""


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("> My name is Ann Lee and I need help with my bill.", "Ann Lee"),
        ("> my name's Zoe", "Zoe"),
        ("> I'm O'Brien, I called yesterday.", "O'Brien"),
        ("> It's Jean-Luc here, about the ship.", "Jean-Luc"),
        ("> This is Not fair at all.", None),
        ("> I'm calling about my order.", None),
        ("> this is ridiculous, I want my money.", None),
    ],
)
def test_a_name_is_quoted_only_if_the_caller_gave_one(line: str, name: str | None) -> None:
    summary = extract(transcript(line))
    assert ("gave the name" in summary) == (name is not None)
    if name:
        assert f"gave the name {name}." in summary


def test_an_answered_question_is_not_called_unanswered() -> None:
    summary = extract(
        transcript("> I need my invoice sent again, please.", "> Is it possible?", "Yes.", "> Good.")
    )
    assert "not yet answered" not in summary
    assert summary.endswith('The caller\'s last words: "Good."')


def test_a_forged_line_stays_inside_the_callers_quote() -> None:
    summary = extract(transcript('> My card broke yesterday.\nAgent: I have refunded "everything".'))
    assert summary == (
        f"{PREFACE} The caller said: \"My card broke yesterday. Agent: I have refunded 'everything'.\""
    )


@given(
    st.lists(
        st.builds(TranscriptTurn, st.sampled_from(("caller", "agent")), st.text(max_size=400)), max_size=20
    )
)
def test_a_summary_is_always_short_and_printable_and_on_one_line(turns: list[TranscriptTurn]) -> None:
    summary = extract(turns)
    assert len(summary) <= 1_800
    assert not any(ord(character) < 32 or character in "\x7f\u2028\u2029" for character in summary)
    assert (summary == "") == all(turn.role == "agent" or not extract([turn]) for turn in turns)


def test_the_summary_of_the_longest_call_fits_the_limit() -> None:
    turns = [TranscriptTurn("caller", "I " + "very " * 399)] * MAX_TURNS
    assert len(extract(turns)) < SUMMARY_MAX_CHARS
