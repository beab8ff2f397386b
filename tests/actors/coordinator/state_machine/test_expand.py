"""The transitions of a record that applied several events are those that single records would have."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.golden.record import log_path, log_paths, read_log
from tests.testkit.folded_log import folded, joined, replayed
from warmxfer.actors.coordinator.state_machine import (
    ALSO_MAX,
    Record,
    SetTimer,
    UnknownMessage,
    decode_record,
    encode_record,
    expand,
    expand_log,
    obstacle,
)

LOGS = [pytest.param(path, id=path.stem) for path in log_paths()]


def ready() -> list[Record]:
    return replayed(read_log(log_path("ready")))


def without_timers(record: Record) -> Record:
    return replace(record, newest_at=0.0, outbox=[x for x in record.outbox if not isinstance(x, SetTimer)])


@pytest.mark.parametrize("size", [1, 2, 3, ALSO_MAX + 1])
@pytest.mark.parametrize("path", LOGS)
def test_a_folded_log_has_the_transitions_of_the_log(path: Path, size: int) -> None:
    log = replayed(read_log(path))
    short = folded(log, size)
    assert len(short) == 1 + -(-(len(log) - 1) // size)
    found = [*expand_log(short)]
    assert [without_timers(each) for each in found] == [without_timers(each) for each in log]
    stored = [output for record in short for output in record.outbox]
    assert [output for record in found for output in record.outbox] == stored


@pytest.mark.parametrize("path", LOGS)
def test_a_folded_record_sets_the_timer_of_its_last_state(path: Path) -> None:
    log = replayed(read_log(path))
    for first, second in pairwise(log):
        timers = [each for each in joined([first, second]).outbox if isinstance(each, SetTimer)]
        set_by_both = [each for x in (first, second) for each in x.outbox if isinstance(each, SetTimer)]
        due_at = second.state.timer_due_at
        expected = set_by_both[-1:] if set_by_both and set_by_both[-1].due_at == due_at else []
        assert timers == expected


@pytest.mark.parametrize("size", [2, 3])
def test_a_folded_record_is_stored_and_read(size: int) -> None:
    for record in folded(ready(), size):
        assert decode_record(encode_record(record)) == record


def test_a_record_of_one_event_is_written_as_before() -> None:
    assert b'"also"' not in encode_record(ready()[3])
    assert expand(None, ready()[3]) == [ready()[3]]


def test_an_event_of_a_newer_version_hides_no_other() -> None:
    log = ready()
    written = msgspec.json.decode(encode_record(joined(log[1:4])))
    written["also"][0]["event"] = {"type": "moon_phase_changed", "phase": "full"}
    record = decode_record(msgspec.json.encode(written))
    assert obstacle(record) is None
    assert record.triggers == [(each.at, each.trigger) for each in log[1:4]]
    found = expand(log[0].state, record)
    assert [each.event for each in found] == [
        log[1].event,
        UnknownMessage(kind="moon_phase_changed"),
        log[3].event,
    ]
    assert [each.state for each in found] == [log[3].state] * 3
    assert [len(each.outbox) for each in found] == [0, 0, len(record.outbox)]


def test_a_record_that_another_version_decided_keeps_its_state_and_its_messages() -> None:
    log = ready()
    record = joined(log[1:3])
    other = replace(record, state=replace(record.state, phases=record.state.phases + 1))
    found = expand(log[0].state, other)
    assert [each.state for each in found] == [other.state] * 2
    assert [each.outbox for each in found] == [[], other.outbox]
    assert [each.event for each in found] == [log[1].event, log[2].event]
    assert [each.event for each in expand(None, record)] == [log[1].event, log[2].event]
