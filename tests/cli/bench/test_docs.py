"""docs/performance.md names every scenario and every field of a row, in the order of the code."""

from __future__ import annotations

import re
from pathlib import Path

from warmxfer.cli.bench import report
from warmxfer.cli.bench.command import SCENARIOS
from warmxfer.cli.bench.rows import Row

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"


def first_cells(heading: str) -> list[str]:
    """Return the code in the first column of the table under `heading`."""
    section = PAGE.read_text().split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_the_page_has_every_scenario() -> None:
    assert list(dict.fromkeys(first_cells("## Rows"))) == list(SCENARIOS)


def test_the_page_has_every_field_of_a_row() -> None:
    assert first_cells("### JSON") == list(Row(name="a", value=1.0, unit="ms").as_json())


def test_the_page_can_be_renewed() -> None:
    report.check_page(PAGE)
