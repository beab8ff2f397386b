"""The page about security agrees with the tables of the bus, and names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache

from tests.docs.pages import ROOT, read_page
from warmxfer.bus.permissions import whole_streams
from warmxfer.bus.subject_table import INCLUDED, SUBJECTS, USERS

PAGE = read_page(ROOT / "docs" / "security.md")
NUMBERS = [str(number) for number in range(1, 14)]
TESTS = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
"""The file of a test, and its name where one test is meant."""


@cache
def names_of_tests(path: str) -> frozenset[str]:
    """Return the names of the tests in a file; none if there is no such file."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


def named(user: str, *, writes: bool) -> str:
    """Return the rows of the subject table that name `user` as a writer, or as a reader."""
    found = [f"`{spec.name}`" for spec in SUBJECTS if user in (spec.writers if writes else spec.readers)]
    if user in INCLUDED:
        return "as " + " and ".join(INCLUDED[user])
    return ", ".join(found) or "nothing"


def test_the_table_of_users_is_that_of_the_bus() -> None:
    rows = PAGE.find("Users").table("user", "whose", "writes", "reads", "reads whole streams").rows
    expected = [
        (
            f"`{user}`",
            named(user, writes=True),
            named(user, writes=False),
            ", ".join(f"`{stream}`" for stream in whole_streams(user)) or "none",
        )
        for user in USERS
    ]
    found = [(row["user"], row["writes"], row["reads"], row["reads whole streams"]) for row in rows]
    assert found == expected


def test_each_threat_and_each_finding_has_a_row() -> None:
    threats = PAGE.find("Threats").table("threat", "what stops it", "shown by").rows
    assert [row["threat"].split()[0] for row in threats] == [f"S{n}" for n in range(1, 20)]
    findings = PAGE.find("What an attack found").table("finding", "change", "shown by").rows
    assert [row["finding"].split()[0] for row in findings] == NUMBERS
    for row in (*threats, *findings):
        assert row.get("what stops it") or row.get("change")
        assert TESTS.findall(row["shown by"]), f"{row} names no test"


def test_each_finding_is_replayed_on_running_processes() -> None:
    rows = PAGE.find("What the attacker sees now").table("finding", "the attacker sees", "tried by").rows
    assert [row["finding"] for row in rows] == NUMBERS
    for row in rows:
        tried = TESTS.findall(row["tried by"])
        assert tried, f"finding {row['finding']} names no test"
        assert row["the attacker sees"]
        assert {path.split("/")[1] for path, _ in tried} == {"e2e"}, "a package test runs no product"
        assert all(name for _, name in tried), f"finding {row['finding']} names a file and no test"


def test_each_named_test_exists() -> None:
    named = TESTS.findall((ROOT / "docs" / "security.md").read_text(encoding="utf-8"))
    assert len(named) > 50
    assert [path for path, _ in named if not names_of_tests(path)] == []
    assert [(path, name) for path, name in named if name and name not in names_of_tests(path)] == []
