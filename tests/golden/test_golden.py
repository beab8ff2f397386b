"""Upgrades during a transfer: this version replays every stored log like the version that wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from warmxfer.actors.coordinator.state_machine import Applied, Transfer, decode_record, join_outboxes, step
from warmxfer.actors.coordinator.state_machine.record import StoredTransfer
from warmxfer.cli.scenarios import SCENARIOS
from warmxfer.schemas import encode

from .record import log_path, log_paths, read_log, transitions
from .scenes import CANCELLED_IN_HANDOVER, SCENES, SEVERAL, Scene, shown

LOGS = [pytest.param(path, id=path.stem) for path in log_paths()]
GUARD_ENDS = {"quiet", "caller returned", "caller hung up", "new hold", "caller alone", "caller rescued"}
RESCUES = {"rescue by dial", "rescue by agent"}
TOLD = {"notice: caller left", "notice: called off", "notice: time over"}
MIN_TRANSITIONS = 90
"""Minimum number of different transitions in the stored logs, so that no log is lost."""


@pytest.mark.parametrize("scenario", [each.name for each in SCENARIOS])
def test_every_demo_scenario_has_a_log(scenario: str) -> None:
    assert log_path(scenario).exists(), "record it with: python -m tests.golden.record"


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_scene_has_a_log_that_shows_it(scene: Scene) -> None:
    assert log_path(scene.name).exists(), "record it with: python -m tests.golden.record"
    assert shown(read_log(log_path(scene.name))) == scene.shows


def test_the_scenes_show_everything_that_they_stand_for() -> None:
    found = set[str]().union(*(scene.shows for scene in SCENES))
    assert found == {f"guard: {end}" for end in GUARD_ENDS} | RESCUES | TOLD | {
        CANCELLED_IN_HANDOVER,
        SEVERAL,
    }


@pytest.mark.parametrize("path", LOGS)
def test_a_transfer_of_an_older_version_gets_the_same_states_and_messages(path: Path) -> None:
    """Each recorded event leads from the recorded state to the same next state and the same messages.

    A message may have new fields, because every reader ignores fields that it does not know.
    """
    state: Transfer | None = None
    for record, line in zip(read_log(path), path.read_bytes().splitlines(), strict=True):
        steps: list[Applied] = []
        for at, event in ((record.at, record.event), *((each.at, each.event) for each in record.also)):
            moved = step(state, event, at)
            assert isinstance(moved, Applied), f"record {record.state.seq}: {moved.why}"
            steps.append(moved)
            state = moved.state
        assert state == record.state
        sent: list[dict[str, Any]] = [json.loads(encode(each)) for each in join_outboxes(steps)]
        was_sent: list[dict[str, Any]] = json.loads(line)["outbox"]
        assert len(sent) == len(was_sent)
        for now, before in zip(sent, was_sent, strict=True):
            assert {name: now.get(name) for name in before} == before
    assert state is not None
    assert state.stage.ended


def test_the_logs_contain_enough_different_transitions() -> None:
    assert len(set().union(*(transitions(read_log(path)) for path in log_paths()))) >= MIN_TRANSITIONS


def test_only_the_first_fields_of_the_state_are_required() -> None:
    """Every field added to the state has a default, because older versions did not write it."""
    fields = msgspec.structs.fields(StoredTransfer)
    assert {each.name for each in fields if each.required} == {"id", "stage", "started_at"}


@pytest.mark.parametrize("path", LOGS)
def test_a_state_without_its_default_values_decodes_to_the_same_state(path: Path) -> None:
    defaults = json.loads(msgspec.json.encode(StoredTransfer(id="", stage="new", started_at=0.0)))  # type: ignore[arg-type]
    for line in path.read_bytes().splitlines():
        written: dict[str, Any] = json.loads(line)
        state: dict[str, Any] = written["state"]
        kept = {name: value for name, value in state.items() if value != defaults.get(name, written)}
        decoded = decode_record(json.dumps({**written, "state": kept}).encode())
        assert decoded == decode_record(line)


@pytest.mark.parametrize("path", LOGS)
def test_unknown_fields_are_ignored(path: Path) -> None:
    """A downgrade reads records of a newer version."""
    for line in path.read_bytes().splitlines():
        written: dict[str, Any] = json.loads(line)
        for each in (written, written["state"], written["event"], *written["outbox"]):
            each["a_future_field"] = {"more": 1}
        assert decode_record(json.dumps(written).encode()) == decode_record(line)
