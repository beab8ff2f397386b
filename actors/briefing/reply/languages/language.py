"""What one language has to say about a reply: the words of a yes, and the signs of everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ..phrases import Kind, Vocabulary, fold, pattern

INTERNATIONAL: Final = "ok;okay;okey;o k;hello;hi;hallo;halo;alo"


SIGNS: Final = (
    "no", "hesitation", "no_refusal", "refusal", "wait", "elsewhere", "question",
    "beep", "reached", "machine", "maybe_machine", "offer", "person", "screening", "hold",
)  # fmt: skip
"""The fields of `Language` that are patterns."""
WHOLE: Final = ("no", "hesitation")
"""Those of them that are a whole clause or reply."""

_WORD = re.compile(r"[^\s()|;?:*+\\.\[\]{}]{1,}")


@dataclass(frozen=True)
class Language:
    """One language. Fields that are named as a `Kind` of `phrases.py` hold phrases; the rest are regular
    expressions for a clean text, separated by `;`.

    A bare no is in `despite` only where it cannot negate the verb that follows it: "no conecte" says "do not".

    `no`         a whole clause that says no, and nothing else
    `hesitation` a whole reply of words that would be a yes, and that hesitates
    `refusal`    a no, wherever it stands
    `no_refusal` words that look like a no and are none; they are taken out before `no` and `refusal`
    `wait`       the supervisor needs time
    `elsewhere`  another destination, or a polite no: no yes, and no clear no either
    `question`   the supervisor asks something
    `machine`    only a machine says this, the beep first of all; `maybe_machine`: machines say this, and people too
    `reached`    a mailbox says who it is; with one sign more it is sure, as with a beep
    `offer`      an offer to take a message, which a person makes too; beside it no words are a machine's alone
    `person`     only a person says this
    `screening`  a robot asks who calls and why, and a person may still answer
    `hold`       a menu or a queue
    """

    code: str
    yes: str
    no: str
    refusal: str
    wait: str
    them: str = ""
    connect: str = ""
    request: str = ""
    despite: str = ""
    pause: str = ""
    resumed: str = ""
    before: str = ""
    after: str = ""
    never: str = ""
    hesitation: str = ""
    no_refusal: str = ""
    elsewhere: str = ""
    question: str = ""
    machine: str = ""
    maybe_machine: str = ""
    reached: str = ""
    offer: str = ""
    person: str = ""
    screening: str = ""
    hold: str = ""
    spaced: bool = True

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The phrases of a yes, expanded at first use."""
        return Vocabulary(
            {
                Kind.YES: f"{self.yes};ok;okay;o k",
                Kind.CONNECT: self.connect,
                Kind.REQUEST: self.request,
                Kind.DESPITE: self.despite,
                Kind.PAUSE: self.pause,
                Kind.RESUMED: f"{self.resumed};ok;okay",
                Kind.BEFORE: f"{self.before};{INTERNATIONAL}",
                Kind.AFTER: self.after,
            },
            them=self.them,
            never=self.never,
            spaced=self.spaced,
        )

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        """Patterns compiled so far, by the names of their fields."""
        return {}

    def prepare(self) -> None:
        """Build the vocabulary and all patterns."""
        self.vocabulary.greets("")
        _ = self.words
        for sign in SIGNS:
            self._pattern(sign)

    def _pattern(self, sign: str) -> re.Pattern[str]:
        if sign not in self._patterns:
            self._patterns[sign] = pattern(getattr(self, sign), spaced=self.spaced, whole=sign in WHOLE)
        return self._patterns[sign]

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of all phrases and signs, by which a language is told from others."""
        lists = (
            self.them, self.yes, self.connect, self.request, self.before, self.after, self.never,
            self.despite, self.pause, self.resumed,
        )  # fmt: skip
        signs = (self.no, self.refusal, self.wait, self.elsewhere, self.question, self.machine, self.hold)
        found = (_WORD.findall(fold(each)) for each in (*lists, *signs))
        return frozenset(word for words in found for word in words)

    @property
    def beep(self) -> str:
        """The first sign of a machine: words about its beep."""
        return self.machine.split(";")[0]

    def has(self, sign: str, cleaned: str) -> bool:
        """Return whether the clean text has this sign, named as its field."""
        return self._pattern(sign).search(self.text(cleaned)) is not None

    def spans(self, sign: str, cleaned: str) -> list[tuple[int, int]]:
        """Return the places of this sign in `text(cleaned)`: start and end."""
        return [each.span() for each in self._pattern(sign).finditer(self.text(cleaned)) if each.group()]

    def starts_with(self, sign: str, clause: str) -> bool:
        """Return whether the clause begins with this sign, or has it in a script without spaces."""
        found = self._pattern(sign)
        # A script without spaces has no place where a word begins.
        return (found.match if self.spaced else found.search)(self.text(clause)) is not None

    def without(self, sign: str, cleaned: str) -> str:
        """Return the clean text without this sign."""
        return " ".join(self._pattern(sign).sub(" ", self.text(cleaned)).split()).strip("| ")

    def is_no(self, clause: str) -> bool:
        """Return whether the clause is a no and nothing else."""
        return self._pattern("no").fullmatch(self.text(clause)) is not None

    def is_yes(self, cleaned: str, *, asked: bool) -> bool:
        """Return whether the text is a plain yes and nothing else; `asked`: it ends with a question mark."""
        hesitates = self._pattern("hesitation").fullmatch(self.text(cleaned)) is not None
        return not hesitates and self.vocabulary.covers(cleaned, asked=asked)

    def text(self, cleaned: str) -> str:
        """Return the clean text as this language's phrases are matched against."""
        return cleaned if self.spaced else cleaned.replace(" ", "")
