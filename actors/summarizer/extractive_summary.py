"""A summary without a model: selected quotes of the caller and the agent, in any script. Pure.

Invariant: nothing is inferred. Every sentence names the speaker and quotes the words as they were said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from warmxfer.schemas import TranscriptTurn

from ..common.spoken_check import is_small_talk
from ..common.unicode_text import cut, sentences, word_count
from .call_facts import amounts_in, asks, last_question, numbers_in
from .caller_name import name_given_to, name_in
from .prompt import clean

PREFACE: Final = "Taken from the call, word for word."
MAX_QUOTE_CHARS: Final = 280
MAX_ISSUE_QUOTES: Final = 2
MAX_FACTS: Final = 3
MAX_FACT_CHARS: Final = 30
MIN_ISSUE_WORDS: Final = 4
MAX_SHORT_WORDS: Final = 3
MAX_GREETING_WORDS: Final = 8
MAX_WORDS_BEFORE_NAME: Final = 6
MAX_WORDS_AFTER_NAME: Final = 2

_GREETING = re.compile(
    r"^(?:hi|hello|hey|good (?:morning|afternoon|evening))\b[^.!?]{0,40}[.!?,]\s*", re.IGNORECASE
)
_INTRODUCTION = re.compile(r"^(?:my name is|this is|i am|i'm|it's) [^.!?]{1,40}[.!?]\s*", re.IGNORECASE)
_ACTION = re.compile(
    r"\b(?:i have|i've|i can see|i see|i checked|i found|i looked|i tried|i sent|i opened|i issued|"
    r"i refunded|i cancelled|i canceled|i booked|i changed|i updated|i will|i'll|let me)\b",
    re.IGNORECASE,
)

_ANNOUNCEMENTS: Final = (
    *("supervisor", "manager", "connect you", "transfer", "transfér", "verbinde", "weiterleit", "vorgesetzt"),
    *("superviseur", "conect", "collega", "doorverbind", "przełącz", "соедин", "перевож"),
    *("转接", "轉接", "转人工", "主管", "繋ぎ", "おつなぎ", "担当", "연결", "상담원"),
    *("ट्रांसफर", "सुपरवाइज", "कनेक्ट", "تحويل", "المشرف", "أحول", "โอนสาย", "หัวหน้า", "สักครู่"),
    *("少々お待", "请稍等", "請稍等", "잠시만"),
)
"""Words of an announcement of the transfer, which the supervisor knows."""


def extract(turns: Sequence[TranscriptTurn]) -> str:
    """Return a summary of up to eight sentences; "" if the caller said nothing."""
    lines = [(turn.role, text) for turn in turns if (text := clean(turn.text))]
    caller = [text for role, text in lines if role == "caller"]
    if not caller:
        return ""
    label, closing = _closing(lines)
    quotes = [("The caller said", issue) for issue in _issues(caller, closing)]
    if action := _action([text for role, text in lines if role == "agent"]):
        quotes.append(("The agent said", action))
    issues = [text for _, text in quotes]
    if (question := _question(caller)) and not any(question in text for text in (*issues, closing)):
        quotes.append(("The caller asked", question))
    if closing not in issues:
        quotes.append((label, closing))
    spoken = [f"{label}: {_quote(text)}" for label, text in quotes]
    facts = _facts_missing(caller, " ".join(spoken))
    name = next((name for text in caller if (name := name_in(text))), None) or _answered_name(lines)
    return " ".join(
        [
            PREFACE,
            *([f"The caller gave the name {name}."] if name else []),
            *spoken,
            *([f"The caller also named: {', '.join(facts)}."] if facts else []),
        ]
    )


def _answered_name(lines: Sequence[tuple[str, str]]) -> str | None:
    """Return the name that the caller gave when the agent asked for it."""
    pairs = ((before[1], text) for before, (role, text) in pairwise(lines) if role == "caller")
    return next((name for question, answer in pairs if (name := name_given_to(question, answer))), None)


def _issues(caller: Sequence[str], closing: str) -> list[str]:
    """Return the caller's statements that are more than a greeting and a name: the first, and the one with
    most figures.

    A question at the end of the call is quoted as such, if there is another statement.
    """
    stripped = [_without_greeting(text) for text in caller]
    informative = [
        text for text in stripped if word_count(text) >= MIN_ISSUE_WORDS and not _is_greeting(text)
    ]
    informative = [text for text in informative if text != closing or not asks(text)] or informative
    # The first statement is mostly the matter, and the figures of another one complete it.
    others = sorted(range(1, len(informative)), key=lambda at: (-_figures(informative[at]), at))
    chosen = [0, *others][:MAX_ISSUE_QUOTES] if informative else []
    return [informative[at] for at in sorted(chosen)] or [max(caller, key=word_count)]


def _without_greeting(text: str) -> str:
    """Return `text` without the short sentences at its beginning, in which nothing but a name is said."""
    text = _INTRODUCTION.sub("", _GREETING.sub("", text))
    at = 0
    for part in sentences(text)[:-1]:
        if not _is_greeting(part):
            break
        at = text.index(part, at) + len(part)
    return text[at:].lstrip() if at else text


def _is_greeting(sentence: str) -> bool:
    if _figures(sentence) or asks(sentence):
        return False
    if name := name_in(sentence):
        before, after = sentence.split(name, 1)
        return word_count(before) <= MAX_WORDS_BEFORE_NAME and word_count(after) <= MAX_WORDS_AFTER_NAME
    words = word_count(sentence)
    return words <= MAX_SHORT_WORDS or (words <= MAX_GREETING_WORDS and is_small_talk(sentence))


def _figures(text: str) -> int:
    return 2 * bool(amounts_in(text)) + bool(numbers_in(text))


def _action(agent: Sequence[str]) -> str | None:
    """Return what the agent did: their last statement of it, else their last one that is no announcement."""
    statements = [
        text
        for text in agent
        if not asks(text) and not is_small_talk(text) and word_count(text) >= MIN_ISSUE_WORDS
    ]
    told = [text for text in statements if not _announces_transfer(text)] or statements
    return next((text for text in reversed(agent) if _ACTION.search(text)), told[-1] if told else None)


def _announces_transfer(text: str) -> bool:
    folded = text.casefold()
    return any(word in folded for word in _ANNOUNCEMENTS)


def _closing(lines: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return the caller's last question that the agent has not answered; else their last words."""
    for role, text in reversed(lines):
        if role == "agent" and not _announces_transfer(text):
            break
        if role == "agent":
            continue
        if question := last_question(text):
            return "The caller asked, not yet answered", _whole(text, question)
    return "The caller's last words", next(text for role, text in reversed(lines) if role == "caller")


def _question(caller: Sequence[str]) -> str | None:
    """Return the caller's last question in the whole call."""
    return next((question for text in reversed(caller) if (question := last_question(text))), None)


def _whole(text: str, sentence: str) -> str:
    """Return the whole utterance, if it can be quoted whole; else its sentence."""
    return text if len(text) <= MAX_QUOTE_CHARS else sentence


def _facts_missing(caller: Sequence[str], quotes: str) -> list[str]:
    """Return the newest amounts and numbers of the caller that the quotes do not contain."""
    said = " ".join(caller)
    missing: list[str] = []
    for fact in (*amounts_in(said)[::-1], *numbers_in(said)[::-1]):
        if (
            fact.replace('"', "'") not in quotes
            and len(fact) <= MAX_FACT_CHARS
            and not any(fact in other for other in missing)
        ):
            missing.append(fact)
    return missing[:MAX_FACTS]


def _quote(text: str) -> str:
    text = cut(text.replace('"', "'"), MAX_QUOTE_CHARS)
    return f'"{text}"' if text[-1] in ".!?…。！？।؟" else f'"{text}."'
