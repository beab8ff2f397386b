"""The picture in the docs is the table, drawn."""

import re
import subprocess
import sys
from pathlib import Path

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.diagram import diagram
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS

DOCS = Path(__file__).parents[4] / "docs" / "architecture.md"
MARKED = re.compile(r"<!-- diagram -->\n```mermaid\n(.*?)\n```\n<!-- /diagram -->", re.S)
ARROW = re.compile(r"    (\w+) --> (\w+): ([\w, ]+)")


def test_the_docs_show_the_table_as_it_is() -> None:
    shown = MARKED.findall(DOCS.read_text())
    assert shown == [diagram()], (
        "put what `python -m warmxfer.actors.coordinator.state_machine.diagram` prints between the marks"
    )


def test_every_way_from_stage_to_stage_is_drawn_once_with_its_events() -> None:
    drawn = {(source, target): labels.split(", ") for source, target, labels in ARROW.findall(diagram())}
    assert len(drawn) == len(ARROW.findall(diagram()))
    ways = {
        (s.value, to.value)
        for s, rows in TRANSITIONS.items()
        for rule in rows.values()
        for to in rule.to
        if to is not s
    }
    assert drawn.keys() == ways
    assert drawn["briefing", "switching"] == ["supervisor_ready", "deadline_passed"]
    assert drawn["new", "failed"] == ["transfer_requested", "transfer_refused", "transfer_broken"]


def test_it_begins_and_ends_and_stays_nowhere() -> None:
    lines = diagram().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> new"]
    assert lines[-3:] == [f"    {stage.value} --> [*]" for stage in Stage if stage.ended]
    assert not [line for line in lines if re.match(r"    (\w+) --> \1\b", line)]


def test_it_prints_the_same_in_every_process() -> None:
    """Sets are told in another order by every process; a diagram that wanders could not be compared."""
    for seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-m", "warmxfer.actors.coordinator.state_machine.diagram"],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert printed.stdout == diagram() + "\n"
