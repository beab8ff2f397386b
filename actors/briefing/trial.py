"""One reply of a supervisor, without a call: what the dialogue makes of it, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from .dialogue import Dialogue
from .dialogue_actions import (
    AcceptBy,
    Action,
    AnswerQuestion,
    Briefing,
    ClassifyFirstWords,
    ClassifyReply,
    Decide,
    DialogueState,
    OpeningLines,
    Say,
)
from .reply.classifier import Classification, DecidedBy, ReplyClassifier
from .reply.rules import ReplyIntent

SUMMARY: Final = "The summary of the call."
REPLY_AFTER_S: Final = 1.0
"""How long after the question the reply is said: within the time of an echo."""


class NextStep(StrEnum):
    """What the briefing agent does next."""

    BRIEF = "brief"
    MOVE = "move"
    CONFIRM = "confirm"
    ASK_AGAIN = "ask_again"
    WAIT = "wait"
    DECLINE = "decline"
    END = "end"


class Trial(Struct, frozen=True):
    """What a reply means, by rules or model, and what the agent does and says next."""

    intent: ReplyIntent
    decided_by: DecidedBy
    action: NextStep
    reason: str
    says: list[str]


async def try_first_words(
    classifier: ReplyClassifier, words: str, opening: OpeningLines, briefing: Briefing
) -> Trial:
    """Return what the dialogue makes of the first words of a call, said after the greeting."""
    dialogue = Dialogue(opening)
    dialogue.supervisor_connected()
    _finish_speaking(dialogue, dialogue.briefing_received(briefing))
    return await _trial(dialogue, classifier, words, "", None)


async def try_reply(
    classifier: ReplyClassifier,
    reply: str,
    opening: OpeningLines,
    briefing: Briefing,
    language: str | None = None,
) -> Trial:
    """Return what the dialogue makes of a reply to the question, said to a person's briefing."""
    dialogue = Dialogue(opening, language)
    dialogue.supervisor_connected()
    for action in dialogue.utterance_heard("Hello?"):
        if isinstance(action, ClassifyFirstWords):
            dialogue.first_words_classified(action.request_id, ReplyIntent.PERSON)
    _finish_speaking(dialogue, dialogue.briefing_received(briefing))
    return await _trial(dialogue, classifier, reply, briefing.question, language)


def new_briefing(greeting: str, question: str, confirm: str) -> Briefing:
    """Return a briefing whose texts show which line is said."""
    return Briefing(SUMMARY, greeting, question, "", "", confirm, accept_by=AcceptBy.VOICE)


def _finish_speaking(dialogue: Dialogue, actions: list[Action]) -> None:
    speaking = sum(isinstance(action, Say) for action in actions)
    while speaking:
        speaking -= 1
        ended = dialogue.speech_ended(interrupted=False, now=0.0)
        speaking += sum(isinstance(action, Say) for action in ended)


async def _trial(
    dialogue: Dialogue, classifier: ReplyClassifier, text: str, question: str, language: str | None
) -> Trial:
    actions = dialogue.utterance_heard(text, REPLY_AFTER_S)
    found: Classification | None = None
    match actions:
        case [ClassifyReply(words, request_id)]:
            found = await classifier.classify(question, words, language)
            actions = dialogue.reply_classified(
                request_id, found.intent, found.reason, machine_suspected=found.machine_suspected
            )
        case [ClassifyFirstWords(words, request_id)]:
            found = await classifier.classify_first_words(words)
            actions = dialogue.first_words_classified(
                request_id, found.intent, machine_suspected=found.machine_suspected
            )
    decision = next((action for action in actions if isinstance(action, Decide)), None)
    if found is None:
        # Decided at once by the rules, or no words of the supervisor.
        found = (
            Classification(decision.intent, decision.reason)
            if decision
            else Classification(ReplyIntent.UNCLEAR, decided_by=DecidedBy.ECHO)
        )
    says = [action.text for action in actions if isinstance(action, Say) and action.text]
    step = _next_step(dialogue, actions, decision, found.intent)
    return Trial(found.intent, found.decided_by, step, found.reason, says)


def _next_step(
    dialogue: Dialogue, actions: list[Action], decision: Decide | None, intent: ReplyIntent
) -> NextStep:
    if decision is not None:
        steps = {ReplyIntent.READY: NextStep.MOVE, ReplyIntent.DECLINED: NextStep.DECLINE}
        return steps.get(decision.intent, NextStep.END)
    if intent is ReplyIntent.PERSON and any(action == Say(SUMMARY) for action in actions):
        return NextStep.BRIEF
    if intent in (ReplyIntent.CALL_SCREENING, ReplyIntent.HOLD, ReplyIntent.WAIT):
        return NextStep.WAIT
    if any(isinstance(action, AnswerQuestion) for action in actions):
        return NextStep.ASK_AGAIN
    asks_to_confirm = intent is ReplyIntent.READY and dialogue.state is DialogueState.SPEAKING
    return NextStep.CONFIRM if asks_to_confirm else NextStep.ASK_AGAIN
