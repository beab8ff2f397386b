"""Command that measures the rules against a corpus of replies, without printing a sentence.

    python -m tests.actors.briefing.corpus.measure [FILE]

It prints precision and recall for each class, and what a yes costs. `--show` prints the sentences that got
another class than expected: only for the tuning half.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from warmxfer.actors.briefing.reply.rules import ReplyIntent, classify, classify_first_words

FOLDER = Path(__file__).parent
FIRST_HALF = FOLDER / "replies_first.toml"
SECOND_HALF = FOLDER.parents[2] / "replies" / "replies_second.toml"
FRESH = SECOND_HALF.with_name("replies_third.toml")
CORPORA = [path for path in (FIRST_HALF, SECOND_HALF, FRESH) if path.exists()]
SAME = {"machine": "voicemail", "screening": "call_screening", "hold_queue": "hold"}
"""Other names of the verdicts."""

ASKED_ONCE_MORE = {ReplyIntent.UNCLEAR, ReplyIntent.WAIT, ReplyIntent.QUESTION}
"""A yes in these classes costs one question; the plain yes after it counts."""


class Reply(NamedTuple):
    text: str
    language: str
    accepted: tuple[str, ...]
    """Verdicts that are right; the first one is the best."""
    first: bool

    @property
    def verdict(self) -> str:
        return self.accepted[0]

    def intent(self, *, told: bool = False) -> ReplyIntent:
        """Return what the rules find; `told`: the language is known."""
        if self.first:
            return classify_first_words(self.text).intent
        return classify(self.text, self.language if told else None).intent


def read_corpus(path: Path) -> Iterator[Reply]:
    """Yield the replies of a file: `[[reply]]` with `text`, or `[[group]]` with `texts`."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    for table in (*document.get("reply", ()), *document.get("group", ())):
        verdict = table.get("verdict") or table["intent"]
        listed = verdict if isinstance(verdict, list) else [verdict]
        accepted = tuple(str(SAME.get(each, each)) for each in listed)
        first = bool(table.get("first")) or table.get("stage") == "first"
        for text in table.get("texts") or [table["text"]]:
            yield Reply(text, table["language"], accepted, first)


def measure(replies: list[Reply], *, told: bool = False) -> Iterator[str]:
    """Yield the lines of the report."""
    pairs = [(each, each.intent(told=told)) for each in replies]
    found = Counter(intent.value for _, intent in pairs)
    expected = Counter(each.verdict for each in replies)
    right = Counter(intent.value for each, intent in pairs if intent.value in each.accepted)
    recalled = Counter(each.verdict for each, intent in pairs if intent.value in each.accepted)
    yield f"{len(replies)} replies in {len({each.language for each in replies})} languages"
    for verdict in sorted(expected | found):
        precision = f"{right[verdict] / found[verdict]:.3f}" if found[verdict] else "-"
        recall = f"{recalled[verdict] / expected[verdict]:.3f}" if expected[verdict] else "-"
        counts = f"{recalled[verdict]} of {expected[verdict]}"
        yield f"{verdict:15} precision {precision:>6}  recall {recall:>6}  ({counts})"
    for name in ("ready", "voicemail"):
        false = sum(intent.value == name and name not in each.accepted for each, intent in pairs)
        yield f"false {name}: {false}"
    for name, chosen in (("en", lambda code: code == "en"), ("other", lambda code: code != "en")):
        yes = [intent for each, intent in pairs if each.verdict == "ready" and chosen(each.language)]
        at_once = sum(intent is ReplyIntent.READY for intent in yes)
        later = sum(intent in ASKED_ONCE_MORE for intent in yes)
        if yes:
            yield (
                f"a yes, {name}: at once {at_once / len(yes):.3f}, with one question more "
                f"{(at_once + later) / len(yes):.3f}, lost {len(yes) - at_once - later} of {len(yes)}"
            )


def main() -> None:
    """Measure the named file, or all corpora."""
    show = "--show" in sys.argv
    named = [Path(each) for each in sys.argv[1:] if each != "--show"]
    for path in named or CORPORA:
        replies = list(read_corpus(path))
        print(path.name, *measure(replies), sep="\n  ")
        for each in replies if show and path == FIRST_HALF else ():
            if (intent := each.intent()).value not in each.accepted:
                print(f"    {each.language} {each.verdict} -> {intent.value}: {each.text}")


if __name__ == "__main__":
    main()
