"""The diagram in the docs shows the transition table."""

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


def test_the_docs_show_the_current_diagram() -> None:
    shown = MARKED.findall(DOCS.read_text())
    assert shown == [diagram()], (
        "put the output of `python -m warmxfer.actors.coordinator.state_machine.diagram` between the marks"
    )


def test_every_stage_change_is_one_arrow_with_its_events() -> None:
    drawn = {(source, target): labels.split(", ") for source, target, labels in ARROW.findall(diagram())}
    assert len(drawn) == len(ARROW.findall(diagram()))
    changes = {
        (s.value, to.value)
        for s, rows in TRANSITIONS.items()
        for transition in rows.values()
        for to in transition.to
        if to is not s
    }
    assert drawn.keys() == changes
    assert drawn["briefing", "switching"] == ["supervisor_ready", "deadline_passed"]
    assert drawn["new", "failed"] == ["transfer_requested", "transfer_refused", "transfer_broken"]


def test_the_diagram_has_start_and_ends_and_no_arrow_to_the_same_stage() -> None:
    lines = diagram().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> new"]
    last = (Stage.COMPLETED, Stage.CANCELLED, Stage.FAILED)
    assert lines[-3:] == [f"    {stage.value} --> [*]" for stage in last]
    assert not [line for line in lines if re.match(r"    (\w+) --> \1\b", line)]


def test_every_process_prints_the_same_diagram() -> None:
    """The order of a set differs between processes; the diagram must not depend on it."""
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
