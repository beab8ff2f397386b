"""An upgrade in mid-transfer: every log ever kept means to this version what it meant to its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from warmxfer.actors.coordinator.state_machine import Applied, Transfer, decode_record, step
from warmxfer.actors.coordinator.state_machine.record import StoredTransfer
from warmxfer.cli.scenarios import SCENARIOS
from warmxfer.schemas import encode

from .record import logs, path_of, read, ways

LOGS = [pytest.param(path, id=path.stem) for path in logs()]
MIN_WAYS = 60
"""How many different ways from stage to stage are kept, so that none is lost by the way."""


@pytest.mark.parametrize("scenario", [each.name for each in SCENARIOS])
def test_every_scenario_of_the_demo_has_its_log(scenario: str) -> None:
    assert path_of(scenario).exists(), "python -m tests.golden.record"


@pytest.mark.parametrize("path", LOGS)
def test_a_caller_whose_transfer_an_older_version_began_is_served_the_same(path: Path) -> None:
    """Each decision, from what the older version had written, leads to the same state and sends the same.

    What is sent may say more than it did: whoever reads it passes over what they do not know.
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
    """All that was ever added to a state has a default: an older version wrote none of it."""
    fields = msgspec.structs.fields(StoredTransfer)
    assert {each.name for each in fields if each.required} == {"id", "stage", "started_at"}


@pytest.mark.parametrize("path", LOGS)
def test_a_state_without_what_it_says_nothing_by_is_the_same_state(path: Path) -> None:
    defaults = json.loads(msgspec.json.encode(StoredTransfer(id="", stage="new", started_at=0.0)))  # type: ignore[arg-type]
    for line in path.read_bytes().splitlines():
        written: dict[str, Any] = json.loads(line)
        state: dict[str, Any] = written["state"]
        told = {name: value for name, value in state.items() if value != defaults.get(name, written)}
        less = decode_record(json.dumps({**written, "state": told}).encode())
        assert less == decode_record(line)


@pytest.mark.parametrize("path", LOGS)
def test_what_a_newer_version_added_is_passed_over(path: Path) -> None:
    """As on the way back from an upgrade."""
    for line in path.read_bytes().splitlines():
        written: dict[str, Any] = json.loads(line)
        for each in (written, written["state"], written["event"], *written["outbox"]):
            each["a_field_of_tomorrow"] = {"more": 1}
        assert decode_record(json.dumps(written).encode()) == decode_record(line)
