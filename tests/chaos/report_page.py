"""Writes the table of a whole run between two marks of docs/reliability.md. Only a run writes there."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from .report_row import Row, table

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos -->", "<!-- /chaos -->"


def machine() -> str:
    """Return the machine and its current load, for the line above the table."""
    load = os.getloadavg()[0]
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the start"


def report(header: str, rows: list[Row]) -> str:
    """Return the header, the table, and below it the facts that have no column."""
    facts = [f"- {row.fault}, {row.struck}: {fact}." for row in rows for fact in row.facts]
    return "\n".join([header, "", table(rows), *(["", *facts] if facts else [])])


def write(text: str, page: Path = PAGE, *, begin: str = BEGIN, end: str = END) -> None:
    """Write `text` between two marks. Raises ValueError if a mark is missing."""
    before, found_begin, rest = page.read_text().partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{page} has lost its marks")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
