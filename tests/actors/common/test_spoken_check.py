"""What may be read aloud to a supervisor: the texts of `fit.yaml` and `unfit.yaml`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from warmxfer.actors.common import spoken_check
from warmxfer.actors.common.spoken_check import unfit

FOLDER = Path(__file__).parent
CALL = [
    "Hi, this is Ann Example. I was charged twice for order 4417.",
    "I can see both charges.",
    "Can I have one of them back?",
]
WHY = {
    "refusal": spoken_check.REFUSAL,
    "chat": spoken_check.CHAT,
    "preamble": spoken_check.PREAMBLE,
    "markup": spoken_check.MARKUP,
    "emoji": spoken_check.EMOJI,
    "thought": spoken_check.THOUGHT,
    "question": spoken_check.QUESTION,
    "unrelated": spoken_check.UNRELATED,
}
UNFIT = [
    (kind, text)
    for kind, texts in yaml.safe_load((FOLDER / "unfit.yaml").read_text()).items()
    for text in texts
]
FIT = yaml.safe_load((FOLDER / "fit.yaml").read_text())


@pytest.mark.parametrize(("kind", "text"), UNFIT)
def test_what_is_no_briefing_is_not_read_aloud(kind: str, text: str) -> None:
    why = unfit(text, CALL)
    assert why is not None
    if kind in ("markup", "emoji"):
        assert why == WHY[kind]
    assert "Ann" not in why


@pytest.mark.parametrize(("kind", "text"), UNFIT)
def test_talk_is_found_without_the_call_too(kind: str, text: str) -> None:
    if kind != "unrelated":
        assert unfit(text) is not None


@pytest.mark.parametrize("case", FIT, ids=str)
def test_a_briefing_is_read_aloud(case: str | dict[str, Any]) -> None:
    text, said = (case, CALL) if isinstance(case, str) else (case["text"], case["said"])
    assert unfit(text, said) is None


def test_an_answer_to_the_supervisor_may_begin_with_yes() -> None:
    assert unfit("Yes, she was charged twice.", is_answer=True) is None
    assert unfit("Yes, she was charged twice.") is not None
    assert unfit("I'm sorry, I can't say.", is_answer=True) is not None
    assert unfit("**Ann** was charged twice.", is_answer=True) is not None


def test_what_a_caller_said_may_be_quoted() -> None:
    assert unfit("I can't log in.", ["Hello. I can't log in."]) is None
    assert unfit("I can't log in.", ["Hello."]) is not None


@pytest.mark.parametrize(
    "text",
    ["(" * 4_000, "a*" * 2_000, "the call " * 400, '"' * 4_000, "1. x\n" * 800, "你好" * 2_000, "<a" * 2_000],
)
def test_a_hostile_text_takes_no_time(text: str) -> None:
    started_at = time.process_time()
    unfit(text, [text])
    assert time.process_time() - started_at < 1
