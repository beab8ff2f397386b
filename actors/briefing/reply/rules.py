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

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterable
from enum import StrEnum
from functools import cache
from typing import Final

from msgspec import Struct

from warmxfer.schemas import TRANSLATED, SpokenLines

from . import courtesy, phrases
from .languages import ELSEWHERE_YES, LANGUAGES, Language
from .languages.english import ENGLISH
from .short_texts import kept_if_short

DEFAULT_LANGUAGE: Final = "en"
"""The language of a bare "no" if neither a setting nor a model names one."""

_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u4e00-\u9fff]")
_UNSPACED = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")

_BUT = re.compile(
    r"(?<!\S)(?:but|aber|pero|mais|mas|ma|maar|ale|lekin|par|लेकिन|पर)(?!\S)"
    r"|但是|可是|不过(?![来去])|ですが|けれども?|けど"
)
"""Words after which a yes may follow a no."""

_LEADS_TO_VERB: Final = frozenset(("to", "not", "don't", "can't", "won't"))
"""Words after which a phrase of a yes is none: "not able to do it"."""

ASKING_LINES: Final = ("question", "confirm", "keys", "identify", "identify_key")
"""Fixed lines that a supervisor answers."""

MAX_SAME_WORDS: Final = 5
"""A plain yes has no word more often. A flood of one word is a trick or a fault of speech recognition."""

_MARKUP = re.compile(r"</|[{}=]|```")
"""Signs that are never spoken: a tag that ends, a value that is set. A note such as "<noise>" has none."""

MACHINE_SIGNS: Final = 3
"""Signs of a machine, one of them a machine's own, that make one without a question. A beep is two."""

MAX_NAME_WORDS: Final = 4
MAX_NAME_CHARS: Final = 15
"""Words beside a greeting, and characters of each. More of them are asked who it is."""

MAX_FOREIGN_CHARS: Final = 24
"""Characters of first words in a language that no rule knows, for which a model's word is enough."""

_GREETING = phrases.pattern(
    r"""
    hello; hi; hey; good (?:morning|afternoon|evening|day); hallo; guten (?:tag|morgen|abend); moin; servus;
    grüß gott; grüezi; hola; buenas(?: (?:tardes|noches))?; buenos días; aló; bueno; bonjour; bonsoir; allô;
    olá; alô; bom dia; boa (?:tarde|noite); pronto; buongiorno; buonasera; salve;
    goede(?:morgen|middag|avond|dag); dzień dobry; dobry wieczór; halo; słucham;
    नमस्ते; नमस्कार; हैलो; हेलो; namaste; namaskar; もしもし; 喂; 你好; 您好
    """
)
"""What a person says who picks up."""

_NEGATION = re.compile(
    r"(?<!\S)(?:not|\S+n't|cannot|no|nicht|keine?n?|nie|niet|geen|ne|pas|non|nao|nahi|nahin|नहीं|नही)(?!\S)|[不没別别]|ない|ません"
)
"""Words that say no in a question, which asks for something by them."""

_ASKING_END = re.compile(r"(?:[吗呢か]|(?<!\S)(?:kya|क्या))$")
"""The end of a question that speech recognition gives without its mark."""


_SHARED_NO = frozenset({"no", "ne", "non"})
"""Words that are a no in several languages. Polish begins a yes with one of them."""


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
    machine_suspected: bool = False
    """Whether an unclear first utterance has signs of a machine."""


@kept_if_short
def classify(text: str, language: str | None = None) -> Finding:
    """Return what `text` means as a reply to the question. `language`: its ISO 639-1 code, if known."""
    cleaned = phrases.clean(text)
    if is_yes(text):
        return Finding(ReplyIntent.READY, certain=True)
    if is_machine(text):
        return Finding(ReplyIntent.VOICEMAIL, certain=True)
    known = _known(language, cleaned)
    # A model may name a wrong language. That must not hide a request for time or another destination.
    always = known if language is None else (ENGLISH, *known, *_languages_of(cleaned))
    waits = _has("wait", cleaned, always)
    refused = _refuses(cleaned, text, known, language)
    if refused is None and language is not None and not _is_shared_no(cleaned):
        others = [each for each in _languages_of(cleaned) if each not in known]
        refused = ReplyIntent.UNCLEAR if _refuses(cleaned, text, others, None) else None
    if _machine_signs(cleaned) > 1 or courtesy.ends_talk(cleaned):
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


@kept_if_short
def is_yes(text: str) -> bool:
    """Return whether `text` is a plain yes in any language, and nothing else."""
    cleaned, asked = phrases.clean(text), phrases.asks(text)
    if courtesy.ends_talk(cleaned) or _is_end_of_our_question(cleaned):
        return False
    counts = Counter(word for word in cleaned.split() if word != phrases.BOUNDARY)
    if _MARKUP.search(text) or any(count > MAX_SAME_WORDS for count in counts.values()):
        return False
    covering = [each for each in _ALL if each.is_yes(cleaned, asked=asked)]
    if any(each not in _begins_yes_with_no() or not _is_no_elsewhere(cleaned, each) for each in covering):
        return True
    return not covering and not asked and cleaned.replace(f" {phrases.BOUNDARY} ", " ") in _elsewhere_yes()


@kept_if_short
def refuses_plainly(text: str, language: str | None = None) -> bool:
    """Return whether `text` is a refusal in words that are one by themselves, so that it counts at any time.

    A bare "no" is none: said during the briefing, it may answer something else.
    """
    cleaned = phrases.clean(text)
    known = _known(language, cleaned)
    found = any(each.has("refusal", each.without("no_refusal", cleaned)) for each in known)
    return found and classify(text, language).intent is ReplyIntent.DECLINED


@kept_if_short
def is_machine(text: str) -> bool:
    """Return whether only a machine says `text`.

    A question, or an offer to take a message, is a person's as well: the line is asked.
    """
    cleaned = phrases.clean(text)
    if not _has("machine", cleaned, _ALL) or phrases.asks(text):
        return False
    if any(_has(sign, cleaned, _ALL) for sign in ("screening", "person", "offer")):
        return False
    sure = _has("beep", cleaned, _ALL) or _has("reached", cleaned, _ALL)
    return _count_signs(cleaned, "machine", "maybe_machine") >= MACHINE_SIGNS - sure


@kept_if_short
def classify_first_words(text: str) -> Finding:
    """Return who says `text` as the first words of a call: person, machine, screening robot or queue."""
    cleaned = phrases.clean(text)
    if _has("screening", cleaned, _ALL):
        return Finding(ReplyIntent.CALL_SCREENING, certain=True)
    person = _has("person", cleaned, _ALL)
    if is_machine(text):
        return Finding(ReplyIntent.VOICEMAIL, certain=True)
    if _has("machine", cleaned, _ALL):
        return Finding(ReplyIntent.UNCLEAR, certain=True, machine_suspected=True)
    if _has("hold", cleaned, _ALL) and not person:
        return Finding(ReplyIntent.HOLD, certain=True)
    signs = _machine_signs(cleaned)
    if person or is_yes(text) or _greets(cleaned):
        return Finding(ReplyIntent.PERSON, certain=True)
    if signs or not cleaned:
        # A model's word alone makes no person of a line with a machine's sign: it is asked who it is.
        return Finding(ReplyIntent.UNCLEAR, certain=True, machine_suspected=signs > 0)
    if _is_long_and_foreign(cleaned):
        return Finding(ReplyIntent.UNCLEAR, certain=True)
    return Finding(ReplyIntent.PERSON if _greets_with_name(cleaned) else ReplyIntent.UNCLEAR)


@cache
def prepare() -> None:
    """Build the patterns of all languages, which takes some tenths of a second. Idempotent."""
    for each in _ALL:
        each.prepare()
    classify("")


async def prepare_in_thread() -> None:
    """Call `prepare` in a thread, unless it was called: it would stall the loop of a voice agent."""
    if not prepare.cache_info().currsize:
        await asyncio.to_thread(prepare)


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
    asked = phrases.asks(text) or _ASKING_END.search(cleaned) is not None
    found: set[ReplyIntent] = set()
    for each in known:
        plain = each.without("no_refusal", cleaned)
        bare = language is not None or each.code == DEFAULT_LANGUAGE or not _is_shared_no(cleaned)
        told = _without_asked_negation(plain) if asked else plain
        if each.has("refusal", told) or (bare and each.is_no(plain.replace(f" {phrases.BOUNDARY}", ""))):
            if _yes_after_no(clauses, each) or _ends_with_yes(plain, each):
                return ReplyIntent.UNCLEAR
            found.add(ReplyIntent.DECLINED)
        elif each.is_no(clauses[0]) or (each.is_no(clauses[-1]) and not asked):
            found.add(ReplyIntent.UNCLEAR)
    # One word of a no may belong to a neighbour's language, so the language that knows more of it decides.
    return min(found, default=None, key=lambda intent: intent is not ReplyIntent.DECLINED)


def _without_asked_negation(plain: str) -> str:
    """Return the text without its last clause if that asks with a no, as "can't Dana do that?"."""
    before, _, last = plain.rpartition(phrases.BOUNDARY)
    return before if _NEGATION.search(last) else plain


def _ends_with_yes(plain: str, language: Language) -> bool:
    """Return whether a yes of at least two words follows the refusal: "I can't say no, put her on"."""
    spans = language.spans("refusal", plain) if language.spaced else []
    if not spans:
        return False
    words = plain.split()
    first = len(plain[: spans[-1][1]].split())
    return any(
        words[start - 1] not in _LEADS_TO_VERB and is_yes(" ".join(words[start:]))
        for start in range(first, len(words) - 1)
    )


def _is_shared_no(cleaned: str) -> bool:
    """Return whether the no is a word of several languages, one of which says yes by it."""
    return set(cleaned.split()) <= {*_SHARED_NO, phrases.BOUNDARY}


@cache
def _begins_yes_with_no() -> Collection[Language]:
    """Return the languages in which a no can begin a yes: Polish "no tak", Spanish "no no, ok"."""
    begun = [f"{no} {yes}" for no in ("no", "no no", "non", "ne") for yes in ("ok", "tak")]
    return frozenset(each for each in _ALL if any(each.vocabulary.covers(text) for text in begun))


def _is_no_elsewhere(cleaned: str, language: Language) -> bool:
    """Return whether the text has a no of other languages, and no word that only `language` knows."""
    words = set(cleaned.split())
    own = (words & language.words) - _SHARED_NO - _words_beside_no(language)
    return bool(words & _SHARED_NO) and not own


@cache
def _words_beside_no(language: Language) -> frozenset[str]:
    """Return the words of the other languages that have a no of `_SHARED_NO`."""
    others = (each for each in _ALL if each is not language and any(map(each.is_no, _SHARED_NO)))
    return frozenset().union(*(each.words for each in others))


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
    return _count_signs(cleaned, "maybe_machine")


def _count_signs(cleaned: str, *signs: str) -> int:
    """Return in how many places the text has one of `signs`. A place inside another one does not count."""
    count = 0
    for spaced in (True, False):
        places = {
            span
            for sign in signs
            for each in (_languages_of(cleaned) if sign == "maybe_machine" else _ALL)
            if each.spaced == spaced
            for span in each.spans(sign, cleaned)
        }
        furthest = -1
        for _, end in sorted(places, key=lambda place: (place[0], -place[1])):
            count += end > furthest
            furthest = max(furthest, end)
    return count


def _is_end_of_our_question(cleaned: str) -> bool:
    """Return whether `cleaned` is the end of a line that we say, as a speakerphone gives it back.

    One word is not: "ready" is an answer.
    """
    return " " in cleaned and cleaned in _our_ends()


@cache
def _our_ends() -> frozenset[str]:
    spoken = ({name: getattr(SpokenLines(), name) for name in ASKING_LINES}, *TRANSLATED.values())
    lines = [phrases.clean(lines[name]).split() for lines in spoken for name in ASKING_LINES]
    return frozenset(" ".join(words[start:]) for words in lines for start in range(len(words) - 1))


def _greets(cleaned: str) -> bool:
    """Return whether `cleaned` is nothing but a greeting, such as "hello, this is Dana"."""
    return any(each.vocabulary.greets(cleaned) for each in _ALL)


def _is_long_and_foreign(cleaned: str) -> bool:
    """Return whether `cleaned` is more than a short greeting, mostly in words of no language that we know.

    A mailbox greets so. Without its signs, a model's word alone must not make it a person.
    """
    words = [word for word in cleaned.split() if word != phrases.BOUNDARY]
    unknown = [word for word in words if not any(word in each.words for each in _ALL)]
    letters = sum(map(len, unknown))
    return 2 * len(unknown) > len(words) and letters > MAX_FOREIGN_CHARS and not _UNSPACED.search(cleaned)


def _greets_with_name(cleaned: str) -> bool:
    """Return whether `cleaned` is a greeting with a few words more, such as "Müller, good morning"."""
    rest = _GREETING.sub(" ", cleaned).replace(phrases.BOUNDARY, " ")
    words = rest.split()
    return (
        rest != cleaned.replace(phrases.BOUNDARY, " ")
        and len(words) <= MAX_NAME_WORDS
        and all(len(word) <= MAX_NAME_CHARS for word in words)
        and not any(each.vocabulary.weakens(word) for each in _ALL for word in words)
    )


@cache
def _elsewhere_yes() -> frozenset[str]:
    return frozenset(phrases.clean(each) for each in ELSEWHERE_YES) - {""}


_ALL: Final = tuple(LANGUAGES.values())
