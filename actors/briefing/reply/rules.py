"""What a person means who was asked whether they will take a call: the built-in classifier. Pure, English.

The law of this file: rather unclear than ready. Unclear costs one more question, a wrong ready puts a caller
through to nobody. A yes is one only if nothing but a yes is said. A refusal wins over a yes before it ("yes,
but not now"), a plea for time turns a yes into unclear ("yeah, hold on"), and words about tools, prompts or
instructions are never a yes.

Who judges better asks two things of it, and they hold in every language: whether what was heard is
`certain`, and whether it `may_be_ready`.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import Final, Literal

from . import no_patterns, yes_patterns

MAX_READY_WORDS: Final = 25
LONG_GREETING_WORDS: Final = 15
"""A first utterance of this length is how machines answer; then weaker signs count as voicemail too."""


class ReplyIntent(StrEnum):
    READY = "ready"
    DECLINED = "declined"
    VOICEMAIL = "voicemail"
    QUESTION = "question"
    UNCLEAR = "unclear"


def classify(text: str, *, first: bool = False) -> ReplyIntent:
    """What `text` means as an answer to "are you ready to take the call?".

    `first`: it is the first thing heard on this line, where a machine would read out its greeting.
    """
    said = _normal(text)
    sure = _unambiguous(said, first=first)
    if sure is not None:
        return sure
    if _refuses(said):
        return ReplyIntent.UNCLEAR  # and a yes after it
    if _says_no(said):
        return ReplyIntent.DECLINED
    if _asks(said):
        return ReplyIntent.QUESTION
    return ReplyIntent.READY if _accepts(said) else ReplyIntent.UNCLEAR


def unambiguous(
    text: str, *, first: bool = False
) -> Literal[ReplyIntent.DECLINED, ReplyIntent.VOICEMAIL] | None:
    """The unmistakable refusal or machine in `text`, which no judge need be asked about; else None."""
    return _unambiguous(_normal(text), first=first)


def could_be_yes(text: str) -> bool:
    """Whether a cleverer judge, of whatever language, may take `text` for a yes.

    Not if it is, or holds, an unmistakable English no, plea for time or question, a machine's greeting, talk
    about tools and instructions, or nothing that could be an answer.
    """
    return _could_be_yes(_normal(text))


def _unambiguous(said: str, *, first: bool) -> Literal[ReplyIntent.DECLINED, ReplyIntent.VOICEMAIL] | None:
    if _is_machine(said, first=first):
        return ReplyIntent.VOICEMAIL
    return ReplyIntent.DECLINED if _refuses(said) and not _yes_after_no(said) else None


def _could_be_yes(said: str) -> bool:
    plain = _without_mock_noes(said)
    return not (
        _is_machine(said, first=False)
        or _refuses(said)
        or _says_no(said)
        or no_patterns.HOLD.search(plain)
        or no_patterns.PROMPT_INJECTION.search(plain)
        or _asks_in_english(plain)
        or all(no_patterns.NO_ANSWER.match(clause) for clause in _clauses(said))
    )


def _normal(text: str) -> str:
    said = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'").replace("\u061f", "?")
    return " ".join(no_patterns.NOISE.sub(" ", said).split())


def _without_mock_noes(said: str) -> str:
    return no_patterns.FALSE_NO.sub(" ", no_patterns.ASIDE_NO.sub(" ", said)).strip()


def _is_machine(said: str, *, first: bool) -> bool:
    if no_patterns.MACHINE.search(said):
        # "I'm not available" alone is what a person says; with a beep or a message in it, a machine.
        return not no_patterns.UNAVAILABLE_SELF.search(said) or no_patterns.RECORDER.search(said) is not None
    if no_patterns.HUMAN.search(said):
        return False
    if no_patterns.REACHED.search(said):
        return True
    return (
        first
        and len(said.split()) >= LONG_GREETING_WORDS
        and no_patterns.MAYBE_MACHINE.search(said) is not None
    )


def _refuses(said: str) -> bool:
    """Whether it holds a no that is one, whatever else is said and in whatever language."""
    plain = _without_mock_noes(said)
    hard = no_patterns.HARD_NO.search(plain)
    if hard:
        # "I'm not ready yet, one second" asks for time; it does not refuse.
        return not (no_patterns.WAIT.search(plain) and re.fullmatch(r".*not ready(?: yet)?", hard.group()))
    if no_patterns.BARE_NO.match(plain) or no_patterns.SOFT_NO.search(plain):
        return not (yes_patterns.GO.search(plain) or no_patterns.WAIT.search(plain))
    return False


def _yes_after_no(said: str) -> bool:
    """Whether the last word is a yes: somebody changed their mind, or the no was about something else."""
    clauses = _clauses(said)
    noes = [number for number, clause in enumerate(clauses) if _refuses(clause)]
    return any(_is_yes(clause) for clause in clauses[noes[-1] + 1 :]) if noes else False


def _ends_with_no(said: str) -> bool:
    """As in "am I ready? No."; "páselo, ¿no?" ends with a tag."""
    return not said.endswith("?") and no_patterns.BARE_NO.match(_clauses(said)[-1]) is not None


def _says_no(said: str) -> bool:
    """What is a no in English only: "no, it's my day off", but not "no, it's fine"."""
    plain = _without_mock_noes(said)
    if _ends_with_no(said):
        return True
    if (
        not no_patterns.PLAIN_NO.match(plain)
        or yes_patterns.GO.search(plain)
        or no_patterns.WAIT.search(plain)
    ):
        return False
    return not any(_is_yes(clause) for clause in _clauses(plain))


def _asks(said: str) -> bool:
    clauses = _clauses(said)
    if all(no_patterns.SMALL_TALK.match(clause) for clause in clauses):
        return False
    if any(_is_question(clause) for clause in clauses):
        return True
    return said.endswith("?") and not _requests(clauses)


def _asks_in_english(said: str) -> bool:
    asked = said.endswith("?") and no_patterns.WH_WORD.search(said) is not None
    return asked or any(
        no_patterns.ENGLISH_QUESTION.match(clause) and not yes_patterns.REQUEST.match(clause)
        for clause in _clauses(said)
    )


def _is_question(clause: str) -> bool:
    return no_patterns.QUESTION.match(clause) is not None and not _goes_ahead(clause)


def _accepts(said: str) -> bool:
    """Whether there is a yes in it, and beside it nothing but what goes with one."""
    clauses = _clauses(no_patterns.ASIDE_NO.sub(" ", said))
    if not _could_be_yes(said) or _spoiled(said) or (said.endswith("?") and not _requests(clauses)):
        return False
    while clauses and yes_patterns.POLITE.match(clauses[-1]):
        clauses.pop()
    if not clauses or not _goes_ahead(clauses[-1]):
        return False
    return all(_goes_ahead(clause) or yes_patterns.ASIDE.match(clause) for clause in clauses)


def _goes_ahead(clause: str) -> bool:
    return _is_yes(clause) or yes_patterns.REQUEST.match(clause) is not None


def _is_yes(clause: str) -> bool:
    """Whether it is nothing but a yes; what is too long for one is not looked at."""
    return len(clause.split()) <= MAX_READY_WORDS and yes_patterns.YES_CLAUSE.match(clause) is not None


def _spoiled(said: str) -> bool:
    """Too long for an answer, or with something in it that takes a yes back."""
    plain = _without_mock_noes(said)
    signs = (no_patterns.HEDGE, no_patterns.WAIT)
    return len(said.split()) > MAX_READY_WORDS or any(sign.search(plain) for sign in signs)


def _requests(clauses: list[str]) -> bool:
    """Whether the last thing said is "can you put them through", with or without a please behind."""
    last = [clause for clause in clauses if clause != "please"][-1:]
    return any(yes_patterns.REQUEST.match(clause) for clause in last)


def _clauses(said: str) -> list[str]:
    return [clause for part in no_patterns.CLAUSES.split(said) if (clause := part.strip())] or [""]
