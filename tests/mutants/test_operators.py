"""The operators: what is changed, what is not, and that each change is exactly one place."""

from __future__ import annotations

import ast
import gc
import textwrap

import pytest

from .accepted import all_changes
from .operators import Change, changes
from .targets import ROOT, SIMULATION, stages, target_files


def changed(body: str) -> set[tuple[str, str]]:
    """Return operator and changed line of every change of a function with `body`."""
    source = "def work(self, ctx, a, b):\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n"
    return {(each.operator, each.becomes) for each in changes("x.py", source)}


@pytest.mark.parametrize(
    ("before", "operator", "after"),
    [
        ("if a < b: a()", "comparison", "if a <= b: a()"),
        ("if a >= b: a()", "comparison", "if a > b: a()"),
        ("if a >= b: a()", "condition negated", "if (not (a >= b)): a()"),
        ("if a == b: a()", "comparison", "if a != b: a()"),
        ("if a is not None: a()", "comparison", "if a is None: a()"),
        ("if a not in b: a()", "comparison", "if a in b: a()"),
        ("x = 0 < a <= b", "comparison", "x = 0 < a < b"),
        ("x = a and b", "boolean", "x = a or b"),
        ("x = not a", "boolean", "x = (a)"),
        ("while a: b()", "condition negated", "while (not (a)): b()"),
        ("x = a if b else 0", "condition negated", "x = a if (not (b)) else 0"),
        ("x = [c for c in a if c]", "condition negated", "x = [c for c in a if (not (c))]"),
        ("x = True", "constant", "x = False"),
        ("x = f(delay_s=2.5)", "constant", "x = f(delay_s=3.5)"),
        ("return a", "return value", "return None"),
        ("return", "return removed", "pass"),
        ("raise ValueError(a)", "raise removed", "pass"),
        ("while True:\n    continue", "jump removed", "pass"),
        ("del a[b]", "deletion removed", "pass"),
        ("a.close()", "call removed", "pass"),
        ("self.count = b", "assignment removed", "pass"),
        ("self.count += b", "assignment removed", "pass"),
        ("self.count += b", "arithmetic", "self.count -= b"),
        ("x = a - b", "arithmetic", "x = a + b"),
        ("x = a // b", "arithmetic", "x = a * b"),
        ("x = f(a, b, 1)", "arguments swapped", "x = f(b, a, 1)"),
        ("x = min(a, b)", "extreme", "x = max(a, b)"),
        ("x = any(a)", "extreme", "x = all(a)"),
    ],
)
def test_an_operator(before: str, operator: str, after: str) -> None:
    assert (operator, after) in changed(before)


def test_an_await_is_removed() -> None:
    source = "async def work(self):\n    await self.stop()\n"
    assert {(each.operator, each.applied(source)) for each in changes("x.py", source)} == {
        ("await removed", "async def work(self):\n    pass\n")
    }


@pytest.mark.parametrize(
    "untouched",
    [
        '"""Text with 1 and True."""',
        'log.warning("event_happened", count=1)',
        "assert a == 1",
        "x: Annotated[int, 1] = a",
        'x = f"{a + 1}"',
        "x = isinstance(a, b)",
        "x = step(ctx, a)",
        "while True:\n    a = b",
        "return None",
        'x = a + "text"',
    ],
)
def test_what_is_not_changed(untouched: str) -> None:
    assert changed(untouched) == set()


def test_the_top_level_of_a_module_is_not_changed_but_for_the_defaults_of_fields() -> None:
    source = textwrap.dedent(
        """
        LIMIT_S = 5.0
        TABLE = {A: row(b, 1)}
        if TYPE_CHECKING:
            from x import y
        class State:
            muted: bool = False
            count: int = 0
            def __init__(self, a=1):
                self.a = a
        """
    )
    assert {(each.function, each.becomes) for each in changes("x.py", source)} == {
        ("State", "muted: bool = True"),
        ("State.__init__", "def __init__(self, a=2):"),
    }


def test_a_change_of_several_lines_names_all_of_them() -> None:
    source = "def work(a):\n    # ü\n    a.publish(\n        first,\n        second,\n    )\n"
    found = {each.operator: each for each in changes("x.py", source)}
    swapped = found["arguments swapped"]
    assert (swapped.number, swapped.line, swapped.becomes) == (4, "first, second,", "second, first,")
    assert swapped.applied(source) == source.replace("first", "?").replace("second", "first").replace(
        "?", "second"
    )
    assert found["call removed"].applied(source) == "def work(a):\n    # ü\n    pass\n"


def test_a_change_is_found_again_when_the_lines_above_it_change() -> None:
    source = "def work(a):\n    return a < 1\n"
    keys = [each.key for each in changes("x.py", source)]
    assert [each.key for each in changes("x.py", "import x\n\n\n" + source)] == keys
    assert [each.key for each in changes("x.py", source.replace("< 1", "< 2"))] != keys


@pytest.fixture(scope="module")
def product() -> list[Change]:
    return all_changes()


def test_every_change_of_the_product_is_valid_python_and_differs(product: list[Change]) -> None:
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file in target_files()}
    texts = {(change.file, change.applied(sources[change.file])) for change in product}
    assert len(texts) == len(product) > 2_000
    gc.disable()  # Seen on Python 3.11: a collection in the middle of `ast.parse` ends in a SystemError.
    try:
        for file, text in texts:
            assert text != sources[file]
            ast.parse(text)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("bus/pull_consumer.py", "self._last_seen_at > SILENCE_S"),
        ("actors/coordinator/record_cache.py", "cached.seq == seq and cached.sent"),
        ("actors/coordinator/caller_lock.py", "UNSTARTED_LOCK_S if live is None"),
    ],
)
def test_a_change_that_once_survived_can_be_drawn(product: list[Change], file: str, line: str) -> None:
    found = [each for each in product if each.file == file and line in each.line]
    assert {"comparison", "boolean"} & {each.operator for each in found}


def test_every_stage_is_there() -> None:
    for file in target_files():
        for stage in stages(file):
            assert stage.name.partition("/")[0] != "tests" or (ROOT / stage.name).exists(), (file, stage)
    worker = ["tests/bus/test_worker.py", SIMULATION.name, "tests/bus"]
    assert [each.name for each in stages("bus/worker.py")] == worker
