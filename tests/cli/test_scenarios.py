"""The demo's scenarios: the documented names, each with a valid request."""

from __future__ import annotations

from warmxfer.cli.scenarios import BY_NAME, SCENARIOS
from warmxfer.schemas import encode, read_request

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
