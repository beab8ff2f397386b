"""Upgrades during a transfer: this version replays every stored log like the version that wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from warmxfer.actors.coordinator.state_machine import Applied, Transfer, record_decoder, step
from warmxfer.cli.scenarios import SCENARIOS
from warmxfer.schemas import encode

from .record import logs, path_of, read, ways

LOGS = [pytest.param(path, id=path.stem) for path in logs()]
MIN_WAYS = 60
"""Minimum number of different transitions in the stored logs, so that no log is lost."""


@pytest.mark.parametrize("scenario", [each.name for each in SCENARIOS])
def test_every_scenario_of_the_demo_has_its_log(scenario: str) -> None:
    assert path_of(scenario).exists(), "python -m tests.golden.record"


@pytest.mark.parametrize("path", LOGS)
def test_a_caller_whose_transfer_an_older_version_began_is_served_the_same(path: Path) -> None:
    """Each recorded event leads from the recorded state to the same next state and the same messages.

    A message may have new fields, because every reader ignores fields that it does not know.
    """
    state: Transfer | None = None
    for record, line in zip(read(path), path.read_bytes().splitlines(), strict=True):
        moved = step(state, record.event, record.at)
        assert isinstance(moved, Applied), f"record {record.state.seq}: {moved.why}"
        assert moved.state == record.state
        sent: list[dict[str, Any]] = [json.loads(encode(each)) for each in moved.outbox]
        was_sent: list[dict[str, Any]] = json.loads(line)["outbox"]
        assert len(sent) == len(was_sent)
        for now, before in zip(sent, was_sent, strict=True):
            assert {name: now.get(name) for name in before} == before
        state = record.state
    assert state is not None
    assert state.stage.ended


def test_what_goes_wrong_is_kept_too() -> None:
    assert len(set().union(*(ways(read(path)) for path in logs()))) >= MIN_WAYS


def test_a_state_that_knows_less_is_still_read() -> None:
    """Every field added to the state has a default, because older versions did not write it."""
    fields = msgspec.structs.fields(Transfer)
    assert {each.name for each in fields if each.required} == {"id", "stage", "started_at"}


@pytest.mark.parametrize("path", LOGS)
def test_a_state_without_what_it_says_nothing_by_is_the_same_state(path: Path) -> None:
    defaults = json.loads(msgspec.json.encode(Transfer(id="", stage="new", started_at=0.0)))  # type: ignore[arg-type]
    for line in path.read_bytes().splitlines():
        written: dict[str, Any] = json.loads(line)
        state: dict[str, Any] = written["state"]
        told = {name: value for name, value in state.items() if value != defaults.get(name, written)}
        less = record_decoder.decode(json.dumps({**written, "state": told}).encode())
        assert less == record_decoder.decode(line)


@pytest.mark.parametrize("path", LOGS)
def test_what_a_newer_version_added_is_passed_over(path: Path) -> None:
    """A downgrade reads records of a newer version."""
    for line in path.read_bytes().splitlines():
        written: dict[str, Any] = json.loads(line)
        for each in (written, written["state"], written["event"], *written["outbox"]):
            each["a_field_of_tomorrow"] = {"more": 1}
        assert record_decoder.decode(json.dumps(written).encode()) == record_decoder.decode(line)
