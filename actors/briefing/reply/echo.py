"""Our own words, given back by a speakerphone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from . import phrases
from .rules import is_yes

ECHO_S: Final = 4.0
"""How long after our line its words may come back."""

MIN_FUZZY_WORDS: Final = 4
MIN_SHARE: Final = 0.75
"""Share of the words that must be ours, in order, for an echo that the speech recognition got wrong."""


def is_echo(text: str, own_lines: Iterable[str]) -> bool:
    """Return whether `text` is a part of one of `own_lines`.

    One word is an echo only as the last one of a line, and if it is no yes: "ready" is an answer.
    """
    words = _words(text)
    return bool(words) and any(_is_part(words, _words(line), text) for line in own_lines)


def without_echo(text: str, own_lines: Iterable[str]) -> str:
    """Return `text` without the end of our own line at its beginning: "to take the call, yes" is "yes"."""
    own = [_words(line) for line in own_lines]
    words = text.split() if own else []
    heads = [(length, _words(" ".join(words[:length]))) for length in range(len(words) - 1, 1, -1)]
    for line in own:
        for length, head in heads:
            if len(head) > 1 and line[-len(head) :] == head:
                return " ".join(words[length:])
    return text


@lru_cache(phrases.MAX_CLEANED)
def _words(text: str) -> tuple[str, ...]:
    cleaned = phrases.clean(text).replace(phrases.BOUNDARY, " ")
    compact = cleaned.replace(" ", "")
    # A script without spaces is compared by characters.
    unspaced = compact and not compact.isascii() and _is_unspaced(compact)
    return tuple(compact if unspaced else cleaned.split())


def _is_unspaced(compact: str) -> bool:
    return any("\u3040" <= each <= "\u30ff" or "\u4e00" <= each <= "\u9fff" for each in compact)


def _is_part(words: Sequence[str], own: Sequence[str], text: str) -> bool:
    if len(words) == 1:
        return words == own[-1:] and not is_yes(text)
    if any(own[start : start + len(words)] == words for start in range(len(own) - len(words) + 1)):
        return True
    return (
        len(words) >= MIN_FUZZY_WORDS and not is_yes(text) and _common(words, own) >= MIN_SHARE * len(words)
    )


def _common(words: Sequence[str], own: Sequence[str]) -> int:
    """Return how many of `words` are in `own` in this order."""
    lengths = [0] * (len(own) + 1)
    for word in words:
        before = 0
        for index, each in enumerate(own, 1):
            before, lengths[index] = (
                lengths[index],
                before + 1 if word == each else max(lengths[index], lengths[index - 1]),
            )
    return lengths[-1]
