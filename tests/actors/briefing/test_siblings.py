"""Siblings of reported sentences, in many languages: no model, and a model that agrees to everything.

Invariants: only a yes moves a caller. The briefing agent ends no person's call, and tells a machine nothing.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from warmxfer.actors.briefing.trial import NextStep

from .agreeing_model import AGREEING, RULES, first_words, reply

SIBLINGS: dict[str, list[str]] = tomllib.loads(
    (Path(__file__).parent / "corpus" / "siblings.toml").read_text(encoding="utf-8")
)


def each_of(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("words", SIBLINGS[kind])


def test_the_corpus_is_large() -> None:
    assert sum(map(len, SIBLINGS.values())) >= 900


@each_of("never_a_yes")
async def test_a_model_cannot_make_a_no_a_yes(words: str) -> None:
    assert (await reply(words, classifier=RULES)).action is not NextStep.MOVE
    assert (await reply(words)).action not in (NextStep.MOVE, NextStep.CONFIRM)


@each_of("no_yes_by_rules")
async def test_a_models_yes_is_asked_back(words: str) -> None:
    assert (await reply(words, classifier=RULES)).action is not NextStep.MOVE
    assert (await reply(words)).action is not NextStep.MOVE


@each_of("yes")
async def test_a_plain_yes_moves_the_caller_with_and_without_a_model(words: str) -> None:
    assert (await reply(words, classifier=RULES)).action is NextStep.MOVE
    assert (await reply(words)).action is NextStep.MOVE


@each_of("late_yes")
async def test_a_yes_in_other_words_costs_a_question_and_is_not_lost(words: str) -> None:
    assert (await reply(words, classifier=RULES)).action in (NextStep.ASK_AGAIN, NextStep.WAIT)


@each_of("reluctant")
async def test_a_reluctant_yes_is_never_taken_for_a_refusal(words: str) -> None:
    for classifier in (RULES, AGREEING):
        assert (await reply(words, classifier=classifier)).action not in (NextStep.DECLINE, NextStep.END)


@each_of("refusals")
async def test_a_plain_refusal_is_declined_at_once(words: str) -> None:
    assert (await reply(words, classifier=RULES)).action is NextStep.DECLINE


@each_of("people")
async def test_a_person_is_never_hung_up_on(words: str) -> None:
    for classifier in (RULES, AGREEING):
        assert (await first_words(words, classifier)).action is not NextStep.END
        assert (await reply(words, classifier=classifier)).action is not NextStep.END


@each_of("machines")
async def test_a_machine_is_told_nothing(words: str) -> None:
    for classifier in (RULES, AGREEING):
        assert (await first_words(words, classifier)).action is not NextStep.BRIEF


@each_of("greetings")
async def test_a_person_who_greets_is_briefed(words: str) -> None:
    assert (await first_words(words, RULES)).action is NextStep.BRIEF


@pytest.mark.parametrize("words", [*SIBLINGS["screening"], *SIBLINGS["queues"]])
async def test_a_screening_robot_and_a_queue_are_waited_for(words: str) -> None:
    for classifier in (RULES, AGREEING):
        assert (await first_words(words, classifier)).action is NextStep.WAIT
