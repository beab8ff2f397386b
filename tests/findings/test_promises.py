"""Each promise of docs/reliability.md is shown by what the page says: `promises.toml` names the tests."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.chaos.run import faults
from tests.mutants.targets import ROOT

from .listed import missing_test

PAGE = ROOT / "docs/reliability.md"
PROMISES: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("promises.toml").read_text(encoding="utf-8")
)
ROW = re.compile(r"^\| (I\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)
SHOWN_BY = dict(ROW.findall(PAGE.read_text(encoding="utf-8")))
"""The last cell of each row of the page, by the name of the promise."""
CHECKERS = {"M": "tests/model_check", "S": "tests/simulation"}
SHARED = "tests/testkit/invariants.py"
"""Invariants that several kinds of check report."""
MIN_PROMISES = 35


def reported(folder: str) -> set[str]:
    """Return the names with which the checks of a folder begin what they found, such as `I3`."""
    found: set[str] = set()
    for path in (*sorted((ROOT / folder).glob("*.py")), ROOT / SHARED):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = [each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)]
        for text in texts:
            if isinstance(text, str) and (names := re.match(r"((?:[IL]\d+)(?:, [IL]\d+)*)(?::|$)", text)):
                found.update(names[1].split(", "))
    return found


def test_the_page_and_the_list_have_the_same_promises() -> None:
    assert set(SHOWN_BY) == set(PROMISES)
    assert len(PROMISES) >= MIN_PROMISES


@pytest.mark.parametrize("promise", PROMISES)
def test_the_page_names_the_kinds_of_check_that_the_list_has(promise: str) -> None:
    letters, _, folders = SHOWN_BY[promise].partition("`pytest ")
    listed = {kind for kind in PROMISES[promise] if kind != "tests"}
    assert set(re.findall(r"[A-Z]", letters)) == listed
    paths = folders.rstrip("` ").split()
    tests = PROMISES[promise].get("tests", [])
    assert bool(paths) is bool(tests)
    assert all(test.startswith(tuple(paths)) for test in tests)


@pytest.mark.parametrize("promise", PROMISES)
def test_each_check_of_a_promise_exists(promise: str) -> None:
    shown = PROMISES[promise]
    for kind, folder in CHECKERS.items():
        assert set(shown.get(kind, [])) <= reported(folder), kind
    assert set(shown.get("C", [])) <= set(faults(seed=1, in_flight=1))
    named = [*shown.get("E", []), *shown.get("tests", [])]
    assert [found for found in map(missing_test, named) if found] == []
    assert all(test.startswith("tests/e2e/") for test in shown.get("E", []))


def test_a_check_that_reports_nothing_is_not_found() -> None:
    assert {"I1", "I3", "L1"} <= reported("tests/model_check")
    assert "I99" not in reported("tests/simulation")
    assert missing_test("tests/e2e/test_crowd.py::test_of_no_such_name") != ""
