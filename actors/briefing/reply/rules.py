"""Built-in classifier of the reply to "are you ready to take the call?". Pure, for English.

Invariants:

- Prefer UNCLEAR to READY. UNCLEAR costs one more question. A false READY connects the caller to a supervisor
  who is not there.
- A reply is a yes only if it contains nothing but a yes.
- A refusal wins over a yes before it: "yes, but not now".
- A request to wait turns a yes into UNCLEAR: "yeah, hold on".
- Words about tools, prompts or instructions are never a yes.

The model-based classifier uses two of these rules for replies in any language: `unambiguous` and
`could_be_yes`.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import Final, Literal

from . import no_patterns, yes_patterns

MAX_READY_WORDS: Final = 25
LONG_GREETING_WORDS: Final = 15
"""Minimum length of a first utterance for which weaker signs of voicemail count.

People answer the phone with fewer words.
"""


class ReplyIntent(StrEnum):
    """What a reply means."""

    READY = "ready"
    DECLINED = "declined"
    VOICEMAIL = "voicemail"
    QUESTION = "question"
    UNCLEAR = "unclear"


def classify(text: str, *, first: bool = False) -> ReplyIntent:
    """Return what `text` means as a reply to "are you ready to take the call?".

    `first` says that it is the first utterance of the call, where a voicemail greeting would be.
    """
    reply = _normalize(text)
    intent = _unambiguous(reply, first=first)
    if intent is not None:
        return intent
    if _is_refusal(reply):
        return ReplyIntent.UNCLEAR  # a refusal with a yes after it
    if _is_english_no(reply):
        return ReplyIntent.DECLINED
    if _is_question(reply):
        return ReplyIntent.QUESTION
    return ReplyIntent.READY if _is_yes(reply) else ReplyIntent.UNCLEAR


def unambiguous(
    text: str, *, first: bool = False
) -> Literal[ReplyIntent.DECLINED, ReplyIntent.VOICEMAIL] | None:
    """Return DECLINED or VOICEMAIL if `text` is one beyond doubt, so that no model is asked; else None."""
    return _unambiguous(_normalize(text), first=first)


def could_be_yes(text: str) -> bool:
    """Return whether a model may classify `text`, in any language, as a yes.

    Returns False if `text` contains an English no, an English question or an English request to wait. Returns
    False also for a voicemail greeting, words about tools, and a `text` that is no reply at all.
    """
    return _could_be_yes(_normalize(text))


def _unambiguous(reply: str, *, first: bool) -> Literal[ReplyIntent.DECLINED, ReplyIntent.VOICEMAIL] | None:
    if _is_voicemail(reply, first=first):
        return ReplyIntent.VOICEMAIL
    return ReplyIntent.DECLINED if _is_refusal(reply) and not _yes_after_no(reply) else None


def _could_be_yes(reply: str) -> bool:
    plain = _without_false_noes(reply)
    return not (
        _is_voicemail(reply, first=False)
        or _is_refusal(reply)
        or _is_english_no(reply)
        or no_patterns.WAIT_REQUEST.search(plain)
        or no_patterns.PROMPT_INJECTION.search(plain)
        or _is_english_question(plain)
        or all(no_patterns.NO_ANSWER.match(clause) for clause in _clauses(reply))
    )


def _normalize(text: str) -> str:
    reply = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'").replace("\u061f", "?")
    return " ".join(no_patterns.NOISE.sub(" ", reply).split())


def _without_false_noes(reply: str) -> str:
    return no_patterns.FALSE_NO.sub(" ", no_patterns.ASIDE_NO.sub(" ", reply)).strip()


def _is_voicemail(reply: str, *, first: bool) -> bool:
    if no_patterns.VOICEMAIL.search(reply):
        # A person says only "I'm not available". A voicemail greeting also says beep or message.
        return (
            not no_patterns.UNAVAILABLE_SELF.search(reply) or no_patterns.RECORDING.search(reply) is not None
        )
    if no_patterns.HUMAN.search(reply):
        return False
    if no_patterns.REACHED.search(reply):
        return True
    return (
        first
        and len(reply.split()) >= LONG_GREETING_WORDS
        and no_patterns.MAYBE_VOICEMAIL.search(reply) is not None
    )


def _is_refusal(reply: str) -> bool:
    """Return whether the reply contains a no that counts in any language, whatever else it contains."""
    plain = _without_false_noes(reply)
    hard = no_patterns.HARD_NO.search(plain)
    if hard:
        # "I'm not ready yet, one second" asks for time; it does not refuse.
        return not (
            no_patterns.WAIT_HINT.search(plain) and re.fullmatch(r".*not ready(?: yet)?", hard.group())
        )
    if no_patterns.BARE_NO.match(plain) or no_patterns.SOFT_NO.search(plain):
        return not (yes_patterns.GO.search(plain) or no_patterns.WAIT_HINT.search(plain))
    return False


def _yes_after_no(reply: str) -> bool:
    """Return whether a yes follows the last no: as when the person changes their mind."""
    clauses = _clauses(reply)
    no_indexes = [index for index, clause in enumerate(clauses) if _is_refusal(clause)]
    return any(_is_yes_clause(clause) for clause in clauses[no_indexes[-1] + 1 :]) if no_indexes else False


def _ends_with_no(reply: str) -> bool:
    """Return whether the last clause is a no: "am I ready? No.", but not the tag in "páselo, ¿no?"."""
    return not reply.endswith("?") and no_patterns.BARE_NO.match(_clauses(reply)[-1]) is not None


def _is_english_no(reply: str) -> bool:
    """Return whether the reply is a no in English: "no, it's my day off", but not "no, it's fine"."""
    plain = _without_false_noes(reply)
    if _ends_with_no(reply):
        return True
    if (
        not no_patterns.PLAIN_NO.match(plain)
        or yes_patterns.GO.search(plain)
        or no_patterns.WAIT_HINT.search(plain)
    ):
        return False
    return not any(_is_yes_clause(clause) for clause in _clauses(plain))


def _is_question(reply: str) -> bool:
    clauses = _clauses(reply)
    if all(no_patterns.SMALL_TALK.match(clause) for clause in clauses):
        return False
    if any(_is_question_clause(clause) for clause in clauses):
        return True
    return reply.endswith("?") and not _ends_with_request(clauses)


def _is_english_question(reply: str) -> bool:
    asked = reply.endswith("?") and no_patterns.WH_WORD.search(reply) is not None
    return asked or any(
        no_patterns.ENGLISH_QUESTION.match(clause) and not yes_patterns.REQUEST.match(clause)
        for clause in _clauses(reply)
    )


def _is_question_clause(clause: str) -> bool:
    return no_patterns.QUESTION.match(clause) is not None and not _is_go_ahead_clause(clause)


def _is_yes(reply: str) -> bool:
    """Return whether the reply is a yes, with nothing beside it but greetings, thanks and the like."""
    clauses = _clauses(no_patterns.ASIDE_NO.sub(" ", reply))
    if (
        not _could_be_yes(reply)
        or _is_hedged_or_long(reply)
        or (reply.endswith("?") and not _ends_with_request(clauses))
    ):
        return False
    while clauses and yes_patterns.POLITE.match(clauses[-1]):
        clauses.pop()
    if not clauses or not _is_go_ahead_clause(clauses[-1]):
        return False
    return all(_is_go_ahead_clause(clause) or yes_patterns.ASIDE.match(clause) for clause in clauses)


def _is_go_ahead_clause(clause: str) -> bool:
    return _is_yes_clause(clause) or yes_patterns.REQUEST.match(clause) is not None


def _is_yes_clause(clause: str) -> bool:
    """Return whether the clause is nothing but a yes. A clause that is too long is not matched."""
    return len(clause.split()) <= MAX_READY_WORDS and yes_patterns.YES_CLAUSE.match(clause) is not None


def _is_hedged_or_long(reply: str) -> bool:
    """Return whether the reply is too long for a yes, or contains a word that weakens one."""
    plain = _without_false_noes(reply)
    patterns = (no_patterns.HEDGE, no_patterns.WAIT_HINT)
    return len(reply.split()) > MAX_READY_WORDS or any(sign.search(plain) for sign in patterns)


def _ends_with_request(clauses: list[str]) -> bool:
    """Return whether the last clause is "can you put them through", or "please" follows such a clause."""
    last = [clause for clause in clauses if clause != "please"][-1:]
    return any(yes_patterns.REQUEST.match(clause) for clause in last)


def _clauses(reply: str) -> list[str]:
    return [clause for part in no_patterns.CLAUSES.split(reply) if (clause := part.strip())] or [""]
