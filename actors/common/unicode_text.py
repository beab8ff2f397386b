"""Sentences and lengths of text in any script, by the rules and the data of Unicode. Pure.

Python's `re` knows neither scripts nor sentence breaks; `regex` has the tables of Unicode.
"""

from __future__ import annotations

from typing import Final

import regex

CHARS_PER_WORD: Final = 2
"""Characters that count as one word in a script without spaces. Most words of Chinese have two."""

# Unicode Standard Annex 29, rules SB6 to SB11. A full stop also ends a sentence before a small letter if a
# space follows: speech recognition does not write capitals reliably.
_BREAK = regex.compile(
    r"(?:\p{SB=STerm}|(?<!\p{Lu})\p{SB=ATerm}(?!\p{SB=Numeric}|\p{L})|\p{Lu}\p{SB=ATerm}(?=\s+\p{Lu}\p{Ll}+\s))"
    r"[\p{SB=STerm}\p{SB=ATerm}]*+[\p{Pf}\p{Pe}\"']*+(?!\p{SB=SContinue})\s*+"
    r"|[\n\r\u2028\u2029]+\s*+"
)
_WITHOUT_SPACES = regex.compile(
    r"[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}&&\p{L}]\p{M}*+",
    regex.V1,
)
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’\-.,][\p{L}\p{M}\p{N}]+)*")
_GRAPHEME = regex.compile(r"\X")
_FORMAT = regex.compile(r"[\p{Cf}\p{Co}\ufffd\ufe0f&&[^\u200c\u200d]]", regex.V1)


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`, each with its end mark and without spaces around it."""
    found: list[str] = []
    at = 0
    for end in _BREAK.finditer(text):
        found.append(text[at : end.end()].strip())
        at = end.end()
    return [sentence for sentence in (*found, text[at:].strip()) if sentence]


def word_count(text: str) -> int:
    """Return about how many words `text` has, in any script."""
    if text.isascii():
        return len(_WORD.findall(text))
    letters = len(_WITHOUT_SPACES.findall(text))
    return len(_WORD.findall(_WITHOUT_SPACES.sub(" ", text))) + -(-letters // CHARS_PER_WORD)


def length(text: str) -> int:
    """Return the number of characters as a reader counts them."""
    return len(_GRAPHEME.findall(text))


def cut(text: str, max_chars: int) -> str:
    """Return at most `max_chars` of `text`, and an ellipsis if it is longer.

    It is cut between words. In a script without spaces, and in a long word, it is cut between the characters
    that a reader sees.
    """
    if len(text) <= max_chars:
        return text
    head = ""
    for character in _GRAPHEME.findall(text[: 2 * max_chars]):
        if len(head) + len(character) > max_chars:
            break
        head += character
    if not _WITHOUT_SPACES.search(head[-2:]):
        head = head.rsplit(" ", 1)[0]
    return head.rstrip() + " …"


def is_question(sentence: str) -> bool:
    """Return whether the sentence ends with a question mark of any script."""
    return _QUESTION.search(sentence) is not None


def without_format_characters(text: str) -> str:
    """Return `text` without characters that are not spoken. Joiners stay, which Indic words need."""
    return text if text.isascii() else _FORMAT.sub("", text)


_QUESTION = regex.compile(r"[?？؟՞;፧⁇⁈‽︖][\p{Pf}\p{Pe}\"'\s]*$")
