"""The dialogue, event by event: which replies count, and what the agent says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.actors.briefing.dialogue import LINES_AHEAD, MAX_REASKS, SILENT_MACHINE_ASKS
from warmxfer.actors.briefing.dialogue_actions import (
    Action,
    AnswerQuestion,
    Briefing,
    ClassifyReply,
    Decide,
    DialogueState,
    Say,
    StopSpeaking,
)
from warmxfer.actors.briefing.reply.rules import ReplyIntent, is_yes
from warmxfer.schemas import FALLBACK_SUMMARY

from .dialogue_harness import (
    BRIEFING,
    IDENTIFY,
    LINES,
    ONE_MOMENT,
    DialogueHarness,
    person_harness,
    speaking_harness,
)


@pytest.fixture
def asked() -> DialogueHarness:
    """A dialogue in which the question has ended."""
    harness = speaking_harness()
    harness.finish_speaking()
    assert harness.dialogue.state is DialogueState.LISTENING
    return harness


def test_greeting_summary_and_question_are_said_in_this_order(asked: DialogueHarness) -> None:
    assert asked.said == LINES


def test_lines_are_given_to_the_room_a_few_at_a_time() -> None:
    harness = speaking_harness()
    assert harness.said == LINES[:LINES_AHEAD]
    harness.end_line()
    assert harness.said == LINES[: LINES_AHEAD + 1]


def test_a_briefing_that_arrives_first_waits_for_the_supervisor() -> None:
    harness = DialogueHarness()
    harness.apply(harness.dialogue.briefing_received(BRIEFING))
    assert harness.actions == []
    harness.apply(harness.dialogue.supervisor_connected())
    assert harness.said == LINES[:1]
    harness.supervisor_says("Hello?")
    assert harness.said == LINES[:LINES_AHEAD]


def test_a_yes_after_the_question_is_ready_and_published_before_the_connecting_line(
    asked: DialogueHarness,
) -> None:
    asked.supervisor_says("Yes, go ahead.")
    assert asked.actions[-2:] == [
        Decide(ReplyIntent.READY, words="Yes, go ahead."),
        Say("Connecting the caller now."),
    ]


@pytest.mark.parametrize("lines_ended", range(4))
def test_a_yes_before_the_question_ended_does_not_count(lines_ended: int) -> None:
    harness = speaking_harness()
    for _ in range(lines_ended):
        harness.end_line()
    harness.supervisor_says("Yes, I'm ready.")
    harness.finish_speaking()
    assert harness.decisions == []
    assert harness.dialogue.state is DialogueState.LISTENING
    harness.supervisor_says("Yes.")
    assert harness.decisions == [Decide(ReplyIntent.READY)]


@pytest.mark.parametrize("lines_ended", range(4))
@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("No, I can't take this call.", ReplyIntent.DECLINED),
        ("Please leave a message after the beep.", ReplyIntent.VOICEMAIL),
    ],
)
def test_a_refusal_or_voicemail_counts_while_the_agent_speaks(
    lines_ended: int, text: str, intent: ReplyIntent
) -> None:
    harness = speaking_harness()
    for _ in range(lines_ended):
        harness.end_line()
    before = len(harness.actions)
    harness.supervisor_says(text)
    after = [action for action in harness.actions[before:] if not isinstance(action, Say)]
    assert after[0] == StopSpeaking()
    assert harness.decisions == [Decide(intent, text)]
    said_before = harness.said
    harness.finish_speaking()
    assert harness.said == said_before


def test_a_refusal_before_the_greeting_does_not_count() -> None:
    harness = DialogueHarness()
    harness.apply(harness.dialogue.supervisor_connected())
    harness.supervisor_says("No, not you, hang on.")
    assert harness.decisions == []


def test_voicemail_counts_before_the_briefing_arrives() -> None:
    harness = DialogueHarness()
    harness.apply(harness.dialogue.supervisor_connected())
    harness.supervisor_says("You have reached the voicemail of Dana.")
    assert [decision.intent for decision in harness.decisions] == [ReplyIntent.VOICEMAIL]
    harness.apply(harness.dialogue.briefing_received(BRIEFING))
    assert harness.said == []


def test_unclear_replies_are_asked_again_up_to_the_limit(asked: DialogueHarness) -> None:
    for _ in range(MAX_REASKS + 2):
        asked.supervisor_says("Hmm.")
        asked.finish_speaking()
    assert asked.said[len(LINES) :] == [BRIEFING.question] * MAX_REASKS
    assert asked.dialogue.state is DialogueState.LISTENING
    asked.supervisor_says("Yes.")
    assert asked.decisions == [Decide(ReplyIntent.READY)]


def test_silence_is_asked_again_up_to_the_limit(asked: DialogueHarness) -> None:
    for _ in range(MAX_REASKS + 2):
        asked.apply(asked.dialogue.silence_elapsed())
        asked.finish_speaking()
    assert asked.said[len(LINES) :] == [BRIEFING.question] * MAX_REASKS
    assert asked.decisions == []


def test_a_question_is_answered_and_the_agent_asks_again(asked: DialogueHarness) -> None:
    asked.supervisor_says("Who is the caller?")
    assert asked.actions[-1] == AnswerQuestion("Who is the caller?", BRIEFING.summary, 3)
    asked.answer("Ann is.")
    asked.finish_speaking()
    assert asked.said[len(LINES) :] == ["Ann is.", BRIEFING.question]
    asked.supervisor_says("Yes.")
    assert asked.decisions == [Decide(ReplyIntent.READY)]


def test_a_question_during_the_briefing_is_answered_before_the_agent_asks() -> None:
    harness = speaking_harness()
    harness.supervisor_says("Who is it?")
    harness.finish_speaking()
    harness.supervisor_says("Yes.")
    assert harness.decisions == []
    assert harness.actions[-1] == AnswerQuestion("Who is it?", BRIEFING.summary, 2)
    harness.answer("Ann is.")
    harness.finish_speaking()
    assert harness.said == [*LINES[:-1], "Ann is.", BRIEFING.question]
    assert harness.dialogue.state is DialogueState.LISTENING


def test_an_utterance_before_the_classification_is_part_of_the_reply(asked: DialogueHarness) -> None:
    asked.apply(asked.dialogue.utterance_heard("Yes."))
    first = asked.actions[-1]
    assert isinstance(first, ClassifyReply)
    asked.apply(asked.dialogue.utterance_heard("Actually hold on."))
    assert asked.actions[-1] == ClassifyReply("Yes.. Actually hold on.", first.request_id + 1)
    asked.apply(asked.dialogue.reply_classified(first.request_id, ReplyIntent.READY))
    assert asked.decisions == []
    asked.apply(asked.dialogue.reply_classified(first.request_id + 1, ReplyIntent.READY))
    assert asked.decisions == []


def test_interrupted_lines_are_said_again() -> None:
    harness = speaking_harness()
    harness.end_line(interrupted=True)
    harness.end_line(interrupted=True)
    harness.finish_speaking()
    assert harness.said == LINES[:2] + LINES
    assert harness.dialogue.state is DialogueState.LISTENING


def test_a_question_that_was_always_interrupted_was_not_asked() -> None:
    harness = speaking_harness()
    for _ in range(3):
        harness.end_line()
    for _ in range(20):
        if harness.speaking:
            harness.end_line(interrupted=True)
    harness.supervisor_says("Yes.")
    assert harness.decisions == []


def test_a_question_that_was_always_interrupted_is_asked_again_after_a_silence() -> None:
    """Before, nothing left this state but a key, a refusal or the end of the briefing."""
    harness = speaking_harness()
    for _ in range(3):
        harness.end_line()
    while harness.speaking:
        harness.end_line(interrupted=True)
    harness.apply(harness.dialogue.silence_elapsed())
    harness.finish_speaking()
    harness.supervisor_says("Yes.")
    assert [each.intent for each in harness.decisions] == [ReplyIntent.READY]


def test_a_yes_to_the_question_counts_although_its_repeat_was_always_interrupted(
    asked: DialogueHarness,
) -> None:
    asked.apply(asked.dialogue.silence_elapsed())
    while asked.speaking:
        asked.end_line(interrupted=True)
    asked.supervisor_says("Yes.")
    assert [each.intent for each in asked.decisions] == [ReplyIntent.READY]


def test_the_person_after_a_hold_is_asked_before_a_yes_counts(asked: DialogueHarness) -> None:
    """The person before the hold was asked. Their question is not that of the next one."""
    asked.apply(asked.dialogue.silence_elapsed())
    asked.supervisor_says("Please hold the line.")
    asked.supervisor_says("Hello, this is Dana.")
    asked.end_line()
    asked.apply(asked.dialogue.utterance_heard("What is the order number?"))
    while not isinstance(asked.actions[-1], AnswerQuestion):
        asked.end_line()
    asked.supervisor_says("Yes.")
    assert asked.decisions == []


def test_a_machine_is_suspected_after_a_hold_although_a_person_was_asked_before(
    asked: DialogueHarness,
) -> None:
    asked.apply(asked.dialogue.silence_elapsed())
    asked.supervisor_says("Please hold the line.")
    asked.apply(asked.dialogue.machine_suspected())
    assert asked.said[-1] == IDENTIFY


def test_the_one_moment_line_is_said_once() -> None:
    harness = DialogueHarness()
    harness.apply(harness.dialogue.one_moment_due())
    assert harness.actions == []
    harness.apply(harness.dialogue.supervisor_connected())
    harness.supervisor_says("Hello?")
    harness.actions.clear()
    assert harness.dialogue.supervisor_waiting
    harness.apply(harness.dialogue.one_moment_due())
    harness.apply(harness.dialogue.one_moment_due())
    harness.apply(harness.dialogue.briefing_received(BRIEFING))
    harness.apply(harness.dialogue.one_moment_due())
    harness.finish_speaking()
    assert harness.said == [ONE_MOMENT, *LINES]


def test_a_newer_briefing_restarts_the_dialogue() -> None:
    harness = speaking_harness()
    harness.end_line()
    harness.apply(
        harness.dialogue.briefing_received(Briefing("New.", "Hi again.", "Ready?", "Now.", "Fine."))
    )
    assert StopSpeaking() in harness.actions
    harness.finish_speaking()
    assert harness.said[-3:] == ["Hi again.", "New.", "Ready?"]
    assert harness.dialogue.state is DialogueState.LISTENING


def test_a_refusal_is_published_before_the_understood_line(asked: DialogueHarness) -> None:
    asked.supervisor_says("No, I can't.")
    assert asked.actions[-2:] == [
        Decide(ReplyIntent.DECLINED, "No, I can't.", words="No, I can't."),
        Say("All right."),
    ]


def test_the_first_decision_is_the_only_one(asked: DialogueHarness) -> None:
    asked.supervisor_says("Yes.")
    asked.supervisor_says("No, I can't.")
    asked.apply(asked.dialogue.briefing_received(BRIEFING))
    asked.finish_speaking()
    assert asked.decisions == [Decide(ReplyIntent.READY)]


def test_an_empty_summary_becomes_the_fallback_line() -> None:
    harness = person_harness()
    harness.apply(harness.dialogue.briefing_received(Briefing(" \n", "Hi.", "Ready?", "Now.", "Fine.")))
    harness.finish_speaking()
    assert harness.said == ["Hi.", FALLBACK_SUMMARY, "Ready?"]


def test_the_machine_detector_makes_the_agent_ask_who_it_is_until_the_question_was_asked() -> None:
    early, late = speaking_harness(), speaking_harness()
    early.end_line()
    early.apply(early.dialogue.machine_suspected())
    assert early.said[-1] == IDENTIFY
    assert early.decisions == []
    early.finish_speaking()
    early.supervisor_says("Yes, I am here.")
    early.finish_speaking()
    assert early.said[-3:] == LINES[1:]
    late.finish_speaking()
    assert late.dialogue.machine_suspected() == []
    late.supervisor_says("Yes.")
    assert late.decisions == [Decide(ReplyIntent.READY)]


def taken_for_a_machine(asked: DialogueHarness, words: str) -> None:
    """Let the supervisor say `words`, which the model alone takes for those of a machine."""
    asked.apply(asked.dialogue.utterance_heard(words, asked.now + 10.0))
    request = asked.actions[-1]
    assert isinstance(request, ClassifyReply)
    asked.apply(
        asked.dialogue.reply_classified(request.request_id, ReplyIntent.UNCLEAR, machine_suspected=True)
    )
    asked.finish_speaking()


def test_a_person_whom_the_model_takes_for_a_machine_is_asked_and_briefed_again(
    asked: DialogueHarness,
) -> None:
    for words in ("Jättebra, jag är redo.", "Jag är redo."):
        taken_for_a_machine(asked, words)
    assert asked.decisions == []
    assert asked.said[-1] == IDENTIFY
    asked.supervisor_says("Yes.")
    asked.finish_speaking()
    assert asked.said[-3:] == LINES[1:]
    asked.supervisor_says("Yes.")
    assert [each.intent for each in asked.decisions] == [ReplyIntent.READY]


def test_a_line_that_the_model_takes_for_a_machine_and_that_stays_silent_is_one(
    asked: DialogueHarness,
) -> None:
    for words in ("Tryck ett.", "Tryck två."):
        taken_for_a_machine(asked, words)
    for _ in range(SILENT_MACHINE_ASKS):
        asked.apply(asked.dialogue.silence_elapsed())
        asked.finish_speaking()
    assert [each.intent for each in asked.decisions] == [ReplyIntent.VOICEMAIL]


def test_a_suspected_machine_that_stays_silent_is_one() -> None:
    harness = DialogueHarness()
    harness.apply(harness.dialogue.supervisor_connected())
    harness.apply(harness.dialogue.briefing_received(BRIEFING))
    harness.apply(harness.dialogue.machine_suspected())
    for _ in range(3):
        harness.finish_speaking()
        harness.apply(harness.dialogue.silence_elapsed())
    assert harness.said == [LINES[0], IDENTIFY, IDENTIFY]
    assert harness.decisions == [Decide(ReplyIntent.VOICEMAIL)]


EVENTS = st.one_of(
    st.sampled_from(["connected", "brief", "one_moment", "silence", "voicemail", "end", "interrupt"]),
    st.tuples(
        st.just("say"),
        st.sampled_from(["Yes.", "Hello?", "Who is it?", "Hold on.", "Go ahead.", "Hmm"]),
    ),
    st.tuples(st.just("classify"), st.sampled_from(list(ReplyIntent)), st.integers(0, 1)),
    st.tuples(st.just("first"), st.sampled_from(list(ReplyIntent)), st.integers(0, 1)),
    st.tuples(st.just("answer"), st.sampled_from(["Ann.", "Yes, I'm ready.", ""]), st.integers(0, 1)),
)


@given(st.lists(EVENTS, max_size=60))
def test_no_order_of_events_makes_a_ready_without_a_yes_after_the_question(events: list) -> None:
    harness = DialogueHarness()
    dialogue = harness.dialogue
    speaking: list[str] = []
    question_asked = False
    yes_after_question = False
    for event in events:
        actions: list[Action] = []
        match event:
            case "connected":
                actions = dialogue.supervisor_connected()
            case "brief":
                actions = dialogue.briefing_received(BRIEFING)
            case "one_moment":
                actions = dialogue.one_moment_due()
            case "silence":
                actions = dialogue.silence_elapsed()
            case "voicemail":
                actions = dialogue.machine_suspected()
            case "end" | "interrupt":
                line = speaking.pop(0) if speaking else None
                question_asked |= event == "end" and line == BRIEFING.question
                actions = dialogue.speech_ended(interrupted=event == "interrupt") if line else []
            case ("say", text):
                yes_after_question |= question_asked and is_yes(text)
                actions = dialogue.utterance_heard(text)
                if dialogue.state is DialogueState.IDENTIFYING:  # the person who speaks next was not asked
                    question_asked = yes_after_question = False
            case ("classify", intent, age):
                actions = dialogue.reply_classified(dialogue._request_id - age, intent)
            case ("first", intent, age):
                actions = dialogue.first_words_classified(dialogue._request_id - age, intent)
            case (_, text, age):
                actions = dialogue.question_answered(dialogue._request_id - age, text)
        for action in actions:
            if isinstance(action, Say):
                speaking.append(action.text)
            if isinstance(action, Decide) and action.intent is ReplyIntent.READY:
                assert yes_after_question
        harness.apply(actions)
    assert len(harness.decisions) <= 1


def test_the_agent_stops_speaking_when_the_caller_joins() -> None:
    harness = speaking_harness()
    harness.end_line()
    harness.apply(harness.dialogue.caller_joined())
    assert isinstance(harness.actions[-1], StopSpeaking)
    before = len(harness.actions)
    harness.finish_speaking()
    harness.supervisor_says("Yes, go ahead.")
    assert harness.actions[before:] == []
    assert harness.dialogue.caller_joined() == []
