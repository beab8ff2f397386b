"""Every regular expression of the product is linear, as far as its form shows: `testkit/repetitions.py`."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import regex
from msgspec import inspect

from tests.docs.pages import FOLDERS, ROOT
from tests.schemas.decoded_types import can_be_imported, has_types, schema_structs
from tests.testkit.repetitions import faults

ANCHORED = {"match", "fullmatch"}
"""Methods that begin at one place of the text."""
UNIX_CLASSES = re.compile(r"\\[pP]\{\^?[^}]+\}")
"""Classes of Unicode, which `re` does not know. Each counts as the letters."""


class Expression(NamedTuple):
    """An expression, where it is, and whether it is searched for anywhere in a text."""

    place: str
    pattern: str
    flags: int
    searched: bool


def compiled(value: Any, depth: int = 3) -> Iterator[Any]:
    """Yield each compiled expression in a value of a module."""
    if isinstance(value, re.Pattern | regex.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        for each in value.values():
            yield from compiled(each, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from compiled(each, depth - 1)


@cache
def expressions() -> list[Expression]:
    """Return every expression of the product: constants of modules, and patterns of the schema."""
    found: list[Expression] = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if has_types(path) and can_be_imported(path) and path.name != "__main__.py":
                found += _of_module(path)
    for kind in schema_structs().values():
        for pattern in _of_type(inspect.type_info(kind)):
            found.append(Expression(f"schemas {kind.__name__}", pattern, 0, searched=True))
    return found


def _of_module(path: Path) -> Iterator[Expression]:
    where = path.relative_to(ROOT)
    module = importlib.import_module(
        ".".join(["warmxfer", *where.with_suffix("").parts]).removesuffix(".__init__")
    )
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name, value in vars(module).items():
        for each in compiled(value):
            methods = {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == name
            }
            searched = not methods or not methods <= ANCHORED
            yield Expression(f"{where.as_posix()} {name}", each.pattern, each.flags, searched)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            of_re = isinstance(node.func.value, ast.Name) and node.func.value.id in ("re", "regex")
            first = node.args[0]
            inline = of_re and node.func.attr != "compile"
            if inline and isinstance(first, ast.Constant) and isinstance(first.value, str):
                searched = node.func.attr not in ANCHORED
                yield Expression(f"{where.as_posix()}:{node.lineno}", first.value, 0, searched)


def _of_type(info: inspect.Type, seen: set[type] | None = None) -> Iterator[str]:
    seen = set() if seen is None else seen
    if isinstance(info, inspect.StructType):
        if info.cls not in seen:
            seen.add(info.cls)
            for field in info.fields:
                yield from _of_type(field.type, seen)
    elif isinstance(info, inspect.StrType):
        if info.pattern is not None:
            yield info.pattern
    else:
        for name in info.__struct_fields__:
            value: Any = getattr(info, name)
            for each in value if isinstance(value, tuple) else (value,):
                if isinstance(each, inspect.Type):
                    yield from _of_type(each, seen)


TAKEN = {
    "schemas/codec.py _QUOTED_INPUT": "msgspec closes each quote: the first match takes the rest",
    "schemas/sip_address.py _DIALLED_AFTER": "the text has 100 characters at most",
    "actors/briefing/reply/phrases.py _TAIL": "the text is a phrase of the source",
    "actors/common/spoken_check.py _MARKUP": "measured as `text to speak` in test_hostile_text.py",
    "actors/common/spoken_check.py _TALK": "begins with a sentence; measured as `text to speak`",
    "actors/summarizer/call_facts.py _NUMBER": "nothing follows that may fail; measured as `numbers`",
}
"""Expressions in which a shape is found that costs nothing, each with the reason."""
NOT_READ = {
    "actors/common/spoken_check.py _EMOJI": "`text to speak` in test_hostile_text.py",
    "actors/summarizer/caller_name.py _NAME_HAN": "`name` in test_hostile_text.py",
    "actors/summarizer/caller_name.py _NAME_GREETED": "`name` in test_hostile_text.py",
    "actors/summarizer/caller_name.py _PATTERNS": "the expressions above, in their order",
}
"""Expressions that only `regex` can read, each with where its cost is measured."""


def readable(expression: Expression) -> str:
    """Return the pattern as `re` reads it."""
    return UNIX_CLASSES.sub(lambda _: r"\w", expression.pattern).replace(r"\X", ".")


def shapes_of(expression: Expression) -> list[str] | None:
    """Return the shapes that are found in an expression, or None if `re` cannot read it."""
    flags = expression.flags & (re.I | re.M | re.S | re.X | re.A)
    try:
        return faults(readable(expression), flags, searched=expression.searched)
    except re.error:
        return None


def test_no_expression_repeats_what_another_repetition_takes() -> None:
    shapes = {each.place: shapes_of(each) for each in expressions()}
    found = {place: each for place, each in shapes.items() if each}
    assert {place: each for place, each in found.items() if place not in TAKEN} == {}
    assert TAKEN.keys() - found.keys() == set(), "these are linear now: remove them from TAKEN"
    assert {place for place, each in shapes.items() if each is None} == NOT_READ.keys()


def test_the_expressions_are_found() -> None:
    places = {each.place for each in expressions()}
    assert len(places) > 100
    assert {"bus/subjects.py _TOKEN", "adapters/llm/reasoning.py _TAG", "schemas SIPDestination"} <= places
    assert NOT_READ.keys() <= places


@pytest.mark.parametrize(
    ("pattern", "shape"),
    [
        (r"(a+)+$", "nested"),
        (r"(?:a*)*b", "nested"),
        (r"(?:\w+\s*)+$", "nested"),
        (r"(?:[a-z]+|,)*x", "nested"),
        (r"^\s*\s*$", "adjacent"),
        (r"^[a-z]+x?[a-z]*$", "adjacent"),
        (r"\s+$", "searched"),
        (r"(?<=sip:)[^@\s]+(?=@)", "searched"),
        (r"sips?:[^@]+@", "searched"),
    ],
)
def test_a_shape_is_found(pattern: str, shape: str) -> None:
    assert shape in faults(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Za-z0-9_-]{1,64}\Z",
        r"(?:, [a-z]+)*",
        r"[^<>]*<[^<>]*>",
        r"(?:\d{1,3}\.){3}\d{1,3}",
        r"<[a-z]+>",
        r"[a-z]+",
        r"(?<!\w)[A-Za-z]+x",
        r"(?:ab|cd){1,9}e",
    ],
)
def test_a_linear_expression_passes(pattern: str) -> None:
    assert faults(pattern, searched="<[^<>]*>" not in pattern) == []
