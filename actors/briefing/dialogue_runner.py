"""Runs the dialogue in a room: performs its actions, and passes it what happens.

Invariants:

- Every input reaches the dialogue from one queue, one at a time. Timers and the classifier put their results
  into that queue as a `DialogueSignal`.
- One input does not wait in the queue: the caller's arrival stops the speech at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from msgspec import Struct

from warmxfer.adapters import rooms
from warmxfer.schemas import BriefSupervisor, JoinConsultation

from .dialogue import Dialogue
from .dialogue_actions import (
    AcceptBy,
    Action,
    AnswerQuestion,
    Briefing,
    ClassifyFirstWords,
    ClassifyReply,
    Decide,
    OpeningLines,
    Say,
    StopSpeaking,
)
from .event_publisher import ConsultationEvents
from .reply.classifier import Classification, ReplyClassifier

ONE_MOMENT_AFTER_S: Final = 2.0
"""How long a connected supervisor hears nothing before the agent says the line `one_moment`."""

SILENCE_S: Final = 8.0
"""How long the agent waits for a reply before it asks again."""

PATIENCE_S: Final = 20.0
"""The same after the supervisor asked for time."""


log = structlog.get_logger(__name__)


class OneMomentDue(Struct, frozen=True):
    """`ONE_MOMENT_AFTER_S` is over since the supervisor connected."""


class SilenceElapsed(Struct, frozen=True):
    """`SILENCE_S` is over; counts only if no newer timer was started."""

    timer_id: int


class ReplyClassified(Struct, frozen=True):
    """Result of the action `ClassifyReply` with the same `request_id`."""

    request_id: int
    classification: Classification


class QuestionAnswered(Struct, frozen=True):
    """Result of the action `AnswerQuestion` with the same `request_id`."""

    request_id: int
    answer: str


class FirstWordsClassified(Struct, frozen=True):
    """Result of the action `ClassifyFirstWords` with the same `request_id`."""

    request_id: int
    classification: Classification


DialogueSignal = OneMomentDue | SilenceElapsed | ReplyClassified | FirstWordsClassified | QuestionAnswered


class DialogueRunner:
    """Runner of one dialogue.

    `enqueue_signal` puts a later result into the queue whose items are passed to `handle`.
    """

    def __init__(
        self,
        room: rooms.RoomClient,
        classifier: ReplyClassifier,
        events: ConsultationEvents,
        join: JoinConsultation,
        enqueue_signal: Callable[[DialogueSignal], None],
    ) -> None:
        self._room = room
        self._classifier = classifier
        self._events = events
        self._supervisor_id = join.supervisor_participant_id
        self._enqueue_signal = enqueue_signal
        self._language = join.language
        self._room_id = join.room_id
        self._caller_id = join.caller_participant_id
        opening = OpeningLines(join.one_moment, join.identify, join.screening, join.identify_key)
        self._dialogue = Dialogue(opening, join.language)
        self._question = ""
        self._last_said: rooms.QueuedUtterance | None = None
        self._silence_timer_id = 0
        self._timers: list[asyncio.TimerHandle] = []
        self._model_tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """End the dialogue: the agent says and decides nothing more."""
        self._dialogue.close()
        for timer in self._timers:
            timer.cancel()
        for task in self._model_tasks:
            task.cancel()

    def caller_joined(self) -> None:
        """Stop speaking at once, because the briefing is not for the caller.

        This does not go through the queue, which does not move while the broker is unreachable.
        """
        for action in self._dialogue.caller_joined():
            if isinstance(action, StopSpeaking):
                self._room.interrupt()

    async def finish_speaking(self, notice: str | None, within_s: float) -> None:
        """Say `notice`, or finish what is being said. Returns after `within_s` at the latest."""
        self._dialogue.close()
        if notice is not None:
            self._room.interrupt()
            self._last_said = self._room.say(notice, interruptible=False)
        if self._last_said is not None and within_s > 0:
            await asyncio.wait((self._last_said.ended,), timeout=within_s)

    async def handle(self, received: rooms.RoomEvent | BriefSupervisor | DialogueSignal) -> None:
        """Pass one input to the dialogue, and perform the actions that it returns."""
        was_waiting = self._dialogue.supervisor_waiting
        await self._perform(self._actions_for(received))
        if self._dialogue.supervisor_waiting and not was_waiting:
            self._schedule(ONE_MOMENT_AFTER_S, OneMomentDue())
        if self._dialogue.listening and not isinstance(received, SilenceElapsed):
            self._silence_timer_id += 1
            silence_s = PATIENCE_S if self._dialogue.supervisor_asked_for_time else SILENCE_S
            self._schedule(silence_s, SilenceElapsed(self._silence_timer_id))

    def _actions_for(self, received: rooms.RoomEvent | BriefSupervisor | DialogueSignal) -> list[Action]:
        dialogue, supervisor_id = self._dialogue, self._supervisor_id
        now = asyncio.get_running_loop().time()
        match received:
            case rooms.ParticipantJoinedRoom(participant) if (
                participant.id == supervisor_id and participant.audible
            ):
                return dialogue.supervisor_connected()
            case rooms.AudioStarted(participant_id) if participant_id == supervisor_id:
                return dialogue.supervisor_connected()
            case rooms.UtteranceHeard(participant_id, text, unfinished) if participant_id == supervisor_id:
                # The utterance first: the supervisor said it before they could hear the agent.
                heard = dialogue.utterance_heard(text, now, unfinished=unfinished)
                return [*heard, *dialogue.supervisor_connected()]
            case rooms.KeyPressed(participant_id, digit) if participant_id == supervisor_id:
                return dialogue.key_pressed(digit)
            case rooms.VoicemailSuspected(participant_id) if participant_id == supervisor_id:
                return dialogue.machine_suspected()
            case rooms.ParticipantJoinedRoom(participant) if self._is_stranger(participant.id):
                return dialogue.stranger_joined(participant.id)
            case rooms.ParticipantLeftRoom(participant_id) if self._is_stranger(participant_id):
                return dialogue.stranger_left(participant_id)
            case rooms.SpeechEnded(_, interrupted):
                return dialogue.speech_ended(interrupted=interrupted, now=now)
            case BriefSupervisor():
                self._question = received.question
                return dialogue.briefing_received(_briefing(received, self._accept_by(received)))
            case OneMomentDue():
                return dialogue.one_moment_due()
            case SilenceElapsed(timer_id) if timer_id == self._silence_timer_id:
                return dialogue.silence_elapsed()
            case ReplyClassified(request_id, classification):
                return dialogue.reply_classified(
                    request_id,
                    classification.intent,
                    classification.reason,
                    machine_suspected=classification.machine_suspected,
                )
            case FirstWordsClassified(request_id, classification):
                return dialogue.first_words_classified(
                    request_id,
                    classification.intent,
                    machine_suspected=classification.machine_suspected,
                )
            case QuestionAnswered(request_id, answer):
                return dialogue.question_answered(request_id, answer)
            case _:
                return []

    def _accept_by(self, command: BriefSupervisor) -> AcceptBy:
        """Return how the supervisor may accept; keys need a room that reports them."""
        wanted = AcceptBy(command.accept_by or AcceptBy.EITHER)
        if wanted is not AcceptBy.VOICE and not self._room.reports_keys:
            # A supervisor who may answer by key alone could never answer: words count, and the log says so.
            told = {"room": self._room_id, "accept_by": wanted.value, "used": AcceptBy.VOICE.value}
            if wanted is AcceptBy.KEY:
                log.warning("keys_not_reported", **told)
            else:
                log.info("keys_not_reported", **told)
            return AcceptBy.VOICE
        return wanted

    def _is_stranger(self, participant_id: str) -> bool:
        return participant_id not in (self._supervisor_id, self._caller_id)

    async def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(text):
                    self._last_said = self._room.say(text)
                case StopSpeaking():
                    self._room.interrupt()
                case Decide():
                    await self._events.publish_decision(action)
                case ClassifyReply(reply, request_id):
                    self._start_model_task(self._classify(reply, request_id))
                case ClassifyFirstWords(text, request_id):
                    self._start_model_task(self._classify_first_words(text, request_id))
                case AnswerQuestion(question, summary, request_id):
                    self._start_model_task(self._answer(question, summary, request_id))

    async def _classify(self, reply: str, request_id: int) -> None:
        classification = await self._classifier.classify(self._question, reply, self._language)
        self._enqueue_signal(ReplyClassified(request_id, classification))

    async def _classify_first_words(self, text: str, request_id: int) -> None:
        self._enqueue_signal(
            FirstWordsClassified(request_id, await self._classifier.classify_first_words(text))
        )

    async def _answer(self, question: str, summary: str, request_id: int) -> None:
        self._enqueue_signal(QuestionAnswered(request_id, await self._classifier.answer(question, summary)))

    def _start_model_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._model_tasks.add(task)
        task.add_done_callback(self._model_tasks.discard)

    def _schedule(self, delay_s: float, signal: DialogueSignal) -> None:
        now = asyncio.get_running_loop().time()
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > now]
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, self._enqueue_signal, signal))


def _briefing(command: BriefSupervisor, accept_by: AcceptBy) -> Briefing:
    return Briefing(
        command.summary,
        command.greeting,
        command.question,
        command.connecting,
        command.understood,
        command.confirm,
        command.keys,
        accept_by,
    )
