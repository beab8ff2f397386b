"""A whole briefing without a room: script, judges and a model; each line is over as soon as it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from warmxfer.actors.briefing.dialogue import (
    Action,
    AnswerQuestion,
    Briefing,
    ClassifyReply,
    Decide,
    Dialogue,
    Say,
)
from warmxfer.actors.briefing.reply.classifier import ReplyClassifier
from warmxfer.adapters.llm import ChatModel


@dataclass
class Talked:
    """What came of a talk."""

    decisions: list[Decide] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


async def talk(
    model: ChatModel | None, heard: Sequence[str], summary: str = "Ann was charged twice."
) -> Talked:
    """Tell `summary`, ask, and let the supervisor say `heard` after the question."""
    judges, script, talked = ReplyClassifier(model), Dialogue("A moment."), Talked()

    async def carry_out(actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(text):
                    talked.said.append(text)
                    await carry_out(script.ended(interrupted=False))
                case ClassifyReply(turn, ticket):
                    judgement = await judges.classify("Are you ready?", turn)
                    await carry_out(script.reply_classified(ticket, judgement.intent, judgement.reason))
                case AnswerQuestion(question, told, ticket):
                    await carry_out(script.question_answered(ticket, await judges.answer(question, told)))
                case Decide():
                    talked.decisions.append(action)

    await carry_out(script.supervisor_connected())
    await carry_out(script.brief(Briefing(summary, "Hi.", "Are you ready?", "Connecting.", "Understood.")))
    for turn in heard:
        await carry_out(script.heard(turn))
    return talked
