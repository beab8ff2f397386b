"""`docs/comparison.md` names every fault of the original, and each has a test here that bears its number."""

from __future__ import annotations

import re

import pytest

from .pages import DOCS, ROOT

PAGE = (DOCS / "comparison.md").read_text()
FAULTS = range(1, 23)
"""Those found in the original before this was built."""

_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
_NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")
TESTS = {
    str(path.relative_to(ROOT)): set(_TEST.findall(path.read_text()))
    for path in (ROOT / "tests").rglob("test_*.py")
}


@pytest.mark.parametrize("number", FAULTS)
def test_each_fault_of_the_original_is_a_test_by_its_number(number: int) -> None:
    bearing = [name for names in TESTS.values() for name in names if f"_h{number}_" in name]
    assert bearing, f"`pytest -k h{number}_` finds nothing"


def test_the_page_has_a_row_for_each() -> None:
    told = {
        int(number) for row in re.findall(r"^\| (H[^|]+)\|", PAGE, re.M) for number in re.findall(r"\d+", row)
    }
    assert told >= set(FAULTS)


@pytest.mark.parametrize(("file", "name"), _NAMED.findall(PAGE))
def test_what_the_page_names_is_there(file: str, name: str) -> None:
    assert file in TESTS
    assert not name or name in TESTS[file], f"{file} has no {name}"
