"""The conversation with the supervisor as a state machine: what happened in, what to do out. Pure.

    waiting ──order──▶ telling ──question ended──▶ listening ──heard──▶ judging ──▶ decided
                          ▲                            │ silence           │ unclear, a question
                          └────────── asks again ──────┴───────────────────┘

The law of this file, whoever judges and whatever the summary says:

- ready needs a turn of the supervisor that was heard after the question had ended, and that holds nothing
  which cannot be a yes (`may_be_ready`);
- an unmistakable refusal counts from the greeting on, an answering machine at any time; what a detector takes
  for one, until the question was asked: from then on what is heard is judged as an answer;
- the first decision is the only one.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from warmxfer.schemas import FALLBACK_SUMMARY

from . import sentences
from .reply.rules import ReplyIntent, classify, could_be_yes, unambiguous

MAX_REASKS: Final = 3
MAX_ANSWERS: Final = 10
MAX_REPEATS: Final = 3
"""How often a line is said again that was cut off, other than by us."""

MAX_REPLY_CHARS: Final = 500
LINES_AHEAD: Final = 2
"""Lines handed over at once: the next one follows without a gap, and little has to be taken back."""


class DialogueState(Enum):
    WAITING = auto()
    SPEAKING = auto()
    LISTENING = auto()
    CLASSIFYING = auto()
    ANSWERING = auto()
    DECIDED = auto()


class Briefing(Struct, frozen=True):
    """What is to be told and asked."""

    summary: str
    greeting: str
    question: str
    connecting: str
    understood: str


class Say(Struct, frozen=True):
    text: str


class StopSpeaking(Struct, frozen=True):
    """Stop speaking, and drop what was handed over."""


class Decide(Struct, frozen=True):
    """Tell the others; `reason` in the supervisor's words, for a refusal."""

    intent: ReplyIntent
    reason: str = ""


class ClassifyReply(Struct, frozen=True):
    """Find out what `text` means, and say so to `judged` with the `ticket`."""

    text: str
    request_id: int


class AnswerQuestion(Struct, frozen=True):
    """Find the answer to `question` in `summary`, and give it to `looked_up` with the `ticket`."""

    question: str
    summary: str
    request_id: int


Action = Say | StopSpeaking | Decide | ClassifyReply | AnswerQuestion


class _Line(Struct, frozen=True):
    text: str
    is_question: bool = False
    interruptions: int = 0


class Dialogue:
    """One conversation. Every method returns what is to be done now, in order.

    `one_moment` is said to a supervisor who is there before the briefing is ordered.
    """

    def __init__(self, one_moment: str) -> None:
        self._one_moment = one_moment
        self.state = DialogueState.WAITING
        self._briefing: Briefing | None = None
        self._queue: deque[_Line] = deque()
        self._speaking: deque[_Line] = deque()
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
        """The supervisor is there, and there is nothing to tell yet."""
        return self._connected and self.state is DialogueState.WAITING and self._briefing is None

    def close(self) -> None:
        """Nothing more is to be said or decided."""
        self.state = DialogueState.DECIDED

    def caller_joined(self) -> list[Action]:
        """The caller is in the room, and what is still to be told is not for their ears."""
        if self.state is DialogueState.DECIDED:
            return []
        self.close()
        return self._stop_speaking()

    def supervisor_connected(self) -> list[Action]:
        """The supervisor can be heard, so the supervisor can hear."""
        if self._connected:
            return []
        self._connected = True
        return self._start_briefing()

    def briefing_received(self, briefing: Briefing) -> list[Action]:
        """The order to brief; a later one begins anew."""
        if self.state is DialogueState.DECIDED:
            return []
        stop = self._stop_speaking() if self.state is not DialogueState.WAITING else []
        self.state, self._briefing = DialogueState.WAITING, briefing
        self._question_asked = False
        self._pending_question = ""
        self._reasks = self._answers = 0
        return stop + self._start_briefing()

    def one_moment_due(self) -> list[Action]:
        """The order to brief is late."""
        if self._one_moment_said or not self.supervisor_waiting:
            return []
        self._one_moment_said = True
        self._queue.append(_Line(self._one_moment))
        return self._say_next()

    def speech_ended(self, *, interrupted: bool) -> list[Action]:
        """The oldest line handed over is over."""
        if self._ends_to_ignore:
            self._ends_to_ignore -= 1
            return []
        if not self._speaking:
            return []
        line = self._speaking.popleft()
        if interrupted and line.interruptions < MAX_REPEATS:
            self._interrupted.append(replace(line, interruptions=line.interruptions + 1))
        elif (
            line.is_question and not interrupted and self.state is DialogueState.SPEAKING and not self._queue
        ):
            self.state, self._question_asked = DialogueState.LISTENING, True
        if self._interrupted and not self._speaking:
            self._queue.extendleft(reversed(self._interrupted))
            self._interrupted.clear()
        return self._say_next()

    def utterance_heard(self, text: str) -> list[Action]:
        """The supervisor said something; nobody else's words may be brought here."""
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
        # More is said before the first part was judged: both are one turn.
        self._reply = (
            f"{self._reply}. {text}"[-MAX_REPLY_CHARS:] if self.state is DialogueState.CLASSIFYING else text
        )
        self.state = DialogueState.CLASSIFYING
        self._request_id += 1
        return [ClassifyReply(self._reply, self._request_id)]

    def voicemail_suspected(self) -> list[Action]:
        """A detector of the cloud's takes the supervisor for an answering machine."""
        return (
            []
            if self._question_asked or self.state is DialogueState.DECIDED
            else self._decide(ReplyIntent.VOICEMAIL, "")
        )

    def reply_classified(self, request_id: int, intent: ReplyIntent, reason: str = "") -> list[Action]:
        """What the turn means. Whoever judged, a yes is none if the words cannot be one."""
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
        """The answer to a question of the supervisor's; then ours is asked again."""
        if self.state is not DialogueState.ANSWERING or request_id != self._request_id:
            return []
        self.state = DialogueState.SPEAKING
        self._queue.extendleft(_Line(sentence) for sentence in reversed(sentences.split(answer)))
        self._queue_question()
        return self._say_next()

    def silence_elapsed(self) -> list[Action]:
        """Nothing was said for a while after the question."""
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
        """Hand over the next lines. A question heard meanwhile is answered before ours is asked."""
        actions: list[Action] = []
        while self._queue and not self._interrupted and len(self._speaking) < LINES_AHEAD:
            if self._queue[0].is_question and self._pending_question and self._answers < MAX_ANSWERS:
                return actions if self._speaking else actions + self._answer_question(self._pending_question)
            line = self._queue.popleft()
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
