"""A summary without a model: selected quotes of the caller and the agent. Pure.

Invariant: nothing is inferred. Every sentence names the speaker and quotes the words as they were said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from warmxfer.schemas import TranscriptTurn

from .prompt import clean

PREFACE: Final = "Taken from the call, word for word."
MAX_QUOTE_CHARS: Final = 280
MAX_ISSUE_QUOTES: Final = 2
MIN_ISSUE_WORDS: Final = 4

_NAME = re.compile(
    r"\b(?:[Mm]y name is|[Mm]y name's|(?:[Tt]his is|I am|I'm|[Ii]t's)(?= [A-Z]))\s+"
    r"(?P<name>[A-Z][\w'-]{0,30}(?: [A-Z][\w'-]{0,30}){0,2})"
)
_NOT_NAMES: Final = frozenset({"The", "A", "An", "Not", "Just", "So", "Really", "Very", "Still", "Calling"})
_GREETING = re.compile(
    r"^(?:hi|hello|hey|good (?:morning|afternoon|evening))\b[^.!?]{0,40}[.!?,]\s*", re.IGNORECASE
)
_INTRODUCTION = re.compile(r"^(?:my name is|this is|i am|i'm|it's) [^.!?]{1,40}[.!?]\s*", re.IGNORECASE)
_ACTION = re.compile(
    r"\b(?:i have|i've|i can see|i see|i checked|i found|i looked|i tried|i sent|i opened|i issued|"
    r"i refunded|i cancelled|i canceled|i booked|i changed|i updated|i will|i'll|let me)\b",
    re.IGNORECASE,
)


def extract(turns: Sequence[TranscriptTurn]) -> str:
    """Return a summary of up to six sentences; "" if the caller said nothing."""
    lines = [(turn.role, text) for turn in turns if (text := clean(turn.text))]
    caller = [text for role, text in lines if role == "caller"]
    if not caller:
        return ""
    issues = _issues(caller)
    sentences = [PREFACE]
    if name := _name(caller):
        sentences.append(f"The caller gave the name {name}.")
    sentences += [f"The caller said: {_quote(issue)}" for issue in issues]
    if action := _last([text for role, text in lines if role == "agent"], _ACTION):
        sentences.append(f"The agent said: {_quote(action)}")
    if (closing := _closing(lines)) and closing not in issues:
        label = "The caller asked, not yet answered" if closing.endswith("?") else "The caller's last words"
        sentences.append(f"{label}: {_quote(closing)}")
    return " ".join(sentences)


def _name(caller: Sequence[str]) -> str | None:
    for text in caller:
        found = _NAME.search(text)
        if found and found["name"].split()[0] not in _NOT_NAMES:
            return found["name"]
    return None


def _issues(caller: Sequence[str]) -> list[str]:
    """Return the caller's first statements that are more than a greeting and a name."""
    stripped = [_INTRODUCTION.sub("", _GREETING.sub("", text)) for text in caller]
    informative = [text for text in stripped if len(text.split()) >= MIN_ISSUE_WORDS]
    return informative[:MAX_ISSUE_QUOTES] or [caller[0]]


def _closing(lines: Sequence[tuple[str, str]]) -> str | None:
    """Return the caller's last question without a reply from the agent; else the caller's last words."""
    last = next(text for role, text in reversed(lines) if role == "caller")
    for role, text in reversed(lines):
        if role == "agent":
            break
        if text.endswith("?"):
            return text
    return last


def _last(texts: Sequence[str], pattern: re.Pattern[str]) -> str | None:
    return next((text for text in reversed(texts) if pattern.search(text)), None)


def _quote(text: str) -> str:
    text = text.replace('"', "'")
    if len(text) > MAX_QUOTE_CHARS:
        text = text[:MAX_QUOTE_CHARS].rsplit(" ", 1)[0] + " …"
    return f'"{text}"' if text[-1] in ".!?…" else f'"{text}."'
