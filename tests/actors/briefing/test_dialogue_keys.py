"""Keys of the supervisor's phone: which count, when, and where the agent offers them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from warmxfer.actors.briefing.dialogue_actions import AcceptBy, DialogueState
from warmxfer.actors.briefing.reply.rules import ReplyIntent

from .dialogue_harness import BRIEFING, IDENTIFY, IDENTIFY_KEY, LINES, DialogueHarness, person_harness

WITH_KEYS = replace(BRIEFING, accept_by=AcceptBy.EITHER)


def asked_with_keys() -> DialogueHarness:
    """A dialogue in which the question and the keys were said."""
    harness = person_harness()
    harness.apply(harness.dialogue.briefing_received(WITH_KEYS))
    harness.finish_speaking()
    return harness


def silent_harness(accept_by: AcceptBy) -> DialogueHarness:
    """A dialogue with a line that hears the greeting and says nothing."""
    harness = DialogueHarness()
    harness.apply(harness.dialogue.supervisor_connected())
    harness.apply(harness.dialogue.briefing_received(replace(BRIEFING, accept_by=accept_by)))
    harness.finish_speaking()
    harness.apply(harness.dialogue.silence_elapsed())
    return harness


def test_the_keys_are_said_with_each_question() -> None:
    harness = asked_with_keys()
    assert harness.said == [*LINES[:-1], BRIEFING.keys, BRIEFING.question]
    harness.apply(harness.dialogue.silence_elapsed())
    harness.finish_speaking()
    assert harness.said[-2:] == [BRIEFING.keys, BRIEFING.question]


@pytest.mark.parametrize(
    ("accept_by", "said"),
    [
        (AcceptBy.EITHER, [IDENTIFY_KEY, IDENTIFY]),
        (AcceptBy.KEY, [IDENTIFY_KEY, IDENTIFY]),
        (AcceptBy.VOICE, [IDENTIFY]),
    ],
)
def test_a_line_that_is_asked_who_it_is_may_answer_by_key(accept_by: AcceptBy, said: list[str]) -> None:
    harness = silent_harness(accept_by)
    assert harness.said[1:] == said
    harness.finish_speaking()
    assert harness.dialogue.state is DialogueState.IDENTIFYING


def test_a_key_on_a_line_that_is_asked_who_it_is_finds_a_person_who_is_then_briefed() -> None:
    harness = silent_harness(AcceptBy.EITHER)
    harness.apply(harness.dialogue.key_pressed("1"))
    harness.finish_speaking()
    assert harness.decisions == []
    assert harness.said[-4:] == [*LINES[1:-1], BRIEFING.keys, BRIEFING.question]
    harness.apply(harness.dialogue.key_pressed("1"))
    assert [each.intent for each in harness.decisions] == [ReplyIntent.READY]


@pytest.mark.parametrize(("key", "intent"), [("1", ReplyIntent.READY), ("2", ReplyIntent.DECLINED)])
def test_a_key_decides_once(key: str, intent: ReplyIntent) -> None:
    harness = asked_with_keys()
    for each in (key, "2", "1", key):
        harness.apply(harness.dialogue.key_pressed(each))
    assert [each.intent for each in harness.decisions] == [intent]


@pytest.mark.parametrize("key", ["0", "4", "9", "*", "#", "", "11", "one"])
def test_another_key_changes_nothing(key: str) -> None:
    harness = asked_with_keys()
    before = list(harness.actions)
    harness.apply(harness.dialogue.key_pressed(key))
    assert harness.actions == before


def test_three_has_the_briefing_said_again() -> None:
    harness = asked_with_keys()
    harness.apply(harness.dialogue.key_pressed("3"))
    harness.finish_speaking()
    assert harness.said[-4:] == [*LINES[1:-1], BRIEFING.keys, BRIEFING.question]
    assert harness.decisions == []


@pytest.mark.parametrize("key", ["1", "2", "3"])
def test_a_key_before_the_first_line_was_fully_said_does_not_count(key: str) -> None:
    harness = person_harness()
    harness.apply(harness.dialogue.key_pressed(key))
    harness.apply(harness.dialogue.briefing_received(WITH_KEYS))
    harness.apply(harness.dialogue.key_pressed(key))
    harness.end_line(interrupted=True)
    harness.apply(harness.dialogue.key_pressed(key))
    assert harness.decisions == []
    harness.end_line()
    harness.apply(harness.dialogue.key_pressed("1"))
    assert [each.intent for each in harness.decisions] == [ReplyIntent.READY]


def test_without_keys_none_counts() -> None:
    harness = person_harness()
    harness.apply(harness.dialogue.briefing_received(BRIEFING))
    harness.finish_speaking()
    for key in "123":
        harness.apply(harness.dialogue.key_pressed(key))
    assert harness.decisions == []
