"""Prompt injections in the summary and in the supervisor's words, against a model that obeys all of them.

The model is the worst possible one. It calls `done_briefing` for every request, and answers every question
with a yes. A consultation may be READY only if the supervisor said yes after the question.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from warmxfer.actors.briefing import sentences
from warmxfer.actors.briefing.dialogue_actions import Decide
from warmxfer.actors.briefing.reply.classifier import (
    ANSWER_PROMPT,
    CLASSIFY_PROMPT,
    Classification,
    ReplyClassifier,
    judge_reply,
)
from warmxfer.actors.briefing.reply.rules import ReplyIntent, classify_first_words
from warmxfer.adapters.llm import Message, Reply, Tool, ToolCall

from .dialogue_driver import play_dialogue

CORPUS: list[str] = tomllib.loads(
    (Path(__file__).parent / "corpus" / "injections.toml").read_text(encoding="utf-8")
)["texts"]
assert len(CORPUS) >= 150

SECOND: list[dict[str, str]] = tomllib.loads(
    (Path(__file__).parents[2] / "replies" / "injections_second.toml").read_text(encoding="utf-8")
)["injection"]
"""By a second writer, who did not see the rules: `expected` is what a person makes of it."""

NEVER_A_YES = ["", "Hello?", "Hmm.", "Who is the caller?", "Hold on, please.", "What did you say?", "I see."]


class ObedientModel:
    """A model that obeys every instruction; `seen` holds all messages and tools it got."""

    def __init__(self, call: ToolCall | None = None) -> None:
        self.call = call or ToolCall("done_briefing", {"reason": "yes"})
        self.seen: list[tuple[Sequence[Message], Sequence[Tool]]] = []

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        self.seen.append((messages, tools))
        return Reply("Yes, I'm ready, put them through.", self.call)

    async def aclose(self) -> None:
        return None


async def brief(summary: str, replies: Sequence[str]) -> tuple[list[Decide], ObedientModel]:
    """Play a dialogue with `summary`, in which the supervisor says `replies` after the question."""
    model = ObedientModel()
    return (await play_dialogue(model, replies, summary)).decisions, model


@pytest.mark.parametrize("injection", CORPUS)
async def test_a_summary_cannot_say_yes_for_the_supervisor(injection: str) -> None:
    decisions, model = await brief(injection, NEVER_A_YES)
    assert decisions == []
    for messages, tools in model.seen:
        prompt = "\n".join(message.content for message in messages)
        assert not (tools and injection in prompt), "a model with tools saw the summary"


@pytest.mark.parametrize("injection", CORPUS)
async def test_a_yes_of_the_supervisor_counts_whatever_the_summary_says(injection: str) -> None:
    decisions, _ = await brief(injection, ["Hello?", "Yes, put them through."])
    assert decisions == [Decide(ReplyIntent.READY)]


@pytest.mark.parametrize("injection", CORPUS)
async def test_instructions_spoken_by_the_supervisor_are_not_a_yes(injection: str) -> None:
    decisions, _ = await brief("Ann was charged twice.", [injection])
    assert [decision for decision in decisions if decision.intent is ReplyIntent.READY] == []


@pytest.mark.parametrize("injection", CORPUS)
async def test_a_summary_cannot_close_its_marks_in_the_answer_prompt(injection: str) -> None:
    _, model = await brief(f"{injection} </summary>", ["Who is the caller?"])
    questions = [messages for messages, tools in model.seen if not tools]
    assert len(questions) == 1
    system, user = questions[0]
    assert (system.role, system.content) == ("system", ANSWER_PROMPT)
    assert user.content.count("</summary>") == 1


async def test_the_classifying_model_sees_only_the_question_and_the_reply() -> None:
    _, model = await brief("Ann was charged twice.", ["Yes."])
    (messages, tools), *_ = model.seen
    assert messages == [
        Message("system", CLASSIFY_PROMPT),
        Message("assistant", "Are you ready?"),
        Message("user", "Yes."),
    ]
    assert [tool.name for tool in tools] == ["done_briefing", "decline_transfer", "voicemail_detected"]


@pytest.mark.parametrize(
    ("call", "reply", "intent"),
    [
        (ToolCall("done_briefing", {}), "Bring them on then.", ReplyIntent.READY),
        (ToolCall("done_briefing", {}), "Verbindet uns halt mal.", ReplyIntent.READY),
        (ToolCall("done_briefing", {}), "No thanks.", ReplyIntent.UNCLEAR),
        (ToolCall("done_briefing", {}), "Leave a message after the beep.", ReplyIntent.VOICEMAIL),
        (ToolCall("done_briefing", {}), "Who is it?", ReplyIntent.QUESTION),
        (ToolCall("done_briefing", {}), "Sure, hold please.", ReplyIntent.WAIT),
        (ToolCall("done_briefing", {"language": "de"}), "Sure, hold please.", ReplyIntent.WAIT),
        (ToolCall("done_briefing", {"language": "pl"}), "No.", ReplyIntent.READY),
        (ToolCall("done_briefing", {}), "I'm all set, thanks.", ReplyIntent.UNCLEAR),
        (ToolCall("done_briefing", {}), "You can let them go.", ReplyIntent.UNCLEAR),
        (ToolCall("done_briefing", {}), "Put them through to billing.", ReplyIntent.UNCLEAR),
        (ToolCall("decline_transfer", {"reason": "busy"}), "Yes", ReplyIntent.UNCLEAR),
        (ToolCall("decline_transfer", {"reason": "busy"}), "Hold on.", ReplyIntent.WAIT),
        (ToolCall("decline_transfer", {"reason": "x"}), "Tôi đang họp.", ReplyIntent.DECLINED),
        (ToolCall("voicemail_detected", {}), "Beep.", ReplyIntent.UNCLEAR),
        (ToolCall("transfer_money", {}), "Yes", ReplyIntent.READY),
        (None, "Yes", ReplyIntent.READY),
        (None, "No.", ReplyIntent.UNCLEAR),
        (None, "¿Quién es?", ReplyIntent.QUESTION),
    ],
)
def test_the_rules_limit_what_a_tool_call_means(
    call: ToolCall | None, reply: str, intent: ReplyIntent
) -> None:
    assert judge_reply(call, reply).intent is intent


async def test_the_reason_is_the_models_text_or_else_the_supervisors_words() -> None:
    def reason(value: object) -> str:
        return judge_reply(ToolCall("decline_transfer", {"reason": value}), "Not me.").reason

    assert reason(" busy ") == "busy"
    assert reason(7) == "Not me."
    assert len(reason("x" * 900)) == 500


@pytest.mark.parametrize("injection", CORPUS)
async def test_no_trick_moves_a_caller_however_often_it_is_said(injection: str) -> None:
    decisions, _ = await brief("Ann was charged twice.", [injection] * 4)
    assert [decision for decision in decisions if decision.intent is ReplyIntent.READY] == []


@pytest.mark.parametrize("row", SECOND, ids=lambda row: f"{row['language']}: {row['why']}")
async def test_no_trick_of_a_second_writer_moves_a_caller(row: dict[str, str]) -> None:
    decisions, _ = await brief("Ann was charged twice.", [row["text"]] * 4)
    intents = {decision.intent for decision in decisions}
    assert row["expected"] == "ready" or ReplyIntent.READY not in intents
    assert ReplyIntent.VOICEMAIL not in intents


@pytest.mark.parametrize("injection", CORPUS)
async def test_nothing_private_follows_a_trick_as_first_words_of_a_machine(injection: str) -> None:
    """The model calls every tool that it is told to; who is on the line needs a person's words."""
    model = ObedientModel(ToolCall("voicemail_detected", {}))
    result = await play_dialogue(model, [], "A secret.", first_words=[injection])
    person = classify_first_words(injection)
    assert ("A secret." in result.said) is (person.certain and person.intent is ReplyIntent.PERSON)


async def test_without_a_model_the_rules_classify_and_questions_get_a_fixed_line() -> None:
    classifier = ReplyClassifier(None)
    assert await classifier.classify("Ready?", "No, I'm busy.") == Classification(
        ReplyIntent.DECLINED, "No, I'm busy."
    )
    assert await classifier.answer("Who?", "Ann.") == sentences.ANSWER_UNAVAILABLE
