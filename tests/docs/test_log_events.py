"""`docs/log-events.md` has a row for each event that the product logs, in the table of its level."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from .pages import DOCS, FOLDERS, ROOT, code, read_page

LEVELS = {"Errors": "error", "Warnings": "warning", "Information": "info"}
LOGGERS = ("log", "self._log")
PASSED_ON = {"actors/gateway/webhooks.py": "self._warn"}
"""Files in which a method logs the event that is its first argument, with the name of the method."""

PAGE = read_page(DOCS / "log-events.md")


@cache
def logged() -> dict[str, set[str]]:
    """Return the events of each level, as the source has them."""
    found: dict[str, set[str]] = {level: set() for level in LEVELS.values()}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for level, event in _events(ast.parse(path.read_text(encoding="utf-8")), PASSED_ON.get(name)):
                found[level].add(event)
    return found


def _events(tree: ast.AST, passed_on: str | None) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = ast.unparse(node.func)
        if called == passed_on:
            yield "warning", _literal(node)
        elif ast.unparse(node.func.value) in LOGGERS and node.func.attr in LEVELS.values():
            if passed_on is not None and not isinstance(node.args[0], ast.Constant):
                continue  # the method itself
            yield node.func.attr, _literal(node)


def _literal(call: ast.Call) -> str:
    name = call.args[0]
    value = name.value if isinstance(name, ast.Constant) else None
    assert isinstance(value, str), f"{ast.unparse(call)}: write the event as a literal, for the page to list"
    return value


@pytest.mark.parametrize("title", LEVELS)
def test_each_event_has_a_row_in_the_table_of_its_level(title: str) -> None:
    rows = [code(row["event"]) for row in _table(title)]
    events = logged()[LEVELS[title]]
    missing, unknown = events - set(rows), set(rows) - events
    assert not missing, f"docs/log-events.md, {title}, has no row for {sorted(missing)}"
    assert not unknown, f"docs/log-events.md, {title}, has rows that nothing logs: {sorted(unknown)}"
    assert rows == sorted(rows), f"docs/log-events.md, {title}: sort the rows"
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("title", LEVELS)
def test_each_row_says_something(title: str) -> None:
    assert all(len(row["what it says, and what to do"].split()) >= 3 for row in _table(title))


def _table(title: str) -> list[dict[str, str]]:
    return PAGE.find(title).table("event", "what it says, and what to do").rows
