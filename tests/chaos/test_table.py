"""The table in docs/reliability.md comes from a whole run and shows no broken row."""

from __future__ import annotations

from pathlib import Path

import pytest

from .report_page import BEGIN, END, PAGE, report, write
from .report_row import HEAD, PROMISED, Row
from .run import faults


def rows_of_the_page() -> list[dict[str, str]]:
    """Return the rows of the table in the page."""
    _, _, rest = PAGE.read_text().partition(BEGIN)
    lines = [line for line in rest.partition(END)[0].splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert header == list(HEAD)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_the_page_has_rows_for_every_fault() -> None:
    assert {row["fault"] for row in rows_of_the_page()} == set(faults(1, 1))


@pytest.mark.parametrize("row", rows_of_the_page(), ids=lambda row: f"{row['fault']} {row['struck']}")
def test_the_page_shows_no_broken_row(row: dict[str, str]) -> None:
    for column in PROMISED:
        assert row[column] == "0" or row[column].endswith("(not promised)"), column


def test_a_run_writes_only_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    row = Row("F0", "nothing", cells=1, transfers=2, unpromised=frozenset(("legs left",)))
    row.outcomes["complete"] = 2
    row.happened.update({"legs left": 1, "muted": 0})
    row.facts.append("it took no time")
    write(report("header", [row]), page)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\nheader\n")
    assert text.endswith(f"- F0, nothing: it took no time.\n{END}\nafter\n")
    assert "| 1 (not promised) | 0     | 0          | -" in text
    assert not row.broken


def test_each_promised_column_breaks_its_row() -> None:
    for column in PROMISED:
        row = Row("F0", "nothing")
        row.happened[column] += 1
        assert row.broken
