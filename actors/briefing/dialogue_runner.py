"""Carries out the script in a room: what it wants said is said, what it wants known is found out.

The law of this file: everything that happens reaches the script from one queue, one thing after the other,
but for the caller's coming. Timers and judges do not call it; they put what they have to say into that queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from msgspec import Struct

from warmxfer.adapters import rooms
from warmxfer.schemas import BriefSupervisor, JoinConsultation

from .dialogue import (
    Action,
    AnswerQuestion,
    Briefing,
    ClassifyReply,
    Decide,
    Dialogue,
    DialogueState,
    Say,
    StopSpeaking,
)
from .event_publisher import ConsultationEvents
from .reply.classifier import Classification, ReplyClassifier

FIRST_WORDS_AFTER_S: Final = 2.0
"""How long a supervisor who is there hears nothing before being asked for patience."""

SILENCE_S: Final = 8.0
"""How long we listen into silence before asking again."""


class FirstWordsDue(Struct, frozen=True):
    pass


class SilenceElapsed(Struct, frozen=True):
    number: int


class ReplyClassified(Struct, frozen=True):
    ticket: int
    classification: Classification


class QuestionAnswered(Struct, frozen=True):
    ticket: int
    answer: str


DialogueSignal = FirstWordsDue | SilenceElapsed | ReplyClassified | QuestionAnswered


class DialogueRunner:
    """Briefs one supervisor. `note` puts what turns up later into the queue that feeds `take`."""

    def __init__(
        self,
        voice: rooms.RoomClient,
        judges: ReplyClassifier,
        reporter: ConsultationEvents,
        join: JoinConsultation,
        note: Callable[[DialogueSignal], None],
    ) -> None:
        self._voice = voice
        self._judges = judges
        self._reporter = reporter
        self._supervisor_id = join.supervisor_participant_id
        self._note = note
        self._script = Dialogue(join.one_moment)
        self._question = ""
        self._silences = 0
        self._timers: list[asyncio.TimerHandle] = []
        self._asking: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Say and ask nothing any more."""
        self._script.close()
        for timer in self._timers:
            timer.cancel()
        for task in self._asking:
            task.cancel()

    def caller_came(self) -> None:
        """Be silent at once: what is being told is not for their ears. Not by way of the queue, which stands
        still for as long as the bus is away."""
        for action in self._script.caller_came():
            if isinstance(action, StopSpeaking):
                self._voice.interrupt()

    async def take(self, happened: rooms.RoomEvent | BriefSupervisor | DialogueSignal) -> None:
        """Let the script decide what is to be done now, and do it."""
        await self._act(self._decide(happened))
        if self._script.stage is DialogueState.LISTENING and not isinstance(happened, SilenceElapsed):
            self._silences += 1
            self._later(SILENCE_S, SilenceElapsed(self._silences))

    def _decide(self, happened: rooms.RoomEvent | BriefSupervisor | DialogueSignal) -> list[Action]:
        script, supervisor = self._script, self._supervisor_id
        match happened:
            case rooms.ParticipantJoinedRoom(other) if other.id == supervisor and other.audible:
                return self._supervisor_connected()
            case rooms.AudioStarted(who) if who == supervisor:
                return self._supervisor_connected()
            case rooms.UtteranceHeard(who, text) if who == supervisor:
                # The turn first: what they said, they said before they could hear us.
                return [*script.heard(text), *self._supervisor_connected()]
            case rooms.VoicemailSuspected(who) if who == supervisor:
                return script.voicemail_suspected()
            case rooms.SpeechEnded(_, interrupted):
                return script.ended(interrupted=interrupted)
            case BriefSupervisor():
                self._question = happened.question
                return script.brief(_briefing(happened))
            case FirstWordsDue():
                return script.delayed()
            case SilenceElapsed(number) if number == self._silences:
                return script.silent()
            case ReplyClassified(ticket, judgement):
                return script.reply_classified(ticket, judgement.intent, judgement.reason)
            case QuestionAnswered(ticket, answer):
                return script.question_answered(ticket, answer)
            case _:
                return []

    def _supervisor_connected(self) -> list[Action]:
        known = self._script.kept_waiting
        actions = self._script.supervisor_connected()
        if self._script.kept_waiting and not known:
            self._later(FIRST_WORDS_AFTER_S, FirstWordsDue())
        return actions

    async def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(text):
                    self._voice.say(text)
                case StopSpeaking():
                    self._voice.interrupt()
                case Decide():
                    await self._reporter.decided(action)
                case ClassifyReply(turn, ticket):
                    self._ask(self._judge(turn, ticket))
                case AnswerQuestion(question, summary, ticket):
                    self._ask(self._look_up(question, summary, ticket))

    async def _judge(self, turn: str, ticket: int) -> None:
        self._note(ReplyClassified(ticket, await self._judges.classify(self._question, turn)))

    async def _look_up(self, question: str, summary: str, ticket: int) -> None:
        self._note(QuestionAnswered(ticket, await self._judges.answer(question, summary)))

    def _ask(self, asking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(asking)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _later(self, delay_s: float, note: DialogueSignal) -> None:
        now = asyncio.get_running_loop().time()
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > now]
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, self._note, note))


def _briefing(order: BriefSupervisor) -> Briefing:
    return Briefing(order.summary, order.greeting, order.question, order.connecting, order.understood)
