"""`docs/comparison.md` lists every known fault of VideoSDK's WarmTransferRunner; each has a test."""

from __future__ import annotations

import re

import pytest

from .pages import DOCS, ROOT

PAGE = (DOCS / "comparison.md").read_text()
FAULTS = range(1, 23)
"""Numbers of the faults that were found in upstream before warmxfer was built."""

_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
_TEST_PATH = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")
TESTS = {
    str(path.relative_to(ROOT)): set(_TEST.findall(path.read_text()))
    for path in (ROOT / "tests").rglob("test_*.py")
}


@pytest.mark.parametrize("number", FAULTS)
def test_every_fault_has_a_test_with_its_number(number: int) -> None:
    found = [name for names in TESTS.values() for name in names if f"_h{number}_" in name]
    assert found, f"`pytest -k h{number}_` finds no test"


def test_the_page_has_a_row_for_every_fault() -> None:
    listed = {
        int(number) for row in re.findall(r"^\| (H[^|]+)\|", PAGE, re.M) for number in re.findall(r"\d+", row)
    }
    assert listed >= set(FAULTS)


@pytest.mark.parametrize(("file", "name"), _TEST_PATH.findall(PAGE))
def test_every_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert file in TESTS
    assert not name or name in TESTS[file], f"{file} has no {name}"
