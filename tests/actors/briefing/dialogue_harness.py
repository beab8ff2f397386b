"""A dialogue with a simulated room, event by event."""

from __future__ import annotations

from msgspec.structs import replace

from warmxfer.actors.briefing.dialogue import Dialogue
from warmxfer.actors.briefing.dialogue_actions import (
    Action,
    AnswerQuestion,
    Briefing,
    ClassifyFirstWords,
    ClassifyReply,
    Decide,
    OpeningLines,
    Say,
)
from warmxfer.actors.briefing.reply.rules import ReplyIntent, classify, classify_first_words

BRIEFING = Briefing(
    summary="Ann was charged twice. She wants a refund.",
    greeting="Hi, I'm the AI assistant.",
    question="Are you ready to take the call?",
    connecting="Connecting the caller now.",
    understood="All right.",
)
ONE_MOMENT = "A moment, please."
IDENTIFY = "Who is there?"
SCREENING = "A caller waits for you."
IDENTIFY_KEY = "If you are a person, press 1."
OPENING = OpeningLines(ONE_MOMENT, IDENTIFY, SCREENING, IDENTIFY_KEY)
LINES = ["Hi, I'm the AI assistant.", "Ann was charged twice.", "She wants a refund.", BRIEFING.question]


class DialogueHarness:
    """A dialogue with a simulated room: it ends spoken lines, and records all actions."""

    def __init__(self) -> None:
        self.dialogue = Dialogue(OPENING)
        self.actions: list[Action] = []
        self.speaking = 0
        self.now = 0.0

    def apply(self, actions: list[Action]) -> None:
        for action in actions:
            self.actions.append(action)
            if isinstance(action, Say):
                self.speaking += 1

    def end_line(self, *, interrupted: bool = False) -> None:
        self.speaking -= 1
        self.apply(self.dialogue.speech_ended(interrupted=interrupted))

    def finish_speaking(self) -> None:
        while self.speaking:
            self.end_line()

    def supervisor_says(self, text: str) -> None:
        """Pass an utterance to the dialogue, and classify it by the built-in rules."""
        self.now += 10.0
        self.apply(self.dialogue.utterance_heard(text, self.now))
        last_action = self.actions[-1] if self.actions else None
        if isinstance(last_action, ClassifyReply):
            intent = classify(last_action.text).intent
            self.apply(self.dialogue.reply_classified(last_action.request_id, intent))
        if isinstance(last_action, ClassifyFirstWords):
            found = classify_first_words(last_action.text).intent
            suspected = found is ReplyIntent.UNCLEAR
            self.apply(
                self.dialogue.first_words_classified(
                    last_action.request_id, found, machine_suspected=suspected
                )
            )

    def answer(self, text: str) -> None:
        question = self.actions[-1]
        assert isinstance(question, AnswerQuestion)
        self.apply(self.dialogue.question_answered(question.request_id, text))

    @property
    def said(self) -> list[str]:
        return [action.text for action in self.actions if isinstance(action, Say)]

    @property
    def decisions(self) -> list[Decide]:
        """The decisions, without the words that they rest on."""
        return [replace(action, words="") for action in self.actions if isinstance(action, Decide)]


def speaking_harness() -> DialogueHarness:
    """A dialogue with a person that is being briefed."""
    harness = person_harness()
    harness.apply(harness.dialogue.briefing_received(BRIEFING))
    return harness


def person_harness() -> DialogueHarness:
    """A dialogue with a person who has said hello."""
    harness = DialogueHarness()
    harness.apply(harness.dialogue.supervisor_connected())
    harness.supervisor_says("Hello?")
    harness.actions.clear()
    return harness
