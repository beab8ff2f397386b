"""The results as text: lines for a terminal, and the table of a page between two marks."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from warmxfer.schemas import InvalidRequest

from .plot import plot
from .rows import Row

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
BUSY = 0.05
"""Share of the machine that others may use before the page says that the figures are disturbed."""
HEAD = f"{'':<44} {'value':>10} {'':<16} {'target':<14} {'':<7} {'reference':>10} {'ratio':>7} {'others':>7}"


def line(row: Row) -> str:
    """Return one row as a line of the table in a terminal."""
    shown = row.as_json()
    cells = (
        f"{row.name:<44}",
        f"{_figure(row.value):>10}",
        f"{row.unit:<16}",
        f"{shown['target'] or '':<14}",
        f"{'ok' if row.ok else 'MISSED':<7}",
        f"{_figure(row.reference):>10}",
        f"{_figure(row.ratio):>7}",
        f"{'' if row.others_cpu is None else f'{row.others_cpu:.0%}':>7}",
    )
    problems = "".join(f"\n    {problem}" for problem in row.problems)
    return " ".join(cells).rstrip() + (f"\n    {row.note}" if row.note else "") + problems


def page(rows: Sequence[Row], command: str, now: datetime, missing: Sequence[str] = ()) -> str:
    """Return the results as Markdown: when and where they were measured, and the table.

    `missing`: scenarios that were not measured before the run was stopped.
    """
    others = [row.others_cpu for row in rows if row.others_cpu is not None]
    busiest = max(others, default=0.0)
    parts = [
        f"`{command}`, {now:%Y-%m-%d %H:%M} UTC, Python {platform.python_version()}, {os.cpu_count()} cores. "
        f"Other processes used at most {busiest:.0%} of the machine.",
    ]
    if busiest > BUSY:
        parts.append("**Other work ran on the machine: these figures are too high.**")
    if missing:
        parts.append(f"**Not measured: {', '.join(missing)}.**")
    table = [
        "| row | value | unit | target | met | reference | ratio | others' CPU |",
        "|---|---|---|---|---|---|---|---|",
        *(_cells(row) for row in rows),
    ]
    parts.append("\n".join(table))
    if wrong := [f"- `{row.name}`: {problem}" for row in rows for problem in row.problems]:
        parts.append("\n".join(["What the results or the ledger show to be wrong:", "", *wrong]))
    return "\n\n".join(parts)


def write(path: Path, rows: Sequence[Row], command: str, missing: Sequence[str] = ()) -> None:
    """Put the table between the marks of the page at `path`, and the plot beside it as `<name>.svg`.

    `missing`: scenarios that are not measured yet.

    A page that does not exist is created. Raises `InvalidRequest` if one without the marks exists.
    """
    image = path.with_suffix(".svg")
    results = page(rows, command, datetime.now(UTC), missing)
    text = "\n\n".join([BEGIN, results, f"![cost of a transfer]({image.name})", END])
    before, after = "", "\n"
    if path.exists():
        before, after = _around(path)
    path.write_text(f"{before}{text}{after}", encoding="utf-8")
    image.write_text(plot(rows), encoding="utf-8")


def check_page(path: Path) -> None:
    """Raise `InvalidRequest` if `write` could not write, before anything is measured."""
    if path.exists():
        _around(path)
    elif not path.parent.is_dir():
        raise InvalidRequest(
            f"--write is {str(path)!r}, but its directory does not exist; create it", field="--write"
        )


def _around(path: Path) -> tuple[str, str]:
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InvalidRequest(
            f"--write is {str(path)!r}, which has no {BEGIN} and {END}; add both, or give a new file",
            field="--write",
        )
    return before, after


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _cells(row: Row) -> str:
    reference = _figure(row.reference)
    named = (
        f"{reference} ({row.reference_name})" if reference and row.reference_name != "floor" else reference
    )
    others = "" if row.others_cpu is None else f"{row.others_cpu:.0%}"
    target = row.as_json()["target"] or ""
    met = ("yes" if target else "") if row.ok else "**no**"
    cells = (row.name, _figure(row.value), row.unit, target, met, named, _figure(row.ratio), others)
    return f"| {' | '.join(str(cell) for cell in cells)} |"
