"""The conversation, step by step: what counts, what does not, and what is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.actors.briefing.dialogue import (
    LINES_AHEAD,
    MAX_REASKS,
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
from warmxfer.actors.briefing.reply.rules import ReplyIntent, classify
from warmxfer.schemas import FALLBACK_SUMMARY

BRIEFING = Briefing(
    summary="Ann was charged twice. She wants a refund.",
    greeting="Hi, I'm the AI assistant.",
    question="Are you ready to take the call?",
    connecting="Connecting the caller now.",
    understood="All right.",
)
ONE_MOMENT = "A moment, please."
TOLD = ["Hi, I'm the AI assistant.", "Ann was charged twice.", "She wants a refund.", BRIEFING.question]


class Stagehand:
    """Plays the room: ends every line that is said, and writes down all that is done."""

    def __init__(self) -> None:
        self.script = Dialogue(ONE_MOMENT)
        self.done: list[Action] = []
        self.speaking = 0

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            self.done.append(action)
            if isinstance(action, Say):
                self.speaking += 1

    def end_line(self, *, interrupted: bool = False) -> None:
        self.speaking -= 1
        self.do(self.script.ended(interrupted=interrupted))

    def finish_speaking(self) -> None:
        while self.speaking:
            self.end_line()

    def hear(self, text: str) -> None:
        """The supervisor speaks, and is judged by the built-in rules."""
        self.do(self.script.heard(text))
        judging = self.done[-1] if self.done else None
        if isinstance(judging, ClassifyReply):
            self.do(self.script.reply_classified(judging.ticket, classify(judging.text)))

    def answer(self, text: str) -> None:
        looking = self.done[-1]
        assert isinstance(looking, AnswerQuestion)
        self.do(self.script.question_answered(looking.ticket, text))

    @property
    def said(self) -> list[str]:
        return [action.text for action in self.done if isinstance(action, Say)]

    @property
    def decisions(self) -> list[Decide]:
        return [action for action in self.done if isinstance(action, Decide)]


@pytest.fixture
def room() -> Stagehand:
    """The supervisor was greeted, told and asked."""
    stagehand = narrating()
    stagehand.finish_speaking()
    assert stagehand.script.stage is DialogueState.LISTENING
    return stagehand


def narrating() -> Stagehand:
    stagehand = Stagehand()
    stagehand.do(stagehand.script.supervisor_connected())
    stagehand.do(stagehand.script.brief(BRIEFING))
    return stagehand


def test_greeting_summary_and_question_in_this_order(room: Stagehand) -> None:
    assert room.said == TOLD


def test_lines_are_handed_over_a_few_at_a_time() -> None:
    stagehand = narrating()
    assert stagehand.said == TOLD[:LINES_AHEAD]
    stagehand.end_line()
    assert stagehand.said == TOLD[: LINES_AHEAD + 1]


def test_order_before_the_supervisor_waits_for_them() -> None:
    stagehand = Stagehand()
    stagehand.do(stagehand.script.brief(BRIEFING))
    assert stagehand.done == []
    stagehand.do(stagehand.script.supervisor_connected())
    assert stagehand.said == TOLD[:LINES_AHEAD]


def test_yes_after_the_question_is_ready_and_told_before_it_is_said(room: Stagehand) -> None:
    room.hear("Yes, go ahead.")
    assert room.done[-2:] == [Decide(ReplyIntent.READY), Say("Connecting the caller now.")]


@pytest.mark.parametrize("lines_over", range(4))
def test_yes_before_the_question_ended_does_not_count(lines_over: int) -> None:
    stagehand = narrating()
    for _ in range(lines_over):
        stagehand.end_line()
    stagehand.hear("Yes, I'm ready.")
    stagehand.finish_speaking()
    assert stagehand.decisions == []
    assert stagehand.script.stage is DialogueState.LISTENING
    stagehand.hear("Yes.")
    assert stagehand.decisions == [Decide(ReplyIntent.READY)]


@pytest.mark.parametrize("lines_over", range(4))
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("No, I can't take this call.", ReplyIntent.DECLINED),
        ("Please leave a message after the beep.", ReplyIntent.VOICEMAIL),
    ],
)
def test_refusal_and_machine_count_while_we_speak(lines_over: int, text: str, verdict: ReplyIntent) -> None:
    stagehand = narrating()
    for _ in range(lines_over):
        stagehand.end_line()
    before = len(stagehand.done)
    stagehand.hear(text)
    after = [action for action in stagehand.done[before:] if not isinstance(action, Say)]
    assert after == [StopSpeaking(), Decide(verdict, text)]
    told = stagehand.said
    stagehand.finish_speaking()
    assert stagehand.said == told


def test_refusal_before_a_word_of_ours_is_none() -> None:
    stagehand = Stagehand()
    stagehand.do(stagehand.script.supervisor_connected())
    stagehand.hear("No, not you, hang on.")
    assert stagehand.decisions == []


def test_machine_counts_before_there_is_anything_to_tell() -> None:
    stagehand = Stagehand()
    stagehand.do(stagehand.script.supervisor_connected())
    stagehand.hear("You have reached the voicemail of Dana.")
    assert [decision.intent for decision in stagehand.decisions] == [ReplyIntent.VOICEMAIL]
    stagehand.do(stagehand.script.brief(BRIEFING))
    assert stagehand.said == []


def test_unclear_is_asked_again_a_few_times_then_waited_for(room: Stagehand) -> None:
    for _ in range(MAX_REASKS + 2):
        room.hear("Hmm.")
        room.finish_speaking()
    assert room.said[len(TOLD) :] == [BRIEFING.question] * MAX_REASKS
    assert room.script.stage is DialogueState.LISTENING
    room.hear("Yes.")
    assert room.decisions == [Decide(ReplyIntent.READY)]


def test_silence_is_asked_into_no_more_often(room: Stagehand) -> None:
    for _ in range(MAX_REASKS + 2):
        room.do(room.script.silent())
        room.finish_speaking()
    assert room.said[len(TOLD) :] == [BRIEFING.question] * MAX_REASKS
    assert room.decisions == []


def test_question_is_answered_and_ours_asked_again(room: Stagehand) -> None:
    room.hear("Who is the caller?")
    assert room.done[-1] == AnswerQuestion("Who is the caller?", BRIEFING.summary, 2)
    room.answer("Ann is.")
    room.finish_speaking()
    assert room.said[len(TOLD) :] == ["Ann is.", BRIEFING.question]
    room.hear("Yes.")
    assert room.decisions == [Decide(ReplyIntent.READY)]


def test_question_into_the_narration_is_answered_before_ours() -> None:
    stagehand = narrating()
    stagehand.hear("Who is it?")
    stagehand.finish_speaking()
    stagehand.hear("Yes.")
    assert stagehand.decisions == []
    assert stagehand.done[-1] == AnswerQuestion("Who is it?", BRIEFING.summary, 1)
    stagehand.answer("Ann is.")
    stagehand.finish_speaking()
    assert stagehand.said == [*TOLD[:-1], "Ann is.", BRIEFING.question]
    assert stagehand.script.stage is DialogueState.LISTENING


def test_what_follows_before_the_judgement_is_part_of_the_turn(room: Stagehand) -> None:
    room.do(room.script.heard("Yes."))
    first = room.done[-1]
    assert isinstance(first, ClassifyReply)
    room.do(room.script.heard("Actually hold on."))
    assert room.done[-1] == ClassifyReply("Yes.. Actually hold on.", first.ticket + 1)
    room.do(room.script.reply_classified(first.ticket, ReplyIntent.READY))
    assert room.decisions == []
    room.do(room.script.reply_classified(first.ticket + 1, ReplyIntent.READY))
    assert room.decisions == []


def test_line_that_was_cut_off_is_said_again_from_there() -> None:
    stagehand = narrating()
    stagehand.end_line(interrupted=True)
    stagehand.end_line(interrupted=True)
    stagehand.finish_speaking()
    assert stagehand.said == TOLD[:2] + TOLD
    assert stagehand.script.stage is DialogueState.LISTENING


def test_question_that_never_ended_was_never_asked() -> None:
    stagehand = narrating()
    for _ in range(3):
        stagehand.end_line()
    for _ in range(20):
        if stagehand.speaking:
            stagehand.end_line(interrupted=True)
    stagehand.hear("Yes.")
    assert stagehand.decisions == []


def test_late_order_is_excused_once() -> None:
    stagehand = Stagehand()
    stagehand.do(stagehand.script.delayed())
    assert stagehand.done == []
    stagehand.do(stagehand.script.supervisor_connected())
    assert stagehand.script.kept_waiting
    stagehand.do(stagehand.script.delayed())
    stagehand.do(stagehand.script.delayed())
    stagehand.do(stagehand.script.brief(BRIEFING))
    stagehand.do(stagehand.script.delayed())
    stagehand.finish_speaking()
    assert stagehand.said == [ONE_MOMENT, *TOLD]


def test_a_later_order_begins_anew() -> None:
    stagehand = narrating()
    stagehand.end_line()
    stagehand.do(stagehand.script.brief(Briefing("New.", "Hi again.", "Ready?", "Now.", "Fine.")))
    assert StopSpeaking() in stagehand.done
    stagehand.finish_speaking()
    assert stagehand.said[-3:] == ["Hi again.", "New.", "Ready?"]
    assert stagehand.script.stage is DialogueState.LISTENING


def test_no_is_told_before_it_is_understood_aloud(room: Stagehand) -> None:
    room.hear("No, I can't.")
    assert room.done[-2:] == [Decide(ReplyIntent.DECLINED, "No, I can't."), Say("All right.")]


def test_first_decision_is_the_only_one(room: Stagehand) -> None:
    room.hear("Yes.")
    room.hear("No, I can't.")
    room.do(room.script.brief(BRIEFING))
    room.finish_speaking()
    assert room.decisions == [Decide(ReplyIntent.READY)]


def test_nothing_to_tell_is_told_honestly() -> None:
    stagehand = Stagehand()
    stagehand.do(stagehand.script.supervisor_connected())
    stagehand.do(stagehand.script.brief(Briefing(" \n", "Hi.", "Ready?", "Now.", "Fine.")))
    stagehand.finish_speaking()
    assert stagehand.said == ["Hi.", FALLBACK_SUMMARY, "Ready?"]


def test_a_detector_is_believed_until_the_question_was_asked() -> None:
    early, late = Stagehand(), Stagehand()
    for stagehand in (early, late):
        stagehand.do(stagehand.script.supervisor_connected())
        stagehand.do(stagehand.script.brief(BRIEFING))
    early.do(early.script.voicemail_suspected())
    assert early.done[-2:] == [StopSpeaking(), Decide(ReplyIntent.VOICEMAIL)]
    assert early.script.voicemail_suspected() == [], "once"
    late.finish_speaking()
    assert late.script.voicemail_suspected() == []
    late.hear("Yes.")
    assert late.decisions == [Decide(ReplyIntent.READY)]


EVENTS = st.one_of(
    st.sampled_from(["live", "brief", "delayed", "silent", "machine", "end", "cut"]),
    st.tuples(
        st.just("hear"),
        st.sampled_from(["Yes.", "Hello?", "Who is it?", "Hold on.", "Go ahead.", "Hmm"]),
    ),
    st.tuples(st.just("judge"), st.sampled_from(list(ReplyIntent)), st.integers(0, 1)),
    st.tuples(st.just("answer"), st.sampled_from(["Ann.", "Yes, I'm ready.", ""]), st.integers(0, 1)),
)


@given(st.lists(EVENTS, max_size=60))
def test_no_order_of_events_makes_a_ready_without_a_yes_after_the_question(events: list) -> None:
    stagehand = Stagehand()
    script = stagehand.script
    speaking: list[str] = []
    asked = False
    yes_after_question = False
    for event in events:
        actions: list[Action] = []
        match event:
            case "live":
                actions = script.supervisor_connected()
            case "brief":
                actions = script.brief(BRIEFING)
            case "delayed":
                actions = script.delayed()
            case "silent":
                actions = script.silent()
            case "machine":
                actions = script.voicemail_suspected()
            case "end" | "cut":
                line = speaking.pop(0) if speaking else None
                asked |= event == "end" and line == BRIEFING.question
                actions = script.ended(interrupted=event == "cut") if line else []
            case ("hear", text):
                yes_after_question |= asked and classify(text) is ReplyIntent.READY
                actions = script.heard(text)
            case ("judge", verdict, behind):
                actions = script.reply_classified(script._ticket - behind, verdict)
            case (_, text, behind):
                actions = script.question_answered(script._ticket - behind, text)
        for action in actions:
            if isinstance(action, Say):
                speaking.append(action.text)
            if isinstance(action, Decide) and action.intent is ReplyIntent.READY:
                assert yes_after_question
        stagehand.do(actions)
    assert len(stagehand.decisions) <= 1


def test_what_is_still_to_be_told_is_not_for_a_callers_ears() -> None:
    room = Stagehand()
    room.do([*room.script.supervisor_connected(), *room.script.brief(BRIEFING)])
    room.end_line()
    room.do(room.script.caller_came())
    assert isinstance(room.done[-1], StopSpeaking)
    before = len(room.done)
    room.finish_speaking()
    room.hear("Yes, go ahead.")
    assert room.done[before:] == []
    assert room.script.caller_came() == []
