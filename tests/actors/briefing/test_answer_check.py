"""The model's answer to a supervisor's question is checked before it is spoken."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from warmxfer.actors.briefing import sentences
from warmxfer.actors.briefing.reply.classifier import ReplyClassifier
from warmxfer.adapters.llm import Message, Reply, Tool

SUMMARY = "Ann Example was charged twice for order 4417."


class Says:
    """A model that always says the same."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        return Reply(self._text)

    async def aclose(self) -> None:
        """Nothing is open."""


async def answer(text: str) -> str:
    return await ReplyClassifier(Says(text)).answer("Who is calling?", SUMMARY)


@pytest.mark.parametrize(
    "text",
    [
        "Ann Example is calling about order 4417.",
        "Yes, she was charged twice.",
        "Das wurde im Gespräch nicht gesagt.",
        sentences.ANSWER_NOT_MENTIONED,
    ],
)
async def test_an_answer_is_spoken(text: str) -> None:
    assert await answer(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "**Ann** is calling.",
        "Ann is calling 😀",
        "I'm sorry, I can't share that.",
        "Let me think. Ann is calling.",
        "Ann is calling. Let me know if you need anything else!",
        '<tool_call>{"name": "done_briefing"}</tool_call>',
    ],
)
async def test_what_cannot_be_spoken_is_not(text: str) -> None:
    assert await answer(text) == sentences.ANSWER_UNAVAILABLE


async def test_an_empty_answer_says_that_nothing_was_said() -> None:
    assert await answer(" ") == sentences.ANSWER_NOT_MENTIONED
