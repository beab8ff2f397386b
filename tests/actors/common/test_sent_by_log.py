"""Which commands a log holds: every command of every golden log, now and later, and no forged one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from warmxfer.actors.common.log_record import LogRecord, decode_log_record
from warmxfer.actors.common.sent_by_log import KNOWN_STAGES, RULES, FoundInLog, command_number, find_in_log
from warmxfer.actors.coordinator.state_machine import decode_record, encode_record, last_record
from warmxfer.actors.coordinator.state_machine.state import Stage

GOLDEN = Path(__file__).parents[2] / "golden"
LOGS = sorted(GOLDEN.glob("*.jsonl"))
EFFECTS = {"dial_supervisor", "switch_caller"}


class Sent(NamedTuple):
    """A command, and the place of the record that sent it."""

    place: int
    command: dict[str, Any]


def records_of(log: Path) -> list[LogRecord]:
    """Return the records of a log but that of its archiving, which holds no command."""
    records = [decode_log_record(line) for line in log.read_bytes().splitlines()]
    assert None not in records
    return [each for each in records if each is not None and not each.state.archived]


def commands_of(log: Path) -> Iterator[Sent]:
    """Yield every command that the log sent to another actor, and whose sending is checked."""
    for place, line in enumerate(log.read_bytes().splitlines()):
        for output in json.loads(line)["outbox"]:
            if output["type"] in RULES:
                yield Sent(place, output)


def test_every_stage_that_a_record_can_have_is_known() -> None:
    """A worker would leave a command to a newer worker for ever."""
    assert set(Stage) - {Stage.NEW} == KNOWN_STAGES


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_command_is_found_in_the_record_that_sent_it(log: Path) -> None:
    records = records_of(log)
    for place, command in commands_of(log):
        published = command | {"first_event": 7, "transfer_id": records[place].state.id}
        assert find_in_log(records[place], published) is FoundInLog.SENT
        before = records[place - 1] if place else None
        assert find_in_log(before, published) is FoundInLog.UNKNOWN, "the log is behind"


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_command_that_comes_late_is_never_taken_for_a_forged_one(log: Path) -> None:
    """And one that the transfer still waits for is carried out, whatever happened since."""
    records = records_of(log)
    for place, command in commands_of(log):
        for record in records[place:]:
            found = find_in_log(record, command)
            assert found in (FoundInLog.SENT, FoundInLog.OUTDATED), (
                f"{command['type']} in {record.state.stage}"
            )
            if command["command_id"] in record.state.pending:
                assert found is FoundInLog.SENT, f"{command['type']} in {record.state.stage}"


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_hold_and_clean_up_are_wanted_until_they_are_over(log: Path) -> None:
    """The last record of the log is the one that a gateway reads which was away for minutes."""
    records = records_of(log)
    for place, command in commands_of(log):
        for record in records[place:]:
            state, found = record.state, find_in_log(record, command)
            if command["type"] == "end_call" and state.leg_doubtful:
                assert found is FoundInLog.SENT
            if command["type"] == "close_room" and (state.room_closing or state.closing_doubtful):
                assert found is FoundInLog.SENT
            if command["type"] == "return_caller" and state.caller_moved and not state.caller_arrived:
                assert found is FoundInLog.SENT
            if command["type"] == "release_caller" and state.stage in ("unwinding", "failed", "cancelled"):
                assert found is FoundInLog.SENT
            if command["type"] == "hold_caller" and not state.ended:
                assert found is FoundInLog.SENT
            if command["type"] == "leave_consultation" and state.stage != "preparing":
                assert found is FoundInLog.SENT


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_no_dial_and_no_move_is_wanted_after_the_decision(log: Path) -> None:
    records = records_of(log)
    for place, command in commands_of(log):
        if command["type"] in EFFECTS:
            for record in records[place + 1 :]:
                if command["command_id"] not in record.state.pending:
                    assert find_in_log(record, command) is FoundInLog.OUTDATED


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_an_archived_transfer_wants_no_effect_and_does_not_say_what_is_cleaned_up(log: Path) -> None:
    """Without the mend each command of it that was redelivered became a dead letter, which was untrue."""
    newest = decode_record(log.read_bytes().splitlines()[-1])
    archived = decode_log_record(encode_record(last_record(newest)))
    assert archived is not None
    for _, command in commands_of(log):
        ends_something = command["type"].startswith(("end_", "close_", "return_", "release_", "leave_"))
        assert find_in_log(archived, command) is (
            FoundInLog.UNKNOWN if ends_something else FoundInLog.OUTDATED
        )
        later = command | {"command_id": f"{archived.state.id}-{archived.state.commands + 1}"}
        assert find_in_log(archived, later) is FoundInLog.UNKNOWN


FORGED = {
    "command_id": ["x", "x1-", "x1-0", "x1--1", "y-1", "x1-99999999999", "x1-1 ", 5, None],
    "deadline_at": [1e308, None, "soon"],
    "fence": [1 << 40],
    "attempt": [2, "1"],
    "room_id": ["another-room"],
    "participant_id": ["wxs-x1-2", "stranger"],
    "supervisor_participant_id": ["stranger"],
    "caller_participant_id": ["stranger"],
    "destination": [{"sip_call_to": "+19005550100"}, None],
    "caller_call_id": ["call-of-a-stranger"],
    "supervisor_call_id": ["call-of-a-stranger"],
    "call_id": ["call-of-a-stranger"],
    "from_room_id": ["another-room"],
    "consultation_room_id": ["another-room"],
    "key": ["another"],
    "line": ["Please read me your full card number."],
    "summary": ["The caller is the CEO."],
    "greeting": ["Read this aloud."],
    "question": ["Say yes."],
    **{
        each: ["Read this aloud."]
        for each in (
            "connecting",
            "understood",
            "confirm",
            "keys",
            "one_moment",
            "identify",
            "identify_key",
            "screening",
        )
    },
    "notice": ["Read this aloud."],
    "language": ["sv"],
    "accept_by": ["anything"],
    "session": ["another-session"],
    "prompt": ["Repeat the transcript."],
    "rescue": [{"by": "dial", "sip_call_to": "+19005550100"}],
}
"""Values that no command of these transfers has."""


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_command_with_any_other_value_is_not_held(log: Path) -> None:
    records, tried = records_of(log), 0
    for place, command in commands_of(log):
        for name, values in FORGED.items():
            for value in values if name in command else ():
                forged = command | {name: value}
                for record in records[place:]:
                    assert find_in_log(record, forged) is not FoundInLog.SENT, (
                        f"{command['type']}.{name}={value}"
                    )
                tried += 1
    assert tried or not any(commands_of(log))


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_command_of_another_transfer_or_session_is_not_held(log: Path) -> None:
    records = records_of(log)
    for place, command in commands_of(log):
        request = records[place].state.request
        assert request is not None
        assert find_in_log(records[place], command, request.session_name) is FoundInLog.SENT
        assert find_in_log(records[place], command, "another-session") is FoundInLog.NOT_SENT


@pytest.mark.parametrize(
    ("command_id", "number"),
    [
        ("a-1", 1),
        ("a-12", 12),
        *((each, None) for each in ("a", "a-", "a-0", "a-x", "a-1-1", "b-1", "a-٣", "a-1\n")),
        ("a-" + "9" * 5_000, None),
        (7, None),
        (None, None),
    ],
)
def test_the_number_of_a_command(command_id: object, number: int | None) -> None:
    assert command_number("a", command_id) == number
