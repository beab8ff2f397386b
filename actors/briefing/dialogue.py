"""The dialogue with the supervisor, as a state machine: events in, actions out. Pure.

    WAITING      supervisor connected, briefing arrived   SPEAKING, the greeting
    WAITING      first words that tell no person          IDENTIFYING
    SPEAKING     greeting ended, no person found yet      IDENTIFYING
    IDENTIFYING  silence, or words that tell no person    SPEAKING, to ask who it is
    SPEAKING     a person found                           SPEAKING, the summary and the question
    SPEAKING     question ended                           LISTENING
    LISTENING    reply                                    CLASSIFYING
    LISTENING    silence                                  SPEAKING, to ask again
    CLASSIFYING  ready, declined or voicemail             DECIDED
    CLASSIFYING  a yes that only the model found          SPEAKING, to ask for a second yes
    CLASSIFYING  unclear                                  SPEAKING, to ask again; LISTENING after `MAX_REASKS`
    CLASSIFYING  needs time                               LISTENING
    CLASSIFYING  twice a machine to the model alone       SPEAKING, to ask who it is
    CLASSIFYING  question                                 ANSWERING
    SPEAKING     all said, and a question is pending      ANSWERING
    ANSWERING    answer                                   SPEAKING
    any          unmistakable machine, plain refusal      DECIDED
    any          key 1 or 2, after our first line         DECIDED

Each event is one method of `Dialogue`; `dialogue_actions.py` has the actions. The results of three actions
come back as the events `reply_classified`, `first_words_classified`, `question_answered`.

Invariants, whatever the classifier and the summary say:

- READY needs the key 1, or a reply after the question that `rules.is_yes` takes for a plain yes.
  Held by `test_no_order_of_events_makes_a_ready_without_a_yes_after_the_question`.
- The summary and answers are said only to a person, and only while no unknown participant is in the room.
  Held by `test_nothing_private_is_said_before_a_person_was_found`.
- A plain refusal counts from the start of the greeting on. An unmistakable machine counts at any time.
- A detector's word, or a model's, makes no machine: the line is asked who it is.
- Our own words, given back within `ECHO_S`, are no words of the supervisor.
- The first decision is the only one.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from warmxfer.schemas import FALLBACK_SUMMARY

from . import sentences
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
    StopSpeaking,
)
from .reply.echo import ECHO_S, is_echo, without_echo
from .reply.phrases import clean
from .reply.rules import ReplyIntent, classify, classify_first_words, is_machine, is_yes, refuses_plainly

MAX_REASKS: Final = 3
"""How often the question is asked again after silence or an unclear reply, and how often who it is."""

SILENT_MACHINE_ASKS: Final = 2
"""A suspected machine that does not say who it is, asked so often, is one."""

MAX_ANSWERS: Final = 10
"""How many questions of the supervisor get an answer, and how often the briefing is said again."""

MAX_REPEATS: Final = 3
"""How often a line is repeated that something other than the dialogue interrupted."""

MAX_REPLY_CHARS: Final = 4_000
MAX_OWN_LINES: Final = 8
"""Lines of our own that are kept to know their echo."""

LINES_AHEAD: Final = 2
"""Lines given to the room at a time. Two leave no gap between lines, and few lines to take back."""


class _Line(Struct, frozen=True):
    text: str
    is_question: bool = False
    private: bool = False
    interruptions: int = 0


class Dialogue:
    """One dialogue. Every event method returns the actions to perform now, in order.

    `language`: the ISO 639-1 code of the setting, if it names one. `now` is a time in seconds of any clock.
    """

    def __init__(self, opening: OpeningLines, language: str | None = None) -> None:
        self._opening = opening
        self._language = language
        self.state = DialogueState.WAITING
        self._briefing: Briefing | None = None
        self._queue: list[_Line] = []
        self._speaking: list[_Line] = []
        self._interrupted: list[_Line] = []
        self._ends_to_ignore = 0
        self._spoken: list[tuple[str, float]] = []
        self._line_said = self._unfinished = False
        self._connected = False
        self._person_found = False
        self._greeted = False
        self._machine_suspected = False
        self._identify_asks = 0
        self._screened = False
        self._strangers: set[str] = set()
        self._one_moment_said = False
        self._question_asked = False
        self._confirming = False
        self.supervisor_asked_for_time = False
        self._words = ""
        self._pending_question = ""
        self._request_id = 0
        self._reasks = 0
        self._answers = 0

    @property
    def supervisor_waiting(self) -> bool:
        """Whether the supervisor is connected and the briefing has not arrived."""
        return self._connected and self.state is DialogueState.WAITING and self._briefing is None

    @property
    def listening(self) -> bool:
        """Whether silence counts now."""
        return self.state in (DialogueState.LISTENING, DialogueState.IDENTIFYING)

    def close(self) -> None:
        """End the dialogue: it returns no more actions."""
        self.state = DialogueState.DECIDED

    # ── the room ─────────────────────────────────────────────────────────────────────────────────

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

    def stranger_joined(self, participant_id: str) -> list[Action]:
        """An unknown participant joined: say nothing private until they have left."""
        self._strangers.add(participant_id)
        if not any(line.private for line in self._speaking):
            return []
        unsaid = [*self._interrupted, *self._speaking]
        queued = list(self._queue)
        stop = self._stop_speaking()
        self._queue.extend((*unsaid, *queued))
        return stop

    def stranger_left(self, participant_id: str) -> list[Action]:
        """An unknown participant left."""
        self._strangers.discard(participant_id)
        return self._say_next() if self.state is DialogueState.SPEAKING else []

    def briefing_received(self, briefing: Briefing) -> list[Action]:
        """BriefSupervisor arrived. A newer one restarts the briefing."""
        if self.state is DialogueState.DECIDED:
            return []
        restarted = self._briefing is not None
        stop = self._stop_speaking() if restarted else []
        self._briefing = briefing
        if restarted or self.state is not DialogueState.IDENTIFYING:
            self.state = DialogueState.WAITING
        self._greeted = self._question_asked = self._confirming = False
        self._pending_question = ""
        self._reasks = self._answers = 0
        return stop + self._start_briefing()

    def one_moment_due(self) -> list[Action]:
        """The briefing has not arrived in time: say `one_moment`, once."""
        if self._one_moment_said or not self.supervisor_waiting:
            return []
        self._one_moment_said = True
        self._queue.append(_Line(self._opening.one_moment))
        return self._say_next()

    def speech_ended(self, *, interrupted: bool, now: float = 0.0) -> list[Action]:
        """The oldest line given to the room ended."""
        if self._ends_to_ignore:
            self._ends_to_ignore -= 1
            return []
        if not self._speaking:
            return []
        line = self._speaking.pop(0)
        self._spoken = [*self._spoken[1 - MAX_OWN_LINES :], (line.text, now)]
        self._line_said |= not interrupted
        if interrupted and line.interruptions < MAX_REPEATS:
            self._interrupted.append(replace(line, interruptions=line.interruptions + 1))
        elif self.state is DialogueState.SPEAKING and not self._queue:
            if line.is_question and not interrupted:
                self.state, self._question_asked = DialogueState.LISTENING, True
            elif line.is_question and not self._interrupted:
                self.state = DialogueState.LISTENING  # it was cut short each time: after a silence, ask again
            elif not self._speaking and not self._person_found:
                self.state = DialogueState.IDENTIFYING
        if self._interrupted and not self._speaking:
            self._queue[:0] = self._interrupted
            self._interrupted = []
        return self._say_next()

    # ── what the supervisor says and presses ─────────────────────────────────────────────────────

    def utterance_heard(self, text: str, now: float = 0.0, *, unfinished: bool = False) -> list[Action]:
        """The supervisor said `text`; `unfinished`: and may still speak. Pass no words of others here."""
        own = self._own_lines(now)
        text = without_echo(text.strip()[:MAX_REPLY_CHARS], own)
        if self.state is DialogueState.DECIDED or not clean(text) or is_echo(text, own):
            return []
        if is_machine(text):
            return self._decide(Decide(ReplyIntent.VOICEMAIL, text))
        refused = self._greeted and refuses_plainly(text, self._language)
        if refused and (self._person_found or not _may_be_machine(text)):
            return self._decide(Decide(ReplyIntent.DECLINED, text, words=text))
        if not self._person_found:
            return self._classify_first_words(text)
        if self.state in (DialogueState.WAITING, DialogueState.SPEAKING) and _put_on_hold(text):
            return self._back_to_unknown(ReplyIntent.HOLD)
        if self.state is DialogueState.SPEAKING and classify(text).intent is ReplyIntent.QUESTION:
            self._pending_question = text
        if self.state in (DialogueState.WAITING, DialogueState.SPEAKING) or not self._question_asked:
            return []
        # An utterance before the first one was classified is part of the same reply.
        pending = self.state is DialogueState.CLASSIFYING
        self._words = f"{self._words}. {text}"[-MAX_REPLY_CHARS:] if pending else text
        self._unfinished = unfinished or (pending and self._unfinished)
        self.state = DialogueState.CLASSIFYING
        self._request_id += 1
        return [ClassifyReply(self._words, self._request_id)]

    def key_pressed(self, digit: str) -> list[Action]:
        """The supervisor pressed a key: 1 accepts, 2 declines, 3 has the briefing said again.

        It counts only after the first of our lines was fully said. On a line where no person was found yet, a
        key says that a person is there.
        """
        if (
            self.state is DialogueState.DECIDED
            or not self._keys_count
            or not self._line_said
            or digit not in ("1", "2", "3")
        ):
            return []
        if digit == "2":
            return self._decide(Decide(ReplyIntent.DECLINED, "pressed 2", by="key", words="2"))
        if not self._person_found:
            return self._found_person()
        if digit == "1" and self._greeted:
            return self._decide(Decide(ReplyIntent.READY, by="key", words="1"))
        if digit == "3" and self._question_asked and self._answers < MAX_ANSWERS:
            self._answers += 1
            stop = self._stop_speaking()
            return stop + self._say_briefing()
        return []

    def machine_suspected(self) -> list[Action]:
        """The cloud's own detector takes the line for a machine: ask, unless a reply is awaited already."""
        if self._question_asked or self.state is DialogueState.DECIDED:
            return []
        self._machine_suspected = True
        return self._back_to_unknown(ReplyIntent.UNCLEAR)

    def first_words_classified(
        self, request_id: int, intent: ReplyIntent, *, machine_suspected: bool = False
    ) -> list[Action]:
        """The first words are those of a person, a machine, a screening robot, a queue, or unclear."""
        if self.state is DialogueState.DECIDED or self._person_found or request_id != self._request_id:
            return []
        twice = self._machine_suspected and machine_suspected and self._identify_asks > 0
        self._machine_suspected |= machine_suspected
        if intent is ReplyIntent.VOICEMAIL or twice:
            return self._decide(Decide(ReplyIntent.VOICEMAIL, self._words))
        if intent is ReplyIntent.PERSON:
            # A suspected machine goes on with its greeting; only a reply to our question is a person's.
            return [] if self._machine_suspected and self._is_being_identified else self._found_person()
        return self._back_to_unknown(intent)

    def reply_classified(
        self, request_id: int, intent: ReplyIntent, reason: str = "", *, machine_suspected: bool = False
    ) -> list[Action]:
        """The reply means `intent`. READY counts only for a plain yes, whatever classified it."""
        if self.state is not DialogueState.CLASSIFYING or request_id != self._request_id:
            return []
        twice = self._machine_suspected and machine_suspected
        self._machine_suspected = machine_suspected
        if intent is ReplyIntent.VOICEMAIL:
            return self._decide(Decide(ReplyIntent.VOICEMAIL, reason or self._words))
        if twice:
            # A person was heard on this line, so a model's word alone does not end it.
            self._words = ""
            return self._back_to_unknown(ReplyIntent.UNCLEAR)
        if intent is ReplyIntent.DECLINED:
            return self._decide(Decide(intent, reason or self._words, words=self._words))
        if intent is ReplyIntent.READY:
            # "Yes" may go on with "but not now": what may go on needs a second yes.
            plain = is_yes(self._words) and (self._confirming or not self._unfinished)
            if plain and not self._by_key_only:
                return self._decide(Decide(intent, words=self._words))
            self._confirming = True
        if intent is ReplyIntent.QUESTION and self._answers < MAX_ANSWERS:
            return self._answer_question(self._words)
        if intent is ReplyIntent.WAIT:
            self.state, self.supervisor_asked_for_time = DialogueState.LISTENING, True
            return []
        return self._ask_again()

    def question_answered(self, request_id: int, answer: str) -> list[Action]:
        """The supervisor's question has an answer: say it, then ask again."""
        if self.state is not DialogueState.ANSWERING or request_id != self._request_id:
            return []
        self.state = DialogueState.SPEAKING
        self._queue[:0] = [_Line(sentence, private=True) for sentence in sentences.split(answer)]
        self._queue_question()
        return self._say_next()

    def silence_elapsed(self) -> list[Action]:
        """Nothing was said for a while after the question, or before a person was found."""
        self.supervisor_asked_for_time = False
        if self.state is DialogueState.IDENTIFYING:
            if self._machine_suspected and self._identify_asks >= SILENT_MACHINE_ASKS:
                return self._decide(Decide(ReplyIntent.VOICEMAIL))
            return self._ask_who_it_is()
        return self._ask_again() if self.state is DialogueState.LISTENING else []

    # ── who is on the line ───────────────────────────────────────────────────────────────────────

    def _classify_first_words(self, text: str) -> list[Action]:
        # The parts of one greeting are classified together: its sign may come last.
        self._words = f"{self._words}. {text}".strip(". ")[-MAX_REPLY_CHARS:]
        if is_machine(self._words):
            return self._decide(Decide(ReplyIntent.VOICEMAIL, self._words))
        self._request_id += 1
        return [ClassifyFirstWords(text, self._request_id)]

    def _found_person(self) -> list[Action]:
        self._person_found, self._machine_suspected, self._words = True, False, ""
        if not self._greeted or self.state is DialogueState.IDENTIFYING:
            self.state = DialogueState.WAITING
        if self._briefing is None or not self._connected:
            return []
        if self._greeted:
            return self._say_briefing()
        return self._start_briefing()

    def _back_to_unknown(self, intent: ReplyIntent) -> list[Action]:
        """No person is on the line now. The person who speaks next is briefed from the start."""
        self._person_found = False
        if intent is ReplyIntent.UNCLEAR:
            if self.state is DialogueState.SPEAKING and not any(line.private for line in self._speaking):
                self._queue.clear()  # what is being said is not private: ask when it has ended
                return self._ask_who_it_is() if self._machine_suspected else []
            return self._stop_speaking() + self._ask_who_it_is()
        self._greeted = self._question_asked = self._confirming = False
        self._pending_question = ""
        stop = self._stop_speaking()
        self.state = DialogueState.IDENTIFYING
        self._words = ""
        if intent is ReplyIntent.CALL_SCREENING and not self._screened:
            self._screened = True
            self.state = DialogueState.SPEAKING
            self._queue.append(_Line(self._opening.screening))
        return stop + self._say_next()

    @property
    def _is_being_identified(self) -> bool:
        asking = (self._opening.identify, self._opening.identify_key)
        return any(line.text in asking for line in (*self._queue, *self._speaking))

    def _ask_who_it_is(self) -> list[Action]:
        if self._identify_asks >= MAX_REASKS or self._is_being_identified:
            if not self._speaking and not self._queue:
                self.state = DialogueState.IDENTIFYING
            return []
        self._identify_asks += 1
        self.state = DialogueState.SPEAKING
        if self._keys_count:
            self._queue.append(_Line(self._opening.identify_key))
        self._queue.append(_Line(self._opening.identify))
        return self._say_next()

    # ── what the agent says ──────────────────────────────────────────────────────────────────────

    @property
    def _keys_count(self) -> bool:
        return self._briefing is not None and self._briefing.accept_by is not AcceptBy.VOICE

    @property
    def _by_key_only(self) -> bool:
        return self._briefing is not None and self._briefing.accept_by is AcceptBy.KEY

    def _own_lines(self, now: float) -> list[str]:
        recent = [text for text, ended_at in self._spoken if now - ended_at <= ECHO_S]
        return [*recent, *(line.text for line in self._speaking)]

    def _start_briefing(self) -> list[Action]:
        """Greet; to a person, tell the summary too. Any other line hears the greeting alone."""
        briefing = self._briefing
        if briefing is None or not self._connected or self.state is not DialogueState.WAITING:
            return []
        self.state, self._greeted = DialogueState.SPEAKING, True
        self._queue.append(_Line(briefing.greeting))
        return self._say_briefing() if self._person_found else self._say_next()

    def _say_briefing(self) -> list[Action]:
        """Say the summary and the question. A yes counts only after this question."""
        assert self._briefing is not None
        self._question_asked = self._confirming = False
        lines = sentences.split(self._briefing.summary) or [FALLBACK_SUMMARY]
        self.state = DialogueState.SPEAKING
        self._queue.extend(_Line(text, private=True) for text in lines)
        self._queue_question()
        return self._say_next()

    def _say_next(self) -> list[Action]:
        """Give the next lines to the room. A pending question is answered before the agent asks its own."""
        actions: list[Action] = []
        while self._queue and not self._interrupted and len(self._speaking) < LINES_AHEAD:
            line = self._queue[0]
            if self._strangers and (line.private or line.is_question):
                return actions
            if line.is_question and self._pending_question and self._answers < MAX_ANSWERS:
                return actions if self._speaking else actions + self._answer_question(self._pending_question)
            self._queue.pop(0)
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
        # Beside a stranger the question waits, and a yes to the one before counts.
        if self._reasks >= MAX_REASKS or self._strangers:
            self.state = DialogueState.LISTENING
            return []
        self._reasks += 1
        self.state = DialogueState.SPEAKING
        self._queue_question()
        return self._say_next()

    def _queue_question(self) -> None:
        briefing = self._briefing
        if briefing is None or any(line.is_question for line in self._queue):
            return
        if self._keys_count:
            self._queue.append(_Line(briefing.keys))
        self._queue.append(
            _Line(briefing.confirm if self._confirming else briefing.question, is_question=True)
        )

    def _decide(self, decision: Decide) -> list[Action]:
        stop = self._stop_speaking()
        self.state = DialogueState.DECIDED
        actions: list[Action] = [*stop, decision]
        if decision.intent is ReplyIntent.READY and self._briefing is not None:
            actions.append(Say(self._briefing.connecting))
        if decision.intent is ReplyIntent.DECLINED and self._briefing is not None:
            actions.append(Say(self._briefing.understood))
        return actions

    def _stop_speaking(self) -> list[Action]:
        self._queue.clear()
        self._interrupted.clear()
        self._ends_to_ignore += len(self._speaking)
        was_speaking = bool(self._speaking)
        self._speaking.clear()
        return [StopSpeaking()] if was_speaking else []


def _put_on_hold(text: str) -> bool:
    return classify_first_words(text).intent in (ReplyIntent.HOLD, ReplyIntent.CALL_SCREENING)


def _may_be_machine(text: str) -> bool:
    found = classify_first_words(text)
    return found.machine_suspected or found.intent not in (ReplyIntent.PERSON, ReplyIntent.UNCLEAR)
