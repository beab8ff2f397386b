"""A summary in time: what the model is asked, how often, and what is read aloud in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from warmxfer.actors.summarizer.prompt import DEFAULT_PROMPT, TRANSCRIPT_IS_DATA
from warmxfer.actors.summarizer.writer import Written, by_model, write
from warmxfer.adapters.llm import Message, Reply, Tool
from warmxfer.schemas import (
    FALLBACK_SUMMARY,
    SUMMARY_MAX_CHARS,
    InvalidRequest,
    RetryableError,
    TranscriptTurn,
)

TURNS = [
    TranscriptTurn("caller", "Hi, this is Ann. I was charged twice for order 4417."),
    TranscriptTurn("agent", "I can see both charges."),
]
GOOD = "Ann was charged twice for order 4417."
BAD = "Sure! Ann was charged twice for order 4417."
REFUSAL = "I'm sorry, but I can't help with that."
Step = str | Exception | float


class Scripted:
    """A model that answers, fails, or is silent for a number of seconds."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.asked: list[list[Message]] = []
        self.deadlines_s: list[float] = []

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        self.asked.append(list(messages))
        self.deadlines_s.append(deadline_s)
        step = self._steps[min(len(self.asked), len(self._steps)) - 1]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            await asyncio.sleep(min(step, deadline_s))
            raise RetryableError("late", after_s=0.0)
        return Reply(step)

    async def aclose(self) -> None:
        """Nothing is open."""


async def written(model: Scripted, turns: list[TranscriptTurn] = TURNS, within_s: float = 5) -> Written:
    deadline_at = asyncio.get_running_loop().time() + within_s
    return await write(turns, by_model(model, turns, None), deadline_at)


async def test_a_good_answer_is_the_summary() -> None:
    model = Scripted(GOOD)
    result = await written(model)
    assert (result.summary, result.source) == (GOOD, "model")
    assert [attempt.why for attempt in result.attempts] == [""]
    assert model.asked[0][0] == Message("system", f"{DEFAULT_PROMPT}\n\n{TRANSCRIPT_IS_DATA}")


@pytest.mark.parametrize("wrong", [BAD, REFUSAL, "**Ann** was charged twice.", "x" * (SUMMARY_MAX_CHARS + 1)])
async def test_the_model_is_told_once_what_was_wrong(wrong: str) -> None:
    model = Scripted(wrong, GOOD)
    result = await written(model)
    assert (result.summary, result.source) == (GOOD, "model")
    first, second = model.asked
    assert second[: len(first)] == first
    assert second[len(first)] == Message("assistant", wrong)
    correction = second[len(first) + 1]
    assert correction.role == "user"
    assert "cannot be read aloud on the phone: it " in correction.content
    assert correction.content.count(wrong) == 0


@pytest.mark.parametrize("wrong", [BAD, REFUSAL, "", "Hello! How can I help you?"])
async def test_after_two_wrong_answers_the_call_is_quoted(wrong: str) -> None:
    model = Scripted(wrong)
    result = await written(model)
    assert result.source == "extract"
    assert result.summary.startswith("Taken from the call, word for word.")
    assert len(model.asked) == 2
    assert all("cannot be read aloud" in attempt.why for attempt in result.attempts)


async def test_an_empty_answer_is_not_repeated_to_the_model() -> None:
    model = Scripted("", GOOD)
    assert (await written(model)).source == "model"
    assert model.asked[0] == model.asked[1]


@pytest.mark.parametrize(
    "error", [RetryableError("The model server answered 500", after_s=0.0), InvalidRequest("refused")]
)
async def test_a_failure_is_retried_once(error: Exception) -> None:
    model = Scripted(error, GOOD)
    assert (await written(model)).source == "model"
    failing = Scripted(error)
    result = await written(failing)
    assert (result.source, len(failing.asked)) == ("extract", 2)
    assert [attempt.why for attempt in result.attempts] == [str(error)] * 2


async def test_a_bug_in_the_model_quotes_the_call_and_is_not_asked_again() -> None:
    failing = Scripted(KeyError("the caller said 4417"))
    result = await written(failing)
    assert (result.source, len(failing.asked)) == ("extract", 1)
    assert [attempt.why for attempt in result.attempts] == ["bug in the model or its client: KeyError"]


@pytest.mark.parametrize(("after_s", "pause_s"), [(0.4, 0.4), (600.0, 0.7), (0.0, 0.0)])
async def test_the_retry_waits_as_long_as_the_server_says_and_no_longer_than_half_of_what_is_left(
    after_s: float, pause_s: float
) -> None:
    """Without the mend both requests to a server that was busy for a second were lost."""
    model = Scripted(RetryableError("The model server answered 429", after_s=after_s), GOOD)
    assert (await written(model, within_s=2.0)).source == "model"
    given_s, left_s = model.deadlines_s
    assert given_s - left_s >= pause_s * 0.9
    assert left_s > 0.0


async def test_a_failure_and_a_wrong_answer_have_one_more_request_each() -> None:
    model = Scripted(RetryableError("busy", after_s=0.0), BAD, GOOD)
    assert (await written(model)).source == "model"
    assert len(model.asked) == 3


async def test_the_model_is_not_asked_after_the_deadline() -> None:
    model = Scripted(10.0)
    result = await written(model, within_s=0.4)
    assert result.source == "extract"
    assert len(model.asked) == 1
    assert model.deadlines_s[0] < 0.4


async def test_without_words_of_the_caller_there_is_the_fixed_line() -> None:
    assert await written(Scripted(GOOD), []) == Written(FALLBACK_SUMMARY, "static")
    result = await written(Scripted(REFUSAL), [TranscriptTurn("agent", "Hello?")])
    assert (result.summary, result.source) == (FALLBACK_SUMMARY, "static")


async def test_no_model_is_no_attempt() -> None:
    result = await write(TURNS, None, asyncio.get_running_loop().time() + 5)
    assert (result.source, result.attempts) == ("extract", [])
