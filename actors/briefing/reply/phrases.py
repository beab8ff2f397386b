"""Text as words, and the words of one language as phrases. Pure.

A list of phrases is one string: phrases are separated by `;`, and `(a|b|)` stands for one of its words.
`{them}` stands for the language's words for the caller. `*` stands for one word that weakens nothing: a name.
`,` stands for a comma that may be there.

`Vocabulary.covers` says whether a text consists of nothing but such phrases. So a word that no list holds
makes a reply something else than a plain yes.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from functools import lru_cache
from typing import Final

BOUNDARY: Final = "|"
"""The word that stands for a comma, a full stop and the like."""

ANY_WORD: Final = "*"

MAX_WORDS: Final = 25
"""Words of the longest plain yes."""

MAX_CHARS: Final = 60
"""Characters of the longest plain yes in a script without spaces."""

MAX_CLEANED: Final = 256
"""Texts whose words are kept. A reply is cleaned for each question about it, our lines for each reply."""

_BREAKS: Final = frozenset(".,;:!?…。、，；：！？।॥؟，｡·—–")
_FOLDED: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "’": "'", "‘": "'", "ʼ": "'"})
_PARTS = re.compile(r"[()|]|[^\s()|]+")


_ACCENTS = re.compile("[\u0300-\u036f]+")
_ANNOTATION = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|<[^<>]*>|\*[^*]*\*|♪[^♪]*")
"""What speech recognition notes beside the words: "[music]"."""


@lru_cache(MAX_CLEANED)
def clean(text: str) -> str:
    """Return the words of `text`, folded, without what speech recognition notes beside them."""
    return fold(_ANNOTATION.sub(" ", text))


def fold(text: str) -> str:
    """Return `text` as lower-case words without accents, with `BOUNDARY` between clauses.

    Marks of Indic and Japanese scripts stay, because they are part of a word.
    """
    spaced = "".join(_as_word_character(each) for each in _letters(text))
    words = (word.strip("'") for word in spaced.split())
    kept = [word for word in words if word]
    return " ".join(
        word for index, word in enumerate(kept) if word != BOUNDARY or (index and kept[index - 1] != BOUNDARY)
    ).strip(f"{BOUNDARY} ")


def _letters(text: str) -> str:
    """Return `text` in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_FOLDED))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))


def _as_word_character(each: str) -> str:
    if each in _BREAKS:
        return f" {BOUNDARY} "
    if each.isalnum() or each == "'" or unicodedata.category(each).startswith("M"):
        return each
    return " "


def asks(text: str) -> bool:
    """Return whether `text` ends with a question mark of any script."""
    return text.rstrip().rstrip("\"'”’)」』").endswith(("?", "？", "؟"))


_TAIL = re.compile(r"(?:\(\?: \\S\+\)[*?]|\.\*)+$")
"""The rest of a text, which a search need not match."""


def pattern(phrases: str, *, spaced: bool = True, whole: bool = False) -> re.Pattern[str]:
    """Return a pattern for the phrases: regular expressions for a clean text, separated by `;`.

    `whole`: it is matched against a whole text, not searched.
    """
    parts = [" ".join(phrase.split()) for phrase in phrases.split(";") if phrase.strip()]
    if not whole:
        parts = [_TAIL.sub("", part).removeprefix(".*") for part in parts]
    folded = "|".join(unicodedata.normalize("NFC", _without_accents(part)) for part in parts)
    if not parts:
        return re.compile("(?!)")
    return re.compile(rf"(?<!\S)(?:{folded})(?!\S)" if spaced else f"(?:{folded})")


def _without_accents(part: str) -> str:
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", part.translate(_FOLDED))).replace("ß", "ss")


def _words_of(part: str) -> str:
    """Return the words of a part of a phrase whose letters are folded already."""
    return part if part.isalpha() else " ".join(fold(part).replace(BOUNDARY, " ").split())


class Kind(Enum):
    """What a phrase says of a reply."""

    YES = auto()
    CONNECT = auto()
    """A yes that names the move, as "put her through"."""
    REQUEST = auto()
    """A yes that may be asked, as "could you put her through"."""
    BEFORE = auto()
    """May stand before a yes."""
    AFTER = auto()
    """May stand beside a yes."""
    DESPITE = auto()
    """Sounds like a no, and is none if CONNECT or REQUEST follows: "no, no, put her through"."""
    PAUSE = auto()
    """Asks for a moment, which RESUMED ends: "hang on... okay, put her through"."""
    RESUMED = auto()
    """Ends a PAUSE. Only RESUMED, CONNECT or REQUEST follow, so that "wait, then connect" is no yes."""


_PLAIN: Final = frozenset((Kind.BEFORE, Kind.YES, Kind.REQUEST))


def _next_kind(so_far: Kind, phrase: Kind) -> Kind | None:
    """Return what a text is after one more phrase; None if it cannot be a yes any more.

    A text is YES or REQUEST if it is a yes so far; otherwise the kind names what it still needs.
    """
    match phrase:
        case Kind.AFTER:
            return None if so_far is Kind.RESUMED else so_far
        case Kind.PAUSE:
            return Kind.PAUSE
        case Kind.RESUMED:
            return Kind.RESUMED if so_far in (Kind.PAUSE, Kind.RESUMED) else None
        case Kind.CONNECT:
            return None if so_far is Kind.PAUSE else Kind.YES
        case Kind.REQUEST:
            return None if so_far is Kind.PAUSE else Kind.REQUEST
        case Kind.DESPITE:
            return None if so_far in (Kind.PAUSE, Kind.RESUMED) else Kind.DESPITE
        case Kind.YES | Kind.BEFORE:
            return phrase if so_far in _PLAIN else so_far if so_far is Kind.DESPITE else None


class Vocabulary:
    """The phrases that a plain yes is made of, as a graph of words that is walked along a text.

    `spaced`: words are separated by spaces. `never`: words that `*` does not stand for.
    """

    def __init__(
        self, phrases: Mapping[Kind, str], *, them: str = "", never: str = "", spaced: bool = True
    ) -> None:
        self._spaced = spaced
        self._never = frozenset(clean(word) for word in never.split(";"))
        self._next: list[dict[str, list[int]]] = []
        self._skip: list[list[int]] = []
        self._kinds: dict[int, list[Kind]] = {}
        self._start = self._node()
        for kind, listed in phrases.items():
            for phrase in _letters(listed.replace("{them}", f"({them})")).split(";"):
                if phrase.strip():
                    self._add(phrase, kind)
        first: dict[str, list[int]] = {}
        for node in self._closure([self._start]):
            for word, targets in self._next[node].items():
                first.setdefault(word, []).extend(targets)
        self._next[self._start], self._skip[self._start] = first, []

    def covers(self, cleaned: str, *, asked: bool = False) -> bool:
        """Return whether `cleaned` is a yes and nothing else; `asked`: it ends with a question mark."""
        ends = self._ends(cleaned)
        return Kind.REQUEST in ends or (Kind.YES in ends and not asked)

    def greets(self, cleaned: str) -> bool:
        """Return whether `cleaned` is made of phrases that may stand before a yes, and of nothing else."""
        return not _PLAIN.isdisjoint(self._ends(cleaned))

    def weakens(self, word: str) -> bool:
        """Return whether `word` is one that no other word of a yes stands for: "not", "away"."""
        return word in self._never

    def _ends(self, cleaned: str) -> set[Kind]:
        """Return what the text is at its end, for each way to split it; empty if there is none."""
        words = self._units(cleaned)
        if not words or len(words) > (MAX_WORDS if self._spaced else MAX_CHARS):
            return set()
        reached: list[set[Kind]] = [set() for _ in range(len(words) + 1)]
        reached[0].add(Kind.BEFORE)
        for start, word in enumerate(words):
            if not reached[start]:
                continue
            if word == BOUNDARY:
                reached[start + 1] |= reached[start]
                continue
            nodes = [self._start]
            for end in range(start, len(words)):
                nodes = self._step(nodes, words[end])
                if not nodes:
                    break
                for node in nodes:
                    for kind in self._kinds.get(node, ()):
                        following = {_next_kind(each, kind) for each in reached[start]}
                        reached[end + 1] |= {each for each in following if each is not None}
        return reached[-1]

    def _step(self, nodes: list[int], word: str) -> list[int]:
        found: list[int] = []
        for node in nodes:
            found += self._next[node].get(word, ())
            if word not in self._never and word != BOUNDARY:
                found += self._next[node].get(ANY_WORD, ())
        return self._closure(found)

    def _closure(self, nodes: list[int]) -> list[int]:
        seen = dict.fromkeys(nodes)
        for node in nodes:
            for skipped in self._skip[node]:
                if skipped not in seen:
                    seen[skipped] = None
                    nodes.append(skipped)
        return list(seen)

    def _add(self, phrase: str, kind: Kind) -> None:
        """Add a chain of nodes for the phrase; each group of choices begins and ends in one node."""
        at = self._node()
        self._skip[self._start].append(at)
        parts = deque(_PARTS.findall(phrase))
        self._kinds.setdefault(self._sequence(at, parts), []).append(kind)

    def _sequence(self, at: int, parts: deque[str]) -> int:
        """Add the words and groups up to the end of the choice; returns its last node."""
        while parts and parts[0] not in ("|", ")"):
            part = parts.popleft()
            if part == "(":
                at = self._choices(at, parts)
            elif part == ",":
                end = self._node()
                self._next[at].setdefault(BOUNDARY, []).append(end)
                self._skip[at].append(end)
                at = end
            elif units := self._units(part if part == ANY_WORD else _words_of(part)):
                end = self._node()
                self._chain(at, units, end)
                at = end
        return at

    def _choices(self, at: int, parts: deque[str]) -> int:
        end = self._node()
        while True:
            self._skip[self._sequence(at, parts)].append(end)
            if parts.popleft() == ")":
                return end

    def _chain(self, at: int, words: list[str], end: int) -> None:
        for word in words[:-1]:
            node = self._node()
            self._next[at].setdefault(word, []).append(node)
            at = node
        if words:
            self._next[at].setdefault(words[-1], []).append(end)

    def _node(self) -> int:
        self._next.append({})
        self._skip.append([])
        return len(self._next) - 1

    def _units(self, text: str) -> list[str]:
        return text.split() if self._spaced else list(text.replace(" ", ""))
