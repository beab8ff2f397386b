"""The table in docs/reliability.md comes from a run and shows no broken row."""

from __future__ import annotations

from pathlib import Path

import pytest

from .report_page import BEGIN, END, PAGE, replace_rows, report, write
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


def test_a_run_of_some_faults_replaces_only_their_rows(tmp_path: Path) -> None:
    def row(fault: str, struck: str, fact: str) -> Row:
        return Row(fault, struck, transfers=1, facts=[fact])

    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    write(report("whole run", [row("F1", "a", "one"), row("F2", "b", "two"), row("F10", "c", "ten")]), page)
    replace_rows("later run", ["F2", "F11"], [row("F2", "new", "twelve"), row("F11", "d", "eleven")], page)
    replace_rows("last run", ["F11"], [row("F11", "e", "once more")], page)
    lines = page.read_text().splitlines()
    assert [line.split("|")[1:3] for line in lines if line.startswith("| F")] == [
        [" F1    ", " a      "],
        [" F2    ", " new    "],
        [" F10   ", " c      "],
        [" F11   ", " e      "],
    ]
    assert [line for line in lines if line.startswith("- ")] == [
        "- F1, a: one.",
        "- F2, new: twelve.",
        "- F10, c: ten.",
        "- F11, e: once more.",
    ]
    assert [line for line in lines if line.endswith(" run")] == [
        "whole run",
        "Rows F2, F11: later run",
        "Rows F11: last run",
    ]
    assert (lines[0], lines[-1]) == ("before", "after")


def test_each_promised_column_breaks_its_row() -> None:
    for column in PROMISED:
        row = Row("F0", "nothing")
        row.happened[column] += 1
        assert row.broken
