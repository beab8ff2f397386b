"""The table of attributes in `docs/tracing.md`, made from `tracing/attributes.py`.

python -m tests.docs.attributes_table           # prints it
python -m tests.docs.attributes_table --write   # writes it into the page
"""

from __future__ import annotations

import ast
import sys
from itertools import pairwise
from pathlib import Path

from warmxfer.tracing import Attribute, attributes

from .metrics_table import page_with
from .pages import DOCS

PAGE = DOCS / "tracing.md"


def table() -> str:
    """Return the table as Markdown."""
    rows = ["| attribute | what |", "|---|---|"]
    return "\n".join([*rows, *(f"| `{name}` | {sentence} |" for name, sentence in sentences().items())])


def sentences() -> dict[str, str]:
    """Return the docstring of each attribute, by its name in a span."""
    source = ast.parse(Path(attributes.__file__).read_text(encoding="utf-8"))
    classes = {each.name: each.body for each in source.body if isinstance(each, ast.ClassDef)}
    found: dict[str, str] = {}
    for assigned, doc in pairwise(classes[Attribute.__name__]):
        if isinstance(assigned, ast.Assign) and isinstance(doc, ast.Expr):
            (target,) = assigned.targets
            assert isinstance(target, ast.Name)
            assert isinstance(doc.value, ast.Constant)
            found[Attribute[target.id].value] = str(doc.value.value)
    return found


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), table()), encoding="utf-8")
    else:
        print(table())
