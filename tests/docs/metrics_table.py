"""The tables of `docs/metrics.md`, made from the metrics that the code declares.

python -m tests.docs.metrics_table           # prints them
python -m tests.docs.metrics_table --write   # writes them into the page
"""

from __future__ import annotations

import importlib
import re
import sys

from tests.test_layout import FILES, imports, module_of
from warmxfer.metrics import Histogram, Instrument, Label, declared

from .pages import DOCS

PAGE = DOCS / "metrics.md"
BEGIN, END = "<!-- from the code: begin -->", "<!-- end -->"


def all_metrics() -> list[Instrument]:
    """Return the metrics of every module of warmxfer, by name."""
    for path in FILES:
        if "warmxfer.metrics" in set(imports(path)):
            importlib.import_module(module_of(path))
    return declared()


def tables() -> str:
    """Return both tables as Markdown."""
    metrics = all_metrics()
    rows = ["| metric | type | labels | what |", "|---|---|---|---|"]
    for each in metrics:
        labels = ", ".join(f"`{label.name}`" for label in each.labels) or "—"
        rows.append(f"| `{each.name}` | {each.kind} | {labels} | {each.sentence} |")
    rows += ["", "| label of | label | values |", "|---|---|---|"]
    rows += [
        f"| `{each.name}` | `{label.name}` | {_values(label)} |" for each in metrics for label in each.labels
    ]
    rows += ["", "| upper bounds of | seconds |", "|---|---|"]
    rows += [
        f"| `{each.name}` | {', '.join(f'{bound:g}' for bound in each.bounds)} |"
        for each in metrics
        if isinstance(each, Histogram)
    ]
    return "\n".join(rows)


def page_with(text: str, new: str) -> str:
    """Return the page `text` with `new` in place of its tables."""
    pattern = f"{re.escape(BEGIN)}.*?{re.escape(END)}"
    return re.sub(pattern, lambda _: f"{BEGIN}\n\n{new}\n\n{END}", text, flags=re.S)


def _values(label: Label) -> str:
    if label.values:
        return ", ".join(f"`{value}`" for value in label.values)
    return label.what


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), tables()), encoding="utf-8")
    else:
        print(tables())
