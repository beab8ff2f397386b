"""Whether a model's text may be read aloud to a supervisor. Pure.

A briefing is plain sentences about the call. Three things are none, in any language:

- markup and emoji, found by their shape;
- an assistant's talk, found by how its sentences begin (`unfit_phrases`), or by a question at the end;
- a short text that is not English and shares nothing with the call, not even its language.

What was said in the call is not judged: a quote may be a question or an apology.

- Invariant: a text is judged as a whole and never mended. A half that is cut out may be the wrong half.
- Invariant: the result never quotes the text.

Held by `tests/actors/common/test_spoken_check.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import regex

from .unfit_phrases import PREAMBLES, REASONING, REFUSALS, SMALL_TALK
from .unicode_text import is_question, length, sentences

MAX_UNGROUNDED: Final = 200
"""A text of two sentences and this length must be English, or share a word or a number with the call."""
MIN_SHARED_WORD: Final = 5
"""Letters of a word that count as shared: the beginning is enough, for the ends change with the grammar."""

MARKUP: Final = "it contains markup, a list or a tag"
EMOJI: Final = "it contains an emoji or another symbol that cannot be spoken"
REFUSAL: Final = "it contains a refusal or an apology"
CHAT: Final = "it contains a greeting, an offer of help or other talk to the reader"
QUESTION: Final = "it ends with a question to the reader"
PREAMBLE: Final = "it contains a preamble or a title"
THOUGHT: Final = "it contains your reasoning about the task"
UNRELATED: Final = "it is in another language than the call, without a name or number of the call"
_ENGLISH: Final = frozenset(
    (
        "the",
        "a",
        "an",
        "and",
        "of",
        "to",
        "is",
        "was",
        "were",
        "are",
        "has",
        "had",
        "have",
        "for",
        "in",
        "on",
        "that",
        "with",
        "their",
        "they",
        "she",
        "he",
        "his",
        "her",
        "it",
        "its",
        "by",
        "as",
        "at",
        "not",
        "wants",
        "asks",
        "be",
        "been",
        "from",
        "caller",
        "customer",
    )
)
"""Words of an English text: models fall back to the language of the prompt."""

_MARKUP = regex.compile(
    r"\*\*|\*\S|\S\*(?:\s|$)|__|`|~~|</?[\p{L}|][^<>]{0,200}>|<\|"
    r"|^[^\S\n]*(?:#{1,6}\s|[-*+•–—▪◦‣·]\s|\d{1,2}[.)]\s+\S.*\n\s*\d{1,2}[.)]|>\s|\|.*\||={3,}|-{3,})"
    r"|\[[^\]\n]{1,200}\]\([^)\n]{1,500}\)|\[/?[A-Z_]{3,}\]|\[(?:your|insert|name|caller|end|start|note|summary)\b[^\]]{0,200}\]|&(?:amp|lt|gt|quot|nbsp|#\d{1,7});"
    r"|^[^\S\n]*[{\[]\s*[\"{\[]|\\(?:boxed|text|n)\b|[•▪◦‣→⇒➜]",
    regex.MULTILINE | regex.IGNORECASE,
)
_EMOJI = regex.compile(
    r"\p{Emoji_Presentation}|[\p{Extended_Pictographic}--[©®™‼⁉]]|\ufe0f|\u20e3|[\U0001f1e6-\U0001f1ff]"
    r"|(?:^|\s)[:;=]-?[)(DPp|/](?=\s|$)|\^_+\^|\(◕|¯\\_",
    regex.V1 | regex.MULTILINE,
)
_QUOTED = regex.compile(
    r"\"[^\"\n]{0,500}\"|“[^”\n]{0,500}”|„[^“”\n]{0,500}[“”]|«[^»\n]{0,500}»|「[^」\n]{0,500}」|『[^』\n]{0,500}』|»[^«\n]{0,500}«"
)
_LABEL_LINE = regex.compile(r"\A\s*(?:[^\n]{0,80}\n){0,2}?[^\n]{1,80}:\s*\n")
_ASCII_PUNCTUATION: Final = str.maketrans("，：！？；（）．’", ",:!?;().'")
"""Of the wide forms, so that the lists need one form of each."""
_EXCLAMATION = regex.compile(r"\A\P{N}{1,30}[!！]\s*$")
_OPENING = regex.compile(r"\A[\s\p{P}\p{S}]*")
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_NUMBER = regex.compile(r"\p{Nd}+")
_WITHOUT_SPACES = regex.compile(
    r"[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]"
)
_TALK: Final = tuple(
    (regex.compile("|".join(f"(?:{phrase})" for phrase in phrases), regex.IGNORECASE), why)
    for phrases, why in (
        (REFUSALS, REFUSAL),
        (SMALL_TALK, CHAT),
        (PREAMBLES, PREAMBLE),
        (REASONING, THOUGHT),
    )
)
_SMALL_TALK: Final = next(pattern for pattern, why in _TALK if why is CHAT)


def unfit(text: str, said: Sequence[str] = (), *, is_answer: bool = False) -> str | None:
    """Return why `text` may not be read aloud, in words for the model; None if it may be read.

    `said` is what was said in the call. Without it nothing is compared with the call. An answer to a question
    of the supervisor may begin with "Yes,".
    """
    if _MARKUP.search(text):
        return MARKUP
    if _EMOJI.search(text):
        return EMOJI
    text = text.translate(_ASCII_PUNCTUATION)
    if _LABEL_LINE.match(text):
        return PREAMBLE
    call = " ".join(_plain(each) for each in said)
    parts = sentences(_QUOTED.sub(" … ", text))
    own = [part for part in parts if not _is_quote(part, call)]
    for part in own:
        words = _OPENING.sub("", part)
        for pattern, why in _TALK:
            if pattern.match(words) and not (is_answer and why is PREAMBLE):
                return why
    if not is_answer and own and _EXCLAMATION.match(own[0]) and len(own) > 1:
        return PREAMBLE
    if own and is_question(own[-1]) and own[-1] == parts[-1]:
        return QUESTION
    is_short = len(parts) <= 2 and length(text) <= MAX_UNGROUNDED
    if said and own == parts and is_short and not _shares(text, call):
        return UNRELATED
    return None


def is_small_talk(sentence: str) -> bool:
    """Return whether the sentence begins as a greeting, thanks or an offer of help does."""
    return _SMALL_TALK.match(_OPENING.sub("", sentence)) is not None


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _is_quote(sentence: str, call: str) -> bool:
    """Return whether the whole sentence was said in the call."""
    plain = _plain(sentence)
    return bool(plain) and plain in call


def _shares(text: str, call: str) -> bool:
    """Return whether `text` is English, or shares a word, its beginning or a number with the call."""
    plain = _plain(text)
    words = set(plain.split())
    if words & _ENGLISH or words & set(call.split()):
        return True
    if set(_NUMBER.findall(plain)) & set(_NUMBER.findall(call)):
        return True
    if {word[:MIN_SHARED_WORD] for word in plain.split() if _counts(word)} & {
        word[:MIN_SHARED_WORD] for word in call.split() if _counts(word)
    }:
        return True
    return any(
        text[at : at + 2] in call
        for at in range(len(text) - 1)
        if len(_WITHOUT_SPACES.findall(text[at : at + 2])) == 2
    )


def _counts(word: str) -> bool:
    return len(word) >= MIN_SHARED_WORD and not _WITHOUT_SPACES.search(word)
