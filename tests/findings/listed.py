"""The list of findings (`findings.toml`). Each has reverts: a source text, what replaces it, and a test.

The replacement undoes the mend of a finding. With it the test fails. `python -m tests.findings` shows that;
`test_findings.py` holds that each replacement has exactly one place and that each test exists.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.operators import Change
from tests.mutants.targets import ROOT, Stage, pytest_stage

LIST = Path(__file__).with_name("findings.toml")
OPERATOR = "revert"


@dataclass(frozen=True, slots=True)
class Revert:
    """The mend of a finding, undone: `old` in `file` becomes `new`, and `test` fails."""

    finding: str
    mend: str
    file: str
    old: str
    new: str
    test: str

    def change(self, root: Path = ROOT) -> Change:
        """Return the replacement. Raises ValueError unless `old` is at exactly one place of `file`."""
        source = (root / self.file).read_text(encoding="utf-8")
        if (places := source.count(self.old)) != 1:
            raise ValueError(f"{self.file} has the text of this mend {places} times, not once: {self.mend}")
        raw, old = source.encode(), self.old.encode()
        start = raw.index(old)
        return Change(
            file=self.file,
            function="",
            operator=OPERATOR,
            number=raw.count(b"\n", 0, start) + 1,
            line=self.old,
            becomes=self.new,
            start=start,
            end=start + len(old),
            text=self.new,
        )

    @property
    def stage(self) -> Stage:
        return pytest_stage(self.test)

    def missing_test(self, root: Path = ROOT) -> str:
        """Return what of the path or the name of the test does not exist, or an empty text."""
        return missing_test(self.test, root)


def missing_test(test: str, root: Path = ROOT) -> str:
    """Return what of the path or the name of a test does not exist, or an empty text."""
    path, _, name = test.partition("::")
    if not (root / path).is_file():
        return f"there is no {path}"
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = ast.walk(ast.parse((root / path).read_text(encoding="utf-8")))
    names = {each.name for each in found if isinstance(each, functions)}
    function = name.partition("[")[0]
    return "" if function in names else f"{path} has no test {function!r}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found. `faults` are the faults of the chaos runs that show it too, by their numbers."""

    name: str
    says: str
    faults: tuple[str, ...]
    reverts: tuple[Revert, ...]


def findings(path: Path = LIST) -> list[Finding]:
    """Return the list. Raises ValueError or TypeError for an entry with a wrong or a missing field."""
    found = [_finding(**each) for each in tomllib.loads(path.read_text(encoding="utf-8"))["finding"]]
    names = [each.name for each in found]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"Two findings have the same name; give each its own: {sorted(doubled)}")
    return found


def _finding(*, name: str, says: str, revert: list[dict[str, str]], faults: tuple[str, ...] = ()) -> Finding:
    return Finding(name, says, tuple(faults), tuple(Revert(finding=name, **each) for each in revert))
