"""The built-in rules: what a reply to "are you ready to take the call?" means, and who is on the line. Pure.

Invariants:

- Prefer asking again. An unclear reply costs one more question. A false yes moves the caller to a supervisor
  who is not there.
- A reply is a yes only if it is nothing but a yes, in one language. A word of no list makes it unclear.
- Patterns of a no decide only in their own language: a bare "No." is a yes in Polish. A plain "no" that
  several languages share needs the language of the setting, or of the model.
- Only a machine's own words are a machine. Everything else is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from enum import StrEnum
from functools import cache
from typing import Final

from msgspec import Struct

from . import phrases
from .languages import ELSEWHERE_YES, LANGUAGES, Language
from .languages.english import ENGLISH

DEFAULT_LANGUAGE: Final = "en"
"""The language of a bare "no" if neither a setting nor a model names one."""

_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u4e00-\u9fff]")

_BUT = re.compile(r"(?<!\S)(?:but|aber|pero|mais|mas|pero|ma|maar|ale|lekin|par|लेकिन|पर)(?!\S)")
"""Words after which a yes may follow a no."""

_POLITE_END = re.compile(
    r"(?:ok(?:ay)?|all ?right|fine|good|great|gut|prima|super|vale|bien|bueno|bon|d'accord|bene|va bene|goed|"
    r"dobrze|dobra|ta bom|certo|theek hai|thik hai|ठीक है)(?: \|)? (?:thanks|thank you|"
    r"thank you very much|cheers|danke|vielen dank|gracias|"
    r"muchas gracias|merci|obrigad[oa]|grazie|bedankt|dank je|"
    r"dziekuje|dzieki|धन्यवाद|shukriya)"
)
"""Words that end a talk as well as they begin one: "okay, thanks"."""

MACHINE_SIGNS: Final = 3
"""Signs of a machine, one of them a machine's own, that make one without a question. A beep is two."""

MAX_GREETING_WORDS: Final = 8
MAX_GREETING_CHARS: Final = 20
"""A longer first utterance, by words or by characters without spaces, is asked who it is."""


class ReplyIntent(StrEnum):
    """What a reply means, and who is on the line."""

    READY = "ready"
    DECLINED = "declined"
    VOICEMAIL = "voicemail"
    QUESTION = "question"
    WAIT = "wait"
    UNCLEAR = "unclear"
    # the first words of the call
    PERSON = "person"
    CALL_SCREENING = "call_screening"
    HOLD = "hold"


class Finding(Struct, frozen=True):
    """What the rules find. `certain`: for a model's yes or for its word who is on the line, it cannot be
    otherwise. An unclear reply that is not certain may be a yes in words that the rules do not know."""

    intent: ReplyIntent
    certain: bool = False


def classify(text: str, language: str | None = None) -> Finding:
    """Return what `text` means as a reply to the question. `language`: its ISO 639-1 code, if known."""
    cleaned = phrases.clean(text)
    if is_yes(text):
        return Finding(ReplyIntent.READY, certain=True)
    if is_machine(text):
        return Finding(ReplyIntent.VOICEMAIL, certain=True)
    known = _known(language, cleaned)
    always = known if language is None else (ENGLISH, *known)
    waits = _has("wait", cleaned, always)
    refused = _refuses(cleaned, text, known, language)
    if _machine_signs(cleaned) > 1:
        return Finding(ReplyIntent.UNCLEAR, certain=True)
    if waits:
        return Finding(ReplyIntent.WAIT, certain=True)
    if refused is not None:
        return Finding(refused, certain=True)
    if _has("elsewhere", cleaned, always):
        return Finding(ReplyIntent.UNCLEAR, certain=True)
    if _asks(cleaned, always) or (phrases.asks(text) and len(cleaned.split()) > 1 and not _greets(cleaned)):
        return Finding(ReplyIntent.QUESTION, certain=True)
    if phrases.asks(text):
        return Finding(ReplyIntent.UNCLEAR, certain=True)  # "hello?" and "pardon?" ask for the question
    return Finding(ReplyIntent.UNCLEAR, certain=not cleaned)


def is_yes(text: str) -> bool:
    """Return whether `text` is a plain yes in any language, and nothing else."""
    cleaned, asked = phrases.clean(text), phrases.asks(text)
    if _POLITE_END.fullmatch(cleaned):
        return False
    if any(each.vocabulary.covers(cleaned, asked=asked) for each in _ALL):
        return True
    return not asked and cleaned.replace(f" {phrases.BOUNDARY} ", " ") in _elsewhere_yes()


def refuses_plainly(text: str, language: str | None = None) -> bool:
    """Return whether `text` is a refusal in words that are one by themselves, so that it counts at any time.

    A bare "no" is none: said during the briefing, it may answer something else.
    """
    cleaned = phrases.clean(text)
    known = _known(language, cleaned)
    found = any(each.has("refusal", each.without("no_refusal", cleaned)) for each in known)
    return found and classify(text, language).intent is ReplyIntent.DECLINED


def is_machine(text: str) -> bool:
    """Return whether only a machine says `text`."""
    cleaned = phrases.clean(text)
    if not _has("machine", cleaned, _ALL) or _has("screening", cleaned, _ALL):
        return False
    signs = _machine_signs(cleaned) + sum(len(each.found("machine", cleaned)) for each in _ALL)
    enough = MACHINE_SIGNS - _has("beep", cleaned, _ALL)
    return signs >= enough and not _has("person", cleaned, _ALL)


def who_is_there(text: str) -> Finding:
    """Return who says `text` as the first words of a call: person, machine, screening robot or queue."""
    cleaned = phrases.clean(text)
    if _has("screening", cleaned, _ALL):
        return Finding(ReplyIntent.CALL_SCREENING, certain=True)
    person = _has("person", cleaned, _ALL)
    if _has("machine", cleaned, _ALL):
        return Finding(ReplyIntent.VOICEMAIL if is_machine(text) else ReplyIntent.UNCLEAR, certain=True)
    if _has("hold", cleaned, _ALL) and not person:
        return Finding(ReplyIntent.HOLD, certain=True)
    signs = _machine_signs(cleaned)
    if person or is_yes(text) or _greets(cleaned):
        return Finding(ReplyIntent.PERSON, certain=True)
    if signs or not cleaned:
        return Finding(ReplyIntent.UNCLEAR, certain=signs > 1)
    return Finding(ReplyIntent.PERSON if _is_short(cleaned) or phrases.asks(text) else ReplyIntent.UNCLEAR)


def _known(language: str | None, cleaned: str) -> Collection[Language]:
    """Return the languages whose signs count: the one that is known, or those that the words are in."""
    if language is None:
        return _languages_of(cleaned)
    found = LANGUAGES.get(language.split("-")[0].lower())
    return () if found is None else (found,)


def _languages_of(cleaned: str) -> Collection[Language]:
    """Return the languages that know the most words of the text; all of them if none knows one."""
    if _KANA.search(cleaned):
        return (LANGUAGES["ja"],)
    if _HAN.search(cleaned):
        return (LANGUAGES["zh"], LANGUAGES["ja"])
    words = [word for word in cleaned.split() if word != phrases.BOUNDARY]
    known = {each: sum(word in each.words for word in words) for each in _ALL if each.spaced}
    most = max(known.values())
    return tuple(each for each, count in known.items() if count == most) if most else _ALL


def _refuses(
    cleaned: str, text: str, known: Collection[Language], language: str | None
) -> ReplyIntent | None:
    """Return DECLINED for a refusal, UNCLEAR for one with a yes after it, None if there is none."""
    clauses = [clause.strip() for clause in _BUT.sub(phrases.BOUNDARY, cleaned).split(phrases.BOUNDARY)]
    for each in known:
        plain = each.without("no_refusal", cleaned)
        bare = language is not None or each.code == DEFAULT_LANGUAGE or not _is_shared_no(cleaned)
        if each.has("refusal", plain) or (bare and each.is_no(plain.replace(f" {phrases.BOUNDARY}", ""))):
            return ReplyIntent.UNCLEAR if _yes_after_no(clauses, each) else ReplyIntent.DECLINED
        if each.is_no(clauses[0]) or (each.is_no(clauses[-1]) and not phrases.asks(text)):
            return ReplyIntent.UNCLEAR
    return None


def _is_shared_no(cleaned: str) -> bool:
    """Return whether the no is a word of several languages, one of which says yes by it."""
    return set(cleaned.split()) <= {"no", "ne", "non", phrases.BOUNDARY}


def _yes_after_no(clauses: list[str], language: Language) -> bool:
    refusals = [
        index
        for index, clause in enumerate(clauses)
        if language.is_no(clause) or language.has("refusal", language.without("no_refusal", clause))
    ]
    after = clauses[refusals[-1] + 1 :] if refusals else []
    return any(clause and is_yes(clause) for clause in after)


def _asks(cleaned: str, known: Collection[Language]) -> bool:
    clauses = cleaned.split(f" {phrases.BOUNDARY} ")
    return any(each.starts_with("question", clause) for each in known for clause in clauses)


def _has(sign: str, cleaned: str, languages: Iterable[Language]) -> bool:
    return any(each.has(sign, cleaned) for each in languages)


def _machine_signs(cleaned: str) -> int:
    return sum(len(each.found("maybe_machine", cleaned)) for each in _languages_of(cleaned))


def _greets(cleaned: str) -> bool:
    """Return whether `cleaned` is nothing but a greeting, such as "hello, this is Dana"."""
    return any(each.vocabulary.greets(cleaned) for each in _ALL)


def _is_short(cleaned: str) -> bool:
    words = cleaned.replace(phrases.BOUNDARY, " ").split()
    return len(words) <= MAX_GREETING_WORDS and all(len(word) <= MAX_GREETING_CHARS for word in words)


@cache
def _elsewhere_yes() -> frozenset[str]:
    return frozenset(phrases.clean(each) for each in ELSEWHERE_YES) - {""}


_ALL: Final = tuple(LANGUAGES.values())
