"""A summary becomes things to say: short, whole, and free of what cannot be read out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.actors.briefing.sentences import MAX_SENTENCE_CHARS, sentences


@pytest.mark.parametrize(
    ("text", "said"),
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
def test_sentences(text: str, said: list[str]) -> None:
    assert sentences(text) == said


def test_long_sentence_is_cut_at_a_comma_or_a_space() -> None:
    with_comma = "word " * 30 + "here, " + "more " * 60 + "end."
    assert sentences(with_comma)[0].endswith("here,")
    assert sentences("a" * 700 + ".") == ["a" * 300, "a" * 300, "a" * 100 + "."]


@given(st.text(max_size=2_000))
def test_every_piece_is_short_and_no_word_is_lost(text: str) -> None:
    said = sentences(text)
    assert all(0 < len(piece) <= MAX_SENTENCE_CHARS for piece in said)
    if text.isascii() and text.replace(" ", "").isalnum():
        assert "".join("".join(said).split()) == "".join(text.split())
