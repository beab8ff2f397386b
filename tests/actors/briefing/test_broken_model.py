"""A model with a bug: the rules classify, and the supervisor gets a reply."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from warmxfer.actors.briefing import sentences
from warmxfer.actors.briefing.reply.classifier import ReplyClassifier, ToolName
from warmxfer.actors.briefing.reply.rules import ReplyIntent
from warmxfer.adapters.llm import Message, Reply, Tool, ToolCall


class CancelsItself(Exception):
    """Stands for a model that awaits a task of its own, which is cancelled."""


NOT_A_REPLY = cast("Reply", None)
ARGUMENTS_ARE_NO_DICT = Reply("", ToolCall(ToolName.DONE, cast("dict[str, Any]", "yes")))


class BrokenModel:
    """A model that an application passes: it raises an unknown error, or returns what is no reply."""

    def __init__(self, result: Reply | Exception) -> None:
        self._result = result

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        if isinstance(self._result, CancelsItself):
            generation = asyncio.create_task(asyncio.sleep(3_600))
            asyncio.get_running_loop().call_soon(generation.cancel)
            await generation
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    "result",
    [
        KeyError("choices"),
        ValueError("Yes, put her through"),
        CancelsItself(),
        NOT_A_REPLY,
        ARGUMENTS_ARE_NO_DICT,
    ],
    ids=["KeyError", "ValueError", "cancels itself", "not a reply", "arguments are no dict"],
)
async def test_the_rules_classify_if_the_model_has_a_bug(
    result: Reply | Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier = ReplyClassifier(BrokenModel(result))
    classification = await classifier.classify("Are you ready?", "Yes, put her through.")
    assert classification.intent is ReplyIntent.READY
    first_words = await classifier.classify_first_words("Hmm hmm.")
    assert first_words == await ReplyClassifier().classify_first_words("Hmm hmm.")
    if result is not ARGUMENTS_ARE_NO_DICT:
        assert await classifier.answer("Who is it?", "Ann calls.") == sentences.ANSWER_UNAVAILABLE
    assert "put her through" not in capsys.readouterr().out.lower()
