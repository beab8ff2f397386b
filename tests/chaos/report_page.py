"""Writes the table between two marks of docs/reliability.md. Only a run writes there.

A whole run replaces everything. A run of some faults replaces their rows and their facts, and says above the
table when it ran, so that a reader knows which rows are of one run.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from .report_row import HEAD, Row, markdown_table

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos -->", "<!-- /chaos -->"


def machine() -> str:
    """Return the machine and its current load, for the line above the table."""
    load = os.getloadavg()[0]
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the start"


def report(header: str, rows: list[Row]) -> str:
    """Return the header, the table, and below it the facts that have no column."""
    return _report([header], [row.cells_shown() for row in rows], _facts(rows))


def _report(headers: Sequence[str], rows: Sequence[tuple[str, ...]], facts: Sequence[str]) -> str:
    return "\n\n".join([*headers, markdown_table(HEAD, rows), *(["\n".join(facts)] if facts else [])])


def _facts(rows: list[Row]) -> list[str]:
    return [f"- {row.fault}, {row.struck}: {fact}." for row in rows for fact in row.facts]


def write(text: str, page: Path = PAGE, *, begin: str = BEGIN, end: str = END) -> None:
    """Write `text` between two marks. Raises ValueError if a mark is missing."""
    before, _, after = _split(page, begin, end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def replace_rows(header: str, faults: Sequence[str], rows: list[Row], page: Path = PAGE) -> None:
    """Replace what the page says about `faults`. Raises ValueError if a mark is missing."""
    _, written, _ = _split(page, BEGIN, END)
    kept = [line for line in written.splitlines() if line and _fault_of(line) not in faults]
    headers = [line for line in kept if not line.startswith(("|", "- "))]
    later = [line for line in headers[1:] if not _rows_of(line) <= set(faults)]
    later.append(f"Rows {', '.join(faults)}: {header}")
    shown = [_cells(line) for line in kept if line.startswith("| F")] + [row.cells_shown() for row in rows]
    facts = [line for line in kept if line.startswith("- ")] + _facts(rows)
    shown.sort(key=lambda cells: int(cells[0][1:]))
    facts.sort(key=lambda line: int(_fault_of(line)[1:]))
    write(_report([*headers[:1], *later], shown, facts), page)


def _fault_of(line: str) -> str:
    """Return the fault of a row of the table, or of a fact; an empty string for any other line."""
    found = re.match(r"[|-] (F\d+)\b", line)
    return found[1] if found else ""


def _rows_of(line: str) -> set[str]:
    """Return the faults that a later run's line names: `Rows F5, F20: …`."""
    return set(line.removeprefix("Rows ").partition(":")[0].split(", "))


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip("|").split("|"))


def _split(page: Path, begin: str, end: str) -> tuple[str, str, str]:
    before, found_begin, rest = page.read_text().partition(begin)
    written, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{page} has lost its marks")
    return before, written, after
