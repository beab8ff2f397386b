"""The dialogue with the supervisor, as a state machine: events in, actions out. Pure.

    WAITING      briefing arrived, supervisor connected   SPEAKING
    SPEAKING     question ended                           LISTENING
    LISTENING    reply                                    CLASSIFYING
    LISTENING    silence                                  SPEAKING, to ask again
    CLASSIFYING  ready, declined or voicemail             DECIDED
    CLASSIFYING  unclear                                  SPEAKING, to ask again; LISTENING after `MAX_REASKS`
    CLASSIFYING  question                                 ANSWERING
    SPEAKING     all said, and a question is pending      ANSWERING
    ANSWERING    answer                                   SPEAKING
    any          unambiguous voicemail or refusal         DECIDED

Each event is one method of `Dialogue`, and each action is a struct: Say, StopSpeaking, Decide, ClassifyReply,
AnswerQuestion. The results of the last two come back as the events `reply_classified`, `question_answered`.

Invariants, whatever the classifier and the summary say:

- READY needs a reply of the supervisor after the question has ended, and the reply must pass
  `could_be_yes`. Held by `test_no_order_of_events_makes_a_ready_without_a_yes_after_the_question`.
- An unambiguous refusal counts from the start of the greeting on.
- An unambiguous voicemail greeting counts at any time.
- The provider's voicemail detector counts until the question has been asked. After that, every utterance is
  classified as a reply.
- The first decision is the only one.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from warmxfer.schemas import FALLBACK_SUMMARY

from . import sentences
from .reply.rules import ReplyIntent, classify, could_be_yes, unambiguous

MAX_REASKS: Final = 3
"""How often the question is asked again after silence or an unclear reply."""

MAX_ANSWERS: Final = 10
"""How many questions of the supervisor get an answer."""

MAX_REPEATS: Final = 3
"""How often a line is repeated that something other than the dialogue interrupted."""

MAX_REPLY_CHARS: Final = 500
LINES_AHEAD: Final = 2
"""Lines given to the room at a time. Two leave no gap between lines, and few lines to take back."""


class DialogueState(Enum):
    """State of a dialogue. The module's docstring lists the transitions."""

    WAITING = auto()
    SPEAKING = auto()
    LISTENING = auto()
    CLASSIFYING = auto()
    ANSWERING = auto()
    DECIDED = auto()


class Briefing(Struct, frozen=True):
    """The texts of one briefing."""

    summary: str
    greeting: str
    question: str
    connecting: str
    understood: str


class Say(Struct, frozen=True):
    text: str


class StopSpeaking(Struct, frozen=True):
    """Stop speaking, and drop the lines given to the room."""


class Decide(Struct, frozen=True):
    """Publish the decision; `reason` is in the supervisor's words, for a refusal."""

    intent: ReplyIntent
    reason: str = ""


class ClassifyReply(Struct, frozen=True):
    """Classify the reply `text`, and pass the result to `reply_classified` with `request_id`."""

    text: str
    request_id: int


class AnswerQuestion(Struct, frozen=True):
    """Answer `question` from `summary`, and pass the answer to `question_answered` with `request_id`."""

    question: str
    summary: str
    request_id: int


Action = Say | StopSpeaking | Decide | ClassifyReply | AnswerQuestion


class _Line(Struct, frozen=True):
    text: str
    is_question: bool = False
    interruptions: int = 0


class Dialogue:
    """One dialogue. Every event method returns the actions to perform now, in order.

    `one_moment` is the line for a supervisor who connects before the briefing has arrived.
    """

    def __init__(self, one_moment: str) -> None:
        self._one_moment = one_moment
        self.state = DialogueState.WAITING
        self._briefing: Briefing | None = None
        self._queue: list[_Line] = []
        self._speaking: list[_Line] = []
        self._interrupted: list[_Line] = []
        self._ends_to_ignore = 0
        self._connected = False
        self._one_moment_said = False
        self._supervisor_spoke = False
        self._question_asked = False
        self._reply = ""
        self._pending_question = ""
        self._request_id = 0
        self._reasks = 0
        self._answers = 0

    @property
    def supervisor_waiting(self) -> bool:
        """Whether the supervisor is connected and the briefing has not arrived."""
        return self._connected and self.state is DialogueState.WAITING and self._briefing is None

    def close(self) -> None:
        """End the dialogue: it returns no more actions."""
        self.state = DialogueState.DECIDED

    def caller_joined(self) -> list[Action]:
        """The caller joined the room: stop, because the briefing is not for the caller."""
        if self.state is DialogueState.DECIDED:
            return []
        self.close()
        return self._stop_speaking()

    def supervisor_connected(self) -> list[Action]:
        """The supervisor's audio started, so the supervisor can hear the agent."""
        if self._connected:
            return []
        self._connected = True
        return self._start_briefing()

    def briefing_received(self, briefing: Briefing) -> list[Action]:
        """BriefSupervisor arrived. A newer one restarts the briefing."""
        if self.state is DialogueState.DECIDED:
            return []
        stop = self._stop_speaking() if self.state is not DialogueState.WAITING else []
        self.state, self._briefing = DialogueState.WAITING, briefing
        self._question_asked = False
        self._pending_question = ""
        self._reasks = self._answers = 0
        return stop + self._start_briefing()

    def one_moment_due(self) -> list[Action]:
        """The briefing has not arrived in time: say `one_moment`, once."""
        if self._one_moment_said or not self.supervisor_waiting:
            return []
        self._one_moment_said = True
        self._queue.append(_Line(self._one_moment))
        return self._say_next()

    def speech_ended(self, *, interrupted: bool) -> list[Action]:
        """The oldest line given to the room ended."""
        if self._ends_to_ignore:
            self._ends_to_ignore -= 1
            return []
        if not self._speaking:
            return []
        line = self._speaking.pop(0)
        if interrupted and line.interruptions < MAX_REPEATS:
            self._interrupted.append(replace(line, interruptions=line.interruptions + 1))
        elif (
            line.is_question and not interrupted and self.state is DialogueState.SPEAKING and not self._queue
        ):
            self.state, self._question_asked = DialogueState.LISTENING, True
        if self._interrupted and not self._speaking:
            self._queue[:0] = self._interrupted
            self._interrupted = []
        return self._say_next()

    def utterance_heard(self, text: str) -> list[Action]:
        """The supervisor said `text`. Words of other participants must not be passed here."""
        text = text.strip()[:MAX_REPLY_CHARS]
        first, self._supervisor_spoke = not self._supervisor_spoke, True
        if self.state is DialogueState.DECIDED or not text:
            return []
        intent = unambiguous(text, first=first)
        if intent is ReplyIntent.VOICEMAIL or (
            intent is ReplyIntent.DECLINED and self.state is not DialogueState.WAITING
        ):
            return self._decide(intent, text)
        if self.state is DialogueState.SPEAKING and classify(text) is ReplyIntent.QUESTION:
            self._pending_question = text
        if self.state in (DialogueState.WAITING, DialogueState.SPEAKING) or not self._question_asked:
            return []
        # An utterance before the first one was classified is part of the same reply.
        self._reply = (
            f"{self._reply}. {text}"[-MAX_REPLY_CHARS:] if self.state is DialogueState.CLASSIFYING else text
        )
        self.state = DialogueState.CLASSIFYING
        self._request_id += 1
        return [ClassifyReply(self._reply, self._request_id)]

    def voicemail_suspected(self) -> list[Action]:
        """The provider's detector reported an answering machine."""
        return (
            []
            if self._question_asked or self.state is DialogueState.DECIDED
            else self._decide(ReplyIntent.VOICEMAIL, "")
        )

    def reply_classified(self, request_id: int, intent: ReplyIntent, reason: str = "") -> list[Action]:
        """The reply means `intent`. READY counts only if `could_be_yes` agrees, whatever classified it."""
        if self.state is not DialogueState.CLASSIFYING or request_id != self._request_id:
            return []
        if intent is ReplyIntent.READY and could_be_yes(self._reply):
            return self._decide(intent, "")
        if intent in (ReplyIntent.DECLINED, ReplyIntent.VOICEMAIL):
            return self._decide(intent, reason or self._reply)
        if intent is ReplyIntent.QUESTION and self._answers < MAX_ANSWERS:
            return self._answer_question(self._reply)
        return self._ask_again()

    def question_answered(self, request_id: int, answer: str) -> list[Action]:
        """The supervisor's question has an answer: say it, then ask again."""
        if self.state is not DialogueState.ANSWERING or request_id != self._request_id:
            return []
        self.state = DialogueState.SPEAKING
        self._queue[:0] = [_Line(sentence) for sentence in sentences.split(answer)]
        self._queue_question()
        return self._say_next()

    def silence_elapsed(self) -> list[Action]:
        """The supervisor did not reply for a while after the question."""
        return self._ask_again() if self.state is DialogueState.LISTENING else []

    def _start_briefing(self) -> list[Action]:
        briefing = self._briefing
        if briefing is None or not self._connected or self.state is not DialogueState.WAITING:
            return []
        summary_lines = sentences.split(briefing.summary) or [FALLBACK_SUMMARY]
        self.state = DialogueState.SPEAKING
        self._queue.extend(_Line(text) for text in (briefing.greeting, *summary_lines))
        self._queue_question()
        return self._say_next()

    def _say_next(self) -> list[Action]:
        """Give the next lines to the room. A pending question is answered before the agent asks its own."""
        actions: list[Action] = []
        while self._queue and not self._interrupted and len(self._speaking) < LINES_AHEAD:
            if self._queue[0].is_question and self._pending_question and self._answers < MAX_ANSWERS:
                return actions if self._speaking else actions + self._answer_question(self._pending_question)
            line = self._queue.pop(0)
            self._speaking.append(line)
            actions.append(Say(line.text))
        return actions

    def _answer_question(self, question: str) -> list[Action]:
        self.state = DialogueState.ANSWERING
        self._pending_question = ""
        self._answers += 1
        self._request_id += 1
        return [AnswerQuestion(question, self._briefing.summary if self._briefing else "", self._request_id)]

    def _ask_again(self) -> list[Action]:
        if self._reasks >= MAX_REASKS:
            self.state = DialogueState.LISTENING
            return []
        self._reasks += 1
        self.state = DialogueState.SPEAKING
        self._queue_question()
        return self._say_next()

    def _queue_question(self) -> None:
        if self._briefing is not None and not any(line.is_question for line in self._queue):
            self._queue.append(_Line(self._briefing.question, is_question=True))

    def _decide(self, intent: ReplyIntent, reason: str) -> list[Action]:
        stop = self._stop_speaking()
        self.state = DialogueState.DECIDED
        actions: list[Action] = [*stop, Decide(intent, reason)]
        if intent is ReplyIntent.READY and self._briefing is not None:
            actions.append(Say(self._briefing.connecting))
        if intent is ReplyIntent.DECLINED and self._briefing is not None:
            actions.append(Say(self._briefing.understood))
        return actions

    def _stop_speaking(self) -> list[Action]:
        self._queue.clear()
        self._interrupted.clear()
        self._ends_to_ignore += len(self._speaking)
        was_speaking = bool(self._speaking)
        self._speaking.clear()
        return [StopSpeaking()] if was_speaking else []
