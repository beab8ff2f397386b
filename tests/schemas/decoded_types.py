"""Every type that the product decodes bytes into, found in its source: no place can be forgotten."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

import warmxfer.schemas
from tests.docs.pages import FOLDERS

ROOT = Path(__file__).resolve().parent.parent.parent
WITHOUT_TYPES = ("sandbox", "integrations/videosdk")
"""Folders whose modules this test does not import: the simulated cloud reads plain JSON and checks each field
(`sandbox/api/request_fields.py`), and the drop-in needs the framework. Neither decodes into a type, which
`test_the_folders_without_types_decode_into_none` holds."""
NEEDS_EXTRA = {"adapters/rooms/videosdk": "videosdk"}
"""Folders that are searched only where the package that they import is installed."""
TYPE_COMES_SECOND = {"convert", "_convert", "read_leniently", "_read_message"}
TYPE_COMES_FIRST = {"Decoder", "decode_as", "read_query", "decode_query"}


class Place(NamedTuple):
    """A call that decodes: its file, its line, and the expression of the type."""

    path: str
    line: int
    type: ast.expr

    @property
    def name(self) -> str:
        return f"{self.path} {ast.unparse(self.type)}"


def places(path: Path) -> Iterator[Place]:
    """Yield each place of a file that decodes into a type."""
    where = str(path.relative_to(ROOT))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            for each in _types(node):
                yield Place(where, node.lineno, each)


def _types(call: ast.Call) -> Iterator[ast.expr]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in TYPE_COMES_FIRST and call.args:
        yield call.args[0]
    elif name in TYPE_COMES_SECOND and len(call.args) > 1:
        yield call.args[1]
    elif name == "decode":
        yield from (each.value for each in call.keywords if each.arg == "type")


def files() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def has_types(path: Path) -> bool:
    return not str(path.relative_to(ROOT)).startswith(WITHOUT_TYPES)


def can_be_imported(path: Path) -> bool:
    """Return False for a file whose folder needs a package that is not installed here."""
    missing = tuple(folder for folder, name in NEEDS_EXTRA.items() if find_spec(name) is None)
    return not str(path.relative_to(ROOT)).startswith(missing)


@cache
def decoded() -> tuple[dict[str, Any], list[Place]]:
    """Return each decoded type by its place, and the places whose type is a variable."""
    found, variable = dict[str, Any](), list[Place]()
    for path in filter(can_be_imported, filter(has_types, files())):
        for place in places(path):
            module = importlib.import_module(
                ".".join(["warmxfer", *Path(place.path).with_suffix("").parts]).removesuffix(".__init__")
            )
            try:
                names = {**_imported_inside(path), **vars(module)}
                found[place.name] = eval(ast.unparse(place.type), names)
            except NameError:
                variable.append(place)
    return found, variable


def _imported_inside(path: Path) -> dict[str, Any]:
    """Return the names of warmxfer that functions of a file import."""
    imports = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {
        alias.name: getattr(importlib.import_module(node.module), alias.name)
        for node in imports
        if isinstance(node, ast.ImportFrom)
        and node.level == 0
        and (node.module or "").startswith("warmxfer.")
        and node.module is not None
        and node.col_offset > 0
        for alias in node.names
        if hasattr(importlib.import_module(node.module), alias.name)
    }


def schema_structs() -> dict[str, type[Struct]]:
    """Return every struct of `schemas`: the messages."""
    structs: dict[str, type[Struct]] = {}
    for each in pkgutil.iter_modules(warmxfer.schemas.__path__, "warmxfer.schemas."):
        module = importlib.import_module(each.name)
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, Struct) and value.__module__ == each.name:
                structs[name] = value
    return structs
