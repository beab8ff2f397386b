"""A whole dialogue without a room: dialogue, classifier and model. Each line ends as soon as it is said."""

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
class DialogueResult:
    """Decisions and spoken lines of one dialogue."""

    decisions: list[Decide] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


async def play_dialogue(
    model: ChatModel | None, replies: Sequence[str], summary: str = "Ann was charged twice."
) -> DialogueResult:
    """Brief with `summary`, ask the question, and let the supervisor say `replies` after it."""
    classifier, dialogue, result = ReplyClassifier(model), Dialogue("A moment."), DialogueResult()

    async def perform(actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(text):
                    result.said.append(text)
                    await perform(dialogue.speech_ended(interrupted=False))
                case ClassifyReply(reply, request_id):
                    classification = await classifier.classify("Are you ready?", reply)
                    await perform(
                        dialogue.reply_classified(request_id, classification.intent, classification.reason)
                    )
                case AnswerQuestion(question, summary, request_id):
                    await perform(
                        dialogue.question_answered(request_id, await classifier.answer(question, summary))
                    )
                case Decide():
                    result.decisions.append(action)

    await perform(dialogue.supervisor_connected())
    await perform(
        dialogue.briefing_received(Briefing(summary, "Hi.", "Are you ready?", "Connecting.", "Understood."))
    )
    for reply in replies:
        await perform(dialogue.utterance_heard(reply))
    return result
