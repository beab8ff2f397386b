"""A whole dialogue without a room: dialogue, classifier and model. Each line ends as soon as it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from warmxfer.actors.briefing.dialogue import Dialogue
from warmxfer.actors.briefing.dialogue_actions import (
    AcceptBy,
    Action,
    AnswerQuestion,
    Briefing,
    ClassifyFirstWords,
    ClassifyReply,
    Decide,
    OpeningLines,
    Say,
)
from warmxfer.actors.briefing.reply.classifier import ReplyClassifier
from warmxfer.adapters.llm import ChatModel


@dataclass
class DialogueResult:
    """Decisions, the words that they rest on, and spoken lines of one dialogue."""

    decisions: list[Decide] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


async def play_dialogue(
    model: ChatModel | None,
    replies: Sequence[str],
    summary: str = "Ann was charged twice.",
    *,
    first_words: Sequence[str] = ("Hello?",),
    language: str | None = None,
    accept_by: AcceptBy = AcceptBy.VOICE,
) -> DialogueResult:
    """Brief a person with `summary`, ask the question, and let the supervisor say `replies` after it.

    `first_words` are said before the briefing has arrived. A reply of one digit is a key.
    """
    classifier, result = ReplyClassifier(model), DialogueResult()
    dialogue = Dialogue(OpeningLines("A moment.", "Who is there?", "A caller waits."), language)

    async def perform(actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(text):
                    result.said.append(text)
                    await perform(dialogue.speech_ended(interrupted=False))
                case ClassifyReply(reply, request_id):
                    found = await classifier.classify("Are you ready?", reply, language)
                    await perform(
                        dialogue.reply_classified(
                            request_id, found.intent, found.reason, machine_suspected=found.machine_suspected
                        )
                    )
                case ClassifyFirstWords(text, request_id):
                    found = await classifier.classify_first_words(text)
                    await perform(
                        dialogue.first_words_classified(
                            request_id, found.intent, machine_suspected=found.machine_suspected
                        )
                    )
                case AnswerQuestion(question, summary, request_id):
                    await perform(
                        dialogue.question_answered(request_id, await classifier.answer(question, summary))
                    )
                case Decide():
                    result.decisions.append(replace(action, words=""))
                    result.words.append(action.words)

    await perform(dialogue.supervisor_connected())
    now = 0.0
    for words in first_words:
        await perform(dialogue.utterance_heard(words, now))
    briefing = Briefing(
        summary, "Hi.", "Are you ready?", "Connecting.", "Understood.", "Shall I?", "Press.", accept_by
    )
    await perform(dialogue.briefing_received(briefing))
    for reply in replies:
        now += 10.0
        if reply in tuple("0123456789*#"):
            await perform(dialogue.key_pressed(reply))
        else:
            await perform(dialogue.utterance_heard(reply, now))
    return result
