"""`docs/contract.md` and the suite agree: every test names a section, every section has tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .target import KEYS, LINE, URL, WEBHOOK_PORT, WEBHOOK_URL

HERE = Path(__file__).resolve().parent
PAGE = (HERE.parents[1] / "docs" / "contract.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\d) (.+)$", PAGE, re.MULTILINE))
VARIABLES = re.compile(r"`((?:WARMXFER|VIDEOSDK)_[A-Z_]+)`")


def suite() -> Iterator[tuple[str, str]]:
    """Yield every test of the suite with its docstring, except those of this file."""
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body if path.name != "test_page.py" else ():
            if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield f"{path.name}::{node.name}", ast.get_docstring(node) or ""


@pytest.mark.parametrize(("name", "docstring"), list(suite()), ids=[name for name, _ in suite()])
def test_a_test_names_its_section(name: str, docstring: str) -> None:
    found = re.match(r"§(\d) ([^:]+): ", docstring)
    assert found, f"{name} must begin with the section it is about, such as §1 Rooms:"
    assert SECTIONS.get(found[1]) == found[2]


def test_every_section_is_tested() -> None:
    assert {docstring[1] for _, docstring in suite()} == set(SECTIONS)


def test_the_page_has_every_variable() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in VARIABLES.findall(row.split("|")[1])}
    assert listed == {URL, *KEYS, *LINE, WEBHOOK_URL, WEBHOOK_PORT}
