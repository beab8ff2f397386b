"""Takes card numbers, security codes, account numbers and other long numbers out of what was said. Pure.

They may be written in digits or in words, with spaces, dashes or fillers between, and over several turns of
one speaker. What is left of a number are its last two digits, so that a listener can tell two of them apart.

- Invariant: each text is read once, from left to right: the time is proportional to its length.
- Invariant: a short number stays: an order, an amount, a date, a time.

The languages of the words are those of `number_words.py`. Held by
`tests/actors/common/test_private_numbers.py`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import structs

from warmxfer.schemas import TranscriptTurn

from .number_words import FILLERS, FIRST_WORDS, LONGEST_PHRASE, NUMBER_WORDS, PHRASES, REPEATS, SCALES
from .unicode_text import without_format_characters

LONG: Final = 9
"""Digits of a number that is taken out whatever it is: an account, an identity or a card has no fewer."""
MASK: Final = "xxxx"
KEPT_DIGITS: Final = 2
CODE_DIGITS: Final = range(3, 9)
"""Digits of a security code or a PIN."""
CODE_WITHIN: Final = 60
"""Characters between the words for a code and the code itself."""
MAX_GAP: Final = 6
"""Characters between two parts of one number."""

_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_GAP = re.compile(r"[\s\-\u2010-\u2014.,/_()'\u2019`:;\u2026#*+]*")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,40}")
_SPACE = re.compile(r"[ -]")
_CODES: Final = (
    (r"c ?v ?[cv] ?2?", ("cv", "c v")),
    (r"security (?:code|number)", ("security",)),
    (r"verification (?:code|number|value)", ("verification",)),
    (r"pin|passcode|card code", ("pin", "passcode", "card")),
    (
        r"(?:code|number|digits?|one) (?:(?:that )?is )?(?:on|at|from) the (?:back|front|rear|reverse)",
        ("the back", "the front", "the rear", "the reverse"),
    ),
    (r"(?:back|front|reverse) of (?:my|the|that|this) card", ("card",)),
    (r"(?:code|nummer|ziffern?|zahl) (?:(?:hinten )?auf der|von der) (?:karten)?rückseite", ("rückseite",)),
    (r"(?:code|chiffres|numéro) (?:au dos|derrière)", ("dos", "derrière")),
    (
        r"(?:código|número|dígitos) (?:(?:de|en|al|del) (?:el |la )?)?(?:dorso|reverso|atrás|detrás)",
        ("dorso", "reverso", "atrás", "detrás"),
    ),
    (r"prüfziffer|prüfnummer|prüfzahl|kartenprüfnummer", ("prüf",)),
    (r"sicherheitscode|sicherheitsnummer|geheimzahl", ("sicherheits", "geheimzahl")),
    (r"code de sécurité|cryptogramme|code secret", ("sécurité", "cryptogramme", "secret")),
    (r"código de seguridad|clave", ("seguridad", "clave")),
)
"""How a code is called, and what a mention contains at least one of."""
_CODE = re.compile(rf"(?<!\w)(?:{'|'.join(pattern for pattern, _ in _CODES)})(?!\w)", re.IGNORECASE)
_IN_ASCII: Final = tuple({words for _, each in _CODES for words in each if words.isascii()})
"""One of these is in every ASCII text that mentions a code. To look for them takes a tenth of the time."""
_MASKED = re.compile(MASK)


class Found(NamedTuple):
    """A number in the text, or a part of one: its place and the digits that it stands for."""

    start: int
    end: int
    digits: str


def mask(text: str) -> str:
    """Return `text` in composed form, without characters that are not spoken, with private numbers masked."""
    return _masked([text])[0]


def mask_turns(turns: Sequence[TranscriptTurn]) -> list[TranscriptTurn]:
    """Return the turns with private numbers masked, also those that one speaker says over several turns."""
    masked = list(turns)
    for role in ("caller", "agent"):
        places = [place for place, turn in enumerate(turns) if turn.role == role]
        texts = _masked([turns[place].text for place in places])
        for place, text in zip(places, texts, strict=True):
            masked[place] = structs.replace(turns[place], text=text)
    return masked


def _masked(texts: Sequence[str]) -> list[str]:
    """Return the texts with the numbers masked that stand in them, one after the other."""
    plain = [unicodedata.normalize("NFC", without_format_characters(text)) for text in texts]
    whole = "\n".join(plain)
    found = deque(_private_numbers(whole))
    shown: list[str] = []
    start = 0
    for text in plain:
        shown.append(_replaced(whole, start, start + len(text), found))
        start += len(text) + 1
    return shown


def _replaced(whole: str, start: int, end: int, found: deque[Found]) -> str:
    """Return `whole` from `start` to `end`, with a mask for each number, or part of one, in it.

    Removes the numbers from `found` that end there.
    """
    parts: list[str] = []
    at = start
    while found and found[0].start < end:
        number = found[0]
        parts.append(whole[at : max(at, number.start)])
        if number.end > end:
            parts.append(MASK)
            at = end
            break
        parts.append(MASK + (number.digits[-KEPT_DIGITS:] if len(number.digits) >= LONG else ""))
        at = number.end
        found.popleft()
    return "".join((*parts, whole[at:end]))


def _private_numbers(text: str) -> list[Found]:
    """Return the numbers to take out of `text`, in order, without overlaps."""
    numbers = _numbers(text)
    long = [each for each in numbers if len(each.digits) >= LONG]
    # A code that is masked already is found too, so that no other number is taken for it.
    short = [each for each in numbers if len(each.digits) in CODE_DIGITS]
    masks = [Found(each.start(), each.end(), "") for each in _MASKED.finditer(text)]
    codes = [each for each in _codes(text, sorted([*short, *masks])) if each.digits]
    return _without_overlaps([*_ibans(text), *long, *codes])


def _codes(text: str, numbers: Sequence[Found]) -> list[Found]:
    """Return the first number after each mention of a code, or else the last one before it."""
    found: list[Found] = []
    if not numbers or not _may_mention_code(text):
        return found
    starts = [each.start for each in numbers]
    for said in _CODE.finditer(text):
        after = bisect_left(starts, said.end())
        if after < len(numbers) and starts[after] - said.end() <= CODE_WITHIN:
            found.append(numbers[after])
            continue
        before = bisect_left(starts, said.start()) - 1
        if before >= 0 and 0 <= said.start() - numbers[before].end <= CODE_WITHIN:
            found.append(numbers[before])
    return found


def _may_mention_code(text: str) -> bool:
    folded = text.lower()
    return not text.isascii() or any(words in folded for words in _IN_ASCII)


def _ibans(text: str) -> list[Found]:
    """Return the account numbers in `text` whose check digits are right (ISO 13616)."""
    found: list[Found] = []
    for each in _IBAN.finditer(text):
        ends = [each.end(), *(each.start() + gap.start() for gap in _SPACE.finditer(each[0]))]
        for end in sorted(ends, reverse=True):
            plain = _SPACE.sub("", text[each.start() : end]).upper()
            if 15 <= len(plain) <= 34 and plain.isascii() and _has_check_digits(plain):
                found.append(Found(each.start(), end, re.sub(r"\D", "", plain)))
                break
    return found


def _has_check_digits(iban: str) -> bool:
    return int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 == 1


def _numbers(text: str) -> list[Found]:
    """Return every number in `text`: parts with nothing but separators and fillers between them."""
    found: list[Found] = []
    current: list[Found] = []
    for part in _parts(text):
        if current and not _continues(text, current[-1].end, part.start):
            found.append(_joined(current))
            current = []
        if part.digits or current:
            current.append(part)
    if current:
        found.append(_joined(current))
    return [each for each in found if each.digits]


def _parts(text: str) -> list[Found]:
    """Return the parts of numbers in `text`. A filler or a scale is a part without digits."""
    tokens = [(each.start(), each.end(), each[0].casefold()) for each in _TOKEN.finditer(text)]
    words = [word for _, _, word in tokens]
    parts: list[Found] = []
    repeat, next_place = 1, 0
    # Few words are a part of a number: the others are passed over at once.
    for place in [at for at, word in enumerate(words) if word in NUMBER_WORDS or word[0].isdecimal()]:
        if place < next_place:
            continue
        if place > next_place:
            repeat = 1
        start, end, word = tokens[place]
        next_place = place + 1
        if word[0].isdecimal():
            digits = "".join(str(int(each)) for each in word)
        elif word in REPEATS:
            repeat = REPEATS[word]
            parts.append(Found(start, end, ""))
            continue
        else:
            length, digits = _phrase(words, place)
            next_place = place + length
            end = tokens[next_place - 1][1]
        if digits or word in FILLERS or word in SCALES:
            parts.append(Found(start, end, digits * repeat))
        repeat = 1
    return parts


def _phrase(words: Sequence[str], place: int) -> tuple[int, str]:
    """Return how many words from `place` on say a number, and its digits; (1, "") if none does."""
    if words[place] not in FIRST_WORDS:
        return 1, ""
    for length in range(min(LONGEST_PHRASE, len(words) - place), 0, -1):
        if (digits := PHRASES.get(tuple(words[place : place + length]))) is not None:
            return length, digits
    return 1, ""


def _continues(text: str, end: int, start: int) -> bool:
    """Return whether the text between two parts holds separators only."""
    return start - end <= MAX_GAP and _GAP.fullmatch(text, end, start) is not None


def _joined(parts: list[Found]) -> Found:
    """Return the number of the parts, without fillers at its end."""
    while parts and not parts[-1].digits:
        parts.pop()
    if not parts:
        return Found(0, 0, "")
    return Found(parts[0].start, parts[-1].end, "".join(each.digits for each in parts))


def _without_overlaps(found: list[Found]) -> list[Found]:
    kept: list[Found] = []
    for each in sorted(found, key=lambda number: (number.start, -number.end)):
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
        elif each.end > kept[-1].end:
            kept[-1] = Found(kept[-1].start, each.end, each.digits)
    return kept
