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
    NARRATING = auto()
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
    ticket: int


class AnswerQuestion(Struct, frozen=True):
    """Find the answer to `question` in `summary`, and give it to `looked_up` with the `ticket`."""

    question: str
    summary: str
    ticket: int


Action = Say | StopSpeaking | Decide | ClassifyReply | AnswerQuestion


class _Line(Struct, frozen=True):
    text: str
    asks: bool = False
    said: int = 0


class Dialogue:
    """One conversation. Every method returns what is to be done now, in order.

    `one_moment` is said to a supervisor who is there before the briefing is ordered.
    """

    def __init__(self, one_moment: str) -> None:
        self._one_moment = one_moment
        self.stage = DialogueState.WAITING
        self._briefing: Briefing | None = None
        self._queue: deque[_Line] = deque()
        self._spoken: deque[_Line] = deque()
        self._cut: list[_Line] = []
        self._dropped = 0
        self._live = False
        self._excused = False
        self._heard_any = False
        self._asked = False
        self._turn = ""
        self._open_question = ""
        self._ticket = 0
        self._reasks = 0
        self._answers = 0

    @property
    def kept_waiting(self) -> bool:
        """The supervisor is there, and there is nothing to tell yet."""
        return self._live and self.stage is DialogueState.WAITING and self._briefing is None

    def close(self) -> None:
        """Nothing more is to be said or decided."""
        self.stage = DialogueState.DECIDED

    def caller_came(self) -> list[Action]:
        """The caller is in the room, and what is still to be told is not for their ears."""
        if self.stage is DialogueState.DECIDED:
            return []
        self.close()
        return self._stop_speaking()

    def supervisor_connected(self) -> list[Action]:
        """The supervisor can be heard, so the supervisor can hear."""
        if self._live:
            return []
        self._live = True
        return self._begin()

    def brief(self, briefing: Briefing) -> list[Action]:
        """The order to brief; a later one begins anew."""
        if self.stage is DialogueState.DECIDED:
            return []
        hush = self._stop_speaking() if self.stage is not DialogueState.WAITING else []
        self.stage, self._briefing = DialogueState.WAITING, briefing
        self._asked = False
        self._open_question = ""
        self._reasks = self._answers = 0
        return hush + self._begin()

    def delayed(self) -> list[Action]:
        """The order to brief is late."""
        if self._excused or not self.kept_waiting:
            return []
        self._excused = True
        self._queue.append(_Line(self._one_moment))
        return self._advance()

    def ended(self, *, interrupted: bool) -> list[Action]:
        """The oldest line handed over is over."""
        if self._dropped:
            self._dropped -= 1
            return []
        if not self._spoken:
            return []
        line = self._spoken.popleft()
        if interrupted and line.said < MAX_REPEATS:
            self._cut.append(replace(line, said=line.said + 1))
        elif line.asks and not interrupted and self.stage is DialogueState.NARRATING and not self._queue:
            self.stage, self._asked = DialogueState.LISTENING, True
        if self._cut and not self._spoken:
            self._queue.extendleft(reversed(self._cut))
            self._cut.clear()
        return self._advance()

    def heard(self, text: str) -> list[Action]:
        """The supervisor said something; nobody else's words may be brought here."""
        text = text.strip()[:MAX_REPLY_CHARS]
        first, self._heard_any = not self._heard_any, True
        if self.stage is DialogueState.DECIDED or not text:
            return []
        sure = unambiguous(text, first=first)
        if sure is ReplyIntent.VOICEMAIL or (
            sure is ReplyIntent.DECLINED and self.stage is not DialogueState.WAITING
        ):
            return self._decide(sure, text)
        if self.stage is DialogueState.NARRATING and classify(text) is ReplyIntent.QUESTION:
            self._open_question = text
        if self.stage in (DialogueState.WAITING, DialogueState.NARRATING) or not self._asked:
            return []
        # More is said before the first part was judged: both are one turn.
        self._turn = (
            f"{self._turn}. {text}"[-MAX_REPLY_CHARS:] if self.stage is DialogueState.CLASSIFYING else text
        )
        self.stage = DialogueState.CLASSIFYING
        self._ticket += 1
        return [ClassifyReply(self._turn, self._ticket)]

    def voicemail_suspected(self) -> list[Action]:
        """A detector of the cloud's takes the supervisor for an answering machine."""
        return (
            []
            if self._asked or self.stage is DialogueState.DECIDED
            else self._decide(ReplyIntent.VOICEMAIL, "")
        )

    def reply_classified(self, ticket: int, verdict: ReplyIntent, reason: str = "") -> list[Action]:
        """What the turn means. Whoever judged, a yes is none if the words cannot be one."""
        if self.stage is not DialogueState.CLASSIFYING or ticket != self._ticket:
            return []
        if verdict is ReplyIntent.READY and could_be_yes(self._turn):
            return self._decide(verdict, "")
        if verdict in (ReplyIntent.DECLINED, ReplyIntent.VOICEMAIL):
            return self._decide(verdict, reason or self._turn)
        if verdict is ReplyIntent.QUESTION and self._answers < MAX_ANSWERS:
            return self._answer_question(self._turn)
        return self._ask_again()

    def question_answered(self, ticket: int, answer: str) -> list[Action]:
        """The answer to a question of the supervisor's; then ours is asked again."""
        if self.stage is not DialogueState.ANSWERING or ticket != self._ticket:
            return []
        self.stage = DialogueState.NARRATING
        self._queue.extendleft(_Line(sentence) for sentence in reversed(sentences.sentences(answer)))
        self._ensure_question()
        return self._advance()

    def silent(self) -> list[Action]:
        """Nothing was said for a while after the question."""
        return self._ask_again() if self.stage is DialogueState.LISTENING else []

    def _begin(self) -> list[Action]:
        briefing = self._briefing
        if briefing is None or not self._live or self.stage is not DialogueState.WAITING:
            return []
        told = sentences.sentences(briefing.summary) or [FALLBACK_SUMMARY]
        self.stage = DialogueState.NARRATING
        self._queue.extend(_Line(text) for text in (briefing.greeting, *told))
        self._ensure_question()
        return self._advance()

    def _advance(self) -> list[Action]:
        """Hand over the next lines. A question heard meanwhile is answered before ours is asked."""
        said: list[Action] = []
        while self._queue and not self._cut and len(self._spoken) < LINES_AHEAD:
            if self._queue[0].asks and self._open_question and self._answers < MAX_ANSWERS:
                return said if self._spoken else said + self._answer_question(self._open_question)
            line = self._queue.popleft()
            self._spoken.append(line)
            said.append(Say(line.text))
        return said

    def _answer_question(self, question: str) -> list[Action]:
        self.stage = DialogueState.ANSWERING
        self._open_question = ""
        self._answers += 1
        self._ticket += 1
        return [AnswerQuestion(question, self._briefing.summary if self._briefing else "", self._ticket)]

    def _ask_again(self) -> list[Action]:
        if self._reasks >= MAX_REASKS:
            self.stage = DialogueState.LISTENING
            return []
        self._reasks += 1
        self.stage = DialogueState.NARRATING
        self._ensure_question()
        return self._advance()

    def _ensure_question(self) -> None:
        if self._briefing is not None and not any(line.asks for line in self._queue):
            self._queue.append(_Line(self._briefing.question, asks=True))

    def _decide(self, verdict: ReplyIntent, reason: str) -> list[Action]:
        hush = self._stop_speaking()
        self.stage = DialogueState.DECIDED
        decision: list[Action] = [*hush, Decide(verdict, reason)]
        if verdict is ReplyIntent.READY and self._briefing is not None:
            decision.append(Say(self._briefing.connecting))
        if verdict is ReplyIntent.DECLINED and self._briefing is not None:
            decision.append(Say(self._briefing.understood))
        return decision

    def _stop_speaking(self) -> list[Action]:
        self._queue.clear()
        self._cut.clear()
        self._dropped += len(self._spoken)
        speaking = bool(self._spoken)
        self._spoken.clear()
        return [StopSpeaking()] if speaking else []
