"""What a person means who was asked whether they will take a call: the built-in classifier. Pure, English.

The law of this file: rather unclear than ready. Unclear costs one more question, a wrong ready puts a caller
through to nobody. A refusal wins over a yes in the same breath ("yes, but not now"), a plea for time turns a
yes into unclear ("yeah, hold on"), and words about tools, prompts or instructions are never a yes.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from . import words

MAX_READY_WORDS: Final = 25
MAX_DOUBTFUL_WORDS: Final = 10
"""What is no plain yes must at least be short for a judge to take it for one."""

LONG_GREETING_WORDS: Final = 15
"""A first utterance of this length is how machines answer; then weaker signs count as voicemail too."""


class Verdict(StrEnum):
    READY = "ready"
    DECLINED = "declined"
    VOICEMAIL = "voicemail"
    QUESTION = "question"
    UNCLEAR = "unclear"


def classify(text: str, *, first: bool = False) -> Verdict:
    """What `text` means as an answer to "are you ready to take the call?".

    `first`: it is the first thing heard on this line, where a machine would read out its greeting.
    """
    said = _normal(text)
    if not said:
        return Verdict.UNCLEAR
    if _is_machine(said, first=first):
        return Verdict.VOICEMAIL
    if _declines(said):
        return Verdict.DECLINED
    if _asks(said):
        return Verdict.QUESTION
    return Verdict.READY if _accepts(said) else Verdict.UNCLEAR


def may_be_ready(text: str) -> bool:
    """Whether a cleverer judge may take `text` for a yes: it says one somewhere, and nothing against it."""
    verdict = classify(text)
    said = _normal(text)
    short = len(said.split()) <= MAX_DOUBTFUL_WORDS
    doubtful_yes = short and words.ASSENT.search(said) is not None and not _spoiled(said)
    return verdict is Verdict.READY or (verdict is Verdict.UNCLEAR and doubtful_yes)


def _normal(text: str) -> str:
    said = words.NOISE.sub(" ", text.lower().replace("\u2019", "'"))
    return " ".join(said.split())


def _is_machine(said: str, *, first: bool) -> bool:
    if words.MACHINE.search(said):
        # "I'm not available" alone is what a person says; with a beep or a message in it, a machine.
        return not words.AWAY.search(said) or words.RECORDER.search(said) is not None
    if words.HUMAN.search(said):
        return False
    if words.REACHED.search(said):
        return True
    return first and len(said.split()) >= LONG_GREETING_WORDS and words.MAYBE_MACHINE.search(said) is not None


def _declines(said: str) -> bool:
    plain = words.NO_THAT_IS_NONE.sub(" ", said).strip()
    hard = words.HARD_NO.search(plain)
    if hard:
        # "I'm not ready yet, one second" asks for time; it does not refuse.
        return not (words.WAIT.search(plain) and re.fullmatch(r".*not ready(?: yet)?", hard.group()))
    if words.SOFT_NO.search(plain) or words.PLAIN_NO.match(plain):
        return not (words.GO.search(plain) or words.WAIT.search(plain))
    return False


def _asks(said: str) -> bool:
    clauses = _clauses(said)
    if all(words.SMALL_TALK.match(clause) for clause in clauses):
        return False
    if any(words.QUESTION.match(clause) and not words.REQUEST.match(clause) for clause in clauses):
        return True
    return said.endswith("?") and not _requests(clauses)


def _accepts(said: str) -> bool:
    clauses = _clauses(said)
    if _spoiled(said) or (said.endswith("?") and not _requests(clauses)):
        return False
    return any(words.READY_CLAUSE.match(clause) or words.REQUEST.match(clause) for clause in clauses)


def _spoiled(said: str) -> bool:
    """Too long for an answer, or with something in it that takes a yes back."""
    plain = words.NO_THAT_IS_NONE.sub(" ", said)
    signs = (words.HEDGE, words.WAIT, words.META)
    return len(said.split()) > MAX_READY_WORDS or any(sign.search(plain) for sign in signs)


def _requests(clauses: list[str]) -> bool:
    """Whether the last thing said is "can you put them through", with or without a please behind."""
    last = [clause for clause in clauses if clause != "please"][-1:]
    return any(words.REQUEST.match(clause) for clause in last)


def _clauses(said: str) -> list[str]:
    return [clause for part in words.CLAUSES.split(said) if (clause := part.strip())] or [""]
