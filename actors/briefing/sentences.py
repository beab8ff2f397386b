"""Splits a text into sentences that can be spoken, and the two fixed answers to a question. Pure.

The other lines are in `config.lines` (`schemas/transfer.py`), the apologies in `schemas/outcomes.py`.
"""

from __future__ import annotations

import re
from typing import Final

from ..common.unicode_text import sentences

MAX_SENTENCE_CHARS: Final = 300

ANSWER_NOT_MENTIONED: Final = "That was not said in the call."
ANSWER_UNAVAILABLE: Final = "I can only tell you what was said in the call."

_COMMAS: Final = (", ", "; ", "，", "、", "；", "، ", "؛ ")  # noqa: RUF001
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029*_#`|<>]+")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


def split(text: str) -> list[str]:
    """Return `text` as sentences of at most `MAX_SENTENCE_CHARS`.

    A longer sentence is cut at a comma, a semicolon or a space where possible. Links become "a link", and
    markup is removed.
    """
    spoken = " ".join(_UNSPEAKABLE.sub(" ", _LINK.sub("a link", text)).split())
    return [piece for sentence in sentences(spoken) for piece in _cut(sentence)]


def _cut(sentence: str) -> list[str]:
    pieces: list[str] = []
    while len(sentence) > MAX_SENTENCE_CHARS:
        head = sentence[:MAX_SENTENCE_CHARS]
        comma = max(head.rfind(mark) for mark in _COMMAS)
        cut = comma + 1 or head.rfind(" ") + 1 or MAX_SENTENCE_CHARS
        pieces.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [*pieces, sentence] if sentence else pieces
