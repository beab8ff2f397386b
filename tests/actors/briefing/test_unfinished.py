"""A yes that may go on needs a second one, and a yes beside a stranger counts for the question before."""

from __future__ import annotations

import pytest

from warmxfer.actors.briefing.dialogue_actions import ClassifyReply
from warmxfer.actors.briefing.reply.rules import ReplyIntent

from .dialogue_harness import BRIEFING, DialogueHarness, speaking_harness


@pytest.fixture
def asked() -> DialogueHarness:
    """A dialogue whose question was asked."""
    harness = speaking_harness()
    harness.finish_speaking()
    harness.actions.clear()
    return harness


def says(harness: DialogueHarness, text: str, *, unfinished: bool, classified: bool = True) -> None:
    """Pass an utterance to the dialogue, and classify it as a yes."""
    harness.now += 10.0
    harness.apply(harness.dialogue.utterance_heard(text, harness.now, unfinished=unfinished))
    asking = harness.actions[-1]
    assert isinstance(asking, ClassifyReply)
    if classified:
        harness.apply(harness.dialogue.reply_classified(asking.request_id, ReplyIntent.READY))


def test_an_unfinished_yes_is_asked_again_and_the_second_one_decides(asked: DialogueHarness) -> None:
    """Before, a stalled hypothesis of "yes, but not now" moved the caller."""
    says(asked, "Yes.", unfinished=True)
    assert asked.decisions == []
    assert asked.said == [BRIEFING.confirm]
    asked.finish_speaking()
    says(asked, "Yes.", unfinished=True)
    assert [each.intent for each in asked.decisions] == [ReplyIntent.READY]


def test_an_unfinished_part_makes_the_whole_reply_unfinished(asked: DialogueHarness) -> None:
    says(asked, "Yes.", unfinished=True, classified=False)
    says(asked, "Yes.", unfinished=False)
    assert asked.decisions == []


def test_a_finished_yes_decides(asked: DialogueHarness) -> None:
    says(asked, "Yes.", unfinished=False)
    assert [each.intent for each in asked.decisions] == [ReplyIntent.READY]


def test_an_unfinished_no_is_a_no(asked: DialogueHarness) -> None:
    asked.apply(asked.dialogue.utterance_heard("No, not now.", unfinished=True))
    assert [each.intent for each in asked.decisions] == [ReplyIntent.DECLINED]


def test_beside_a_stranger_the_question_waits_and_a_yes_counts(asked: DialogueHarness) -> None:
    """Before, the agent waited for its own question, which it could not ask, and dropped the yes."""
    asked.apply(asked.dialogue.stranger_joined("wxc-other"))
    asked.apply(asked.dialogue.silence_elapsed())
    assert asked.said == []
    assert asked.dialogue.listening
    asked.supervisor_says("Yes, put them through.")
    assert [each.intent for each in asked.decisions] == [ReplyIntent.READY]
