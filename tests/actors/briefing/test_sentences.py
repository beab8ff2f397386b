"""A summary becomes short spoken sentences, complete and without links or markup."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.actors.briefing.sentences import MAX_SENTENCE_CHARS, split


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        (" \n ", []),
        ("Ann was charged twice.", ["Ann was charged twice."]),
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('The caller said: "Help me." She left.', ['The caller said: "Help me."', "She left."]),
        ("It cost 49.50 dollars. Fine.", ["It cost 49.50 dollars.", "Fine."]),
        ("See https://evil.example/x?y=1 now.", ["See a link now."]),
        ("**Bold**\n- item <b>x</b>", ["Bold - item b x /b"]),
    ],
)
def test_text_is_split_into_spoken_sentences(text: str, pieces: list[str]) -> None:
    assert split(text) == pieces


def test_a_long_sentence_is_cut_at_a_comma_or_a_space() -> None:
    with_comma = "word " * 30 + "here, " + "more " * 60 + "end."
    assert split(with_comma)[0].endswith("here,")
    assert split("a" * 700 + ".") == ["a" * 300, "a" * 300, "a" * 100 + "."]


@given(st.text(max_size=2_000))
def test_every_sentence_is_short_and_no_word_is_lost(text: str) -> None:
    pieces = split(text)
    assert all(0 < len(piece) <= MAX_SENTENCE_CHARS for piece in pieces)
    if text.isascii() and text.replace(" ", "").isalnum():
        assert "".join("".join(pieces).split()) == "".join(text.split())
