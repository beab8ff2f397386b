"""Results of the rules that are kept: for short texts, and not more than a limit of them."""

from __future__ import annotations

from warmxfer.actors.briefing.reply import short_texts
from warmxfer.actors.briefing.reply.short_texts import MAX_KEPT, MAX_SHORT_CHARS, kept_if_short


def test_only_short_texts_are_kept_and_not_all_of_them() -> None:
    asked: list[tuple[str, str | None]] = []

    @kept_if_short
    def rule(text: str, language: str | None = None) -> int:
        asked.append((text, language))
        return len(text)

    longest, longer = "x" * MAX_SHORT_CHARS, "x" * (MAX_SHORT_CHARS + 1)
    for text in (longest, longer) * 3:
        assert rule(text) == len(text)
    assert asked == [(longest, None), (longer, None), (longer, None), (longer, None)]

    asked.clear()
    assert [rule("yes", "en"), rule("yes", "de"), rule("yes", "en")] == [3, 3, 3]
    assert asked == [("yes", "en"), ("yes", "de")]

    for number in range(MAX_KEPT):
        rule(str(number))
    asked.clear()
    rule("yes", "en")
    assert asked == [("yes", "en")]


def test_a_kept_result_holds_for_one_text_in_one_language() -> None:
    from warmxfer.actors.briefing.reply import rules

    first = [rules.classify("No.", language).intent for language in ("en", "pl", None)]
    again = [rules.classify("No.", language).intent for language in ("en", "pl", None)]
    assert first == again
    assert first[0] is not first[1]
    assert short_texts.MAX_KEPT * short_texts.MAX_SHORT_CHARS < 100_000
