"""Writes the table between two marks of docs/reliability.md. Only a run writes there.

A whole run replaces everything. A run of some faults replaces their rows and their facts, and says above the
table when it ran, so that a reader knows which rows are of one run.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from .report_row import Row, table, table_of

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos -->", "<!-- /chaos -->"


def machine() -> str:
    """Return the machine and its current load, for the line above the table."""
    load = os.getloadavg()[0]
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the start"


def report(header: str, rows: list[Row]) -> str:
    """Return the header, the table, and below it the facts that have no column."""
    facts = _facts(rows)
    return "\n".join([header, "", table(rows), *(["", *facts] if facts else [])])


def _facts(rows: list[Row]) -> list[str]:
    return [f"- {row.fault}, {row.struck}: {fact}." for row in rows for fact in row.facts]


def write(text: str, page: Path = PAGE, *, begin: str = BEGIN, end: str = END) -> None:
    """Write `text` between two marks. Raises ValueError if a mark is missing."""
    before, _, after = _split(page, begin, end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def replace_rows(header: str, faults: Sequence[str], rows: list[Row], page: Path = PAGE) -> None:
    """Replace what the page says about `faults`. Raises ValueError if a mark is missing."""
    _, written, _ = _split(page, BEGIN, END)
    paragraphs = [line for line in written.splitlines() if line]
    headers = [line for line in paragraphs if not line.startswith(("|", "- "))]
    kept = [cells for cells in _table_cells(paragraphs) if cells[0] not in faults]
    shown = sorted([*kept, *(row.cells_shown() for row in rows)], key=lambda cells: int(cells[0][1:]))
    names = tuple(f"- {name}, " for name in faults)
    facts = [line for line in paragraphs if line.startswith("- ") and not line.startswith(names)]
    later = [line for line in headers[1:] if not _rows_of(line) <= set(faults)]
    text = [*headers[:1], *(each for line in later for each in ("", line))]
    text += ["", f"Rows {', '.join(faults)}: {header}", "", table_of(shown)]
    text += ["", *sorted([*facts, *_facts(rows)], key=lambda line: int(line[3 : line.index(",")]))]
    write("\n".join(text).rstrip(), page)


def _rows_of(line: str) -> set[str]:
    """Return the faults that a later run's line names: `Rows F5, F20: …`."""
    return set(line.removeprefix("Rows ").partition(":")[0].split(", "))


def _table_cells(lines: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the cells of each row of the table, without its head."""
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line[0] == "|"]
    return rows[2:]


def _split(page: Path, begin: str, end: str) -> tuple[str, str, str]:
    before, found_begin, rest = page.read_text().partition(begin)
    written, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{page} has lost its marks")
    return before, written, after
