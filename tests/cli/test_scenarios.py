"""The demo's scenarios: the documented names, each with a valid request."""

from __future__ import annotations

import pytest

from warmxfer.cli.scenarios import BY_NAME, SCENARIOS
from warmxfer.sandbox.people.personas import SUPERVISORS
from warmxfer.schemas import Outcome, encode, read_request

NAMES = {
    "ready",
    "busy",
    "no_answer",
    "rejected",
    "voicemail",
    "declined",
    "hangs_up_ringing",
    "hangs_up_briefing",
    "hangs_up_after_yes",
    "answers_late",
    "silent",
    "presses_one",
    "presses_two",
    "key_before_the_greeting",
    "german_with_key",
    "call_screening",
    "foreign_mailbox",
    "long_mailbox_greeting",
    "speakerphone_echo",
    "hold_queue",
    "caller_leaves_on_hold",
    "caller_leaves_while_briefing",
    "cancelled",
}


def test_every_scenario_exists_once() -> None:
    assert set(BY_NAME) == NAMES
    assert len(SCENARIOS) == len(NAMES)


def test_every_request_is_valid() -> None:
    for scenario in SCENARIOS:
        request = read_request(encode(scenario.request("room-1")))
        assert request.config.destination.sip_call_to == scenario.supervisor
        assert scenario.expected


@pytest.mark.parametrize(
    ("name", "script", "outcome"),
    [
        ("presses_one", "presses_one", Outcome.COMPLETE),
        ("presses_two", "presses_two", Outcome.DECLINED),
        ("key_before_the_greeting", "presses_early", Outcome.DECLINED),
        ("german_with_key", "german_with_key", Outcome.COMPLETE),
        ("call_screening", "screened", Outcome.COMPLETE),
        ("foreign_mailbox", "foreign_mailbox", Outcome.VOICEMAIL),
        ("long_mailbox_greeting", "long_mailbox", Outcome.VOICEMAIL),
        ("speakerphone_echo", "echoes", Outcome.SUPERVISOR_DISCONNECTED),
        ("hold_queue", "held_in_queue", Outcome.COMPLETE),
    ],
)
def test_each_kind_of_line_is_played_and_has_one_outcome(name: str, script: str, outcome: Outcome) -> None:
    """`demo --all` plays these, and `tests/cli/test_demo.py` holds that each ends in its outcome."""
    scenario = BY_NAME[name]
    assert SUPERVISORS[scenario.supervisor].script == script
    assert scenario.expected == (outcome,)
