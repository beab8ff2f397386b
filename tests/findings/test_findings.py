"""The list of findings fits the tree: each revert has one place, each test exists, and each finding a revert.

That the tests fail with their mends reverted is shown by `python -m tests.findings`.
"""

from __future__ import annotations

import ast
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.run import faults
from tests.mutants.targets import ROOT
from tests.mutants.trial import Copies, Times

from .listed import Finding, Revert, findings

FINDINGS = findings()
REVERTS = [revert for finding in FINDINGS for revert in finding.reverts]
EXPECTED = {
    "dead gateway",
    "growth",
    "messages for a stopped worker",
    "lost consumer or stream",
    "rollback and mixed fleet",
    "complete without a supervisor",
    "stale leg check",
    "limited stream",
    "flood",
    "large request",
    "expired claim",
    "id in use",
    "dead session",
    "untested silence watch",
    "untested cache",
    "untested caller's lock",
}
"""Every finding. None is removed when its mend moves to another place."""


def test_every_finding_is_listed() -> None:
    assert {finding.name for finding in FINDINGS} == EXPECTED


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.name)
def test_each_finding_has_a_revert_and_known_faults(finding: Finding) -> None:
    assert finding.reverts
    assert set(finding.faults) <= set(faults(seed=1, in_flight=1))


@pytest.mark.parametrize("revert", REVERTS, ids=lambda revert: revert.mend)
def test_each_revert_has_one_place_and_is_python(revert: Revert) -> None:
    source = (ROOT / revert.file).read_text(encoding="utf-8")
    reverted = revert.change().applied(source)
    assert ast.dump(ast.parse(reverted)) != ast.dump(ast.parse(source)), "the revert changes nothing"


@pytest.mark.parametrize("revert", REVERTS, ids=lambda revert: revert.mend)
def test_each_revert_has_a_test_that_exists(revert: Revert) -> None:
    assert revert.missing_test() == ""


def test_no_two_reverts_are_the_same() -> None:
    assert [each for each, count in Counter(each.change().key for each in REVERTS).items() if count > 1] == []


SOURCE = "def answer() -> int:\n    return 42\n"
REVERT = Revert("f", "m", "product.py", "return 42", "return 41", "tests/test_product.py::test_answer[a-1]")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "product.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "tests/test_product.py").write_text("async def test_answer(): ...\n", encoding="utf-8")
    return tmp_path


def test_a_revert_replaces_its_text(tree: Path) -> None:
    change = REVERT.change(tree)
    assert (change.number, change.applied(SOURCE)) == (2, SOURCE.replace("42", "41"))
    assert REVERT.missing_test(tree) == ""


@pytest.mark.parametrize(("source", "places"), [("", 0), (SOURCE + SOURCE, 2)])
def test_a_text_that_is_missing_or_there_twice_is_an_error(tree: Path, source: str, places: int) -> None:
    (tree / "product.py").write_text(source, encoding="utf-8")
    with pytest.raises(ValueError, match=f"{places} times"):
        REVERT.change(tree)


def test_a_test_that_was_renamed_or_moved_is_found_missing(tree: Path) -> None:
    (tree / "tests/test_product.py").write_text("def test_other(): ...\n", encoding="utf-8")
    assert REVERT.missing_test(tree) == "tests/test_product.py has no test 'test_answer'"
    (tree / "tests/test_product.py").unlink()
    assert REVERT.missing_test(tree) == "there is no tests/test_product.py"


def test_an_unknown_field_and_a_second_finding_of_a_name_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text('[[finding]]\nname = "a"\nsays = "b"\nwhy = "c"\nrevert = []\n', encoding="utf-8")
    with pytest.raises(TypeError, match="why"):
        findings(path)
    path.write_text('[[finding]]\nname = "a"\nsays = "b"\nrevert = []\n' * 2, encoding="utf-8")
    with pytest.raises(ValueError, match="same name"):
        findings(path)


@pytest.mark.timeout(120)
def test_a_revert_is_caught_by_its_test(tmp_path: Path) -> None:
    """One of the reverts, tried out as the command does."""
    (revert,) = [each for each in REVERTS if each.mend == "the evidence says that no check was answered"]
    copies = Copies(tmp_path)
    with closing(copies), copies.one() as copy:
        outcome = copy.try_out(revert.change(), Times(copies), [revert.stage])
    assert (outcome.verdict, outcome.stage) == ("caught", revert.test)
