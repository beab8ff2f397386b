"""The functions of the product that look into a text with expressions or with tables of Unicode.

These are the functions whose work may grow faster than the text. `text_functions` finds them in the source,
and `Executed` notes which of them a run has reached.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType

from tests.docs.pages import FOLDERS

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = {"re", "regex", "unicodedata", "difflib"}
METHODS = {"fullmatch", "search", "finditer", "findall", "subn", "sub"}
"""Methods of a compiled expression. `match` and `split` count on a name only: other objects have them too."""
AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


def text_functions() -> set[str]:
    """Return `file::qualified name` of each such function."""
    found: set[str] = set()
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            patterns = set(_compiled(tree))
            where = path.relative_to(ROOT).as_posix()
            found |= {
                f"{where}::{name}" for name, node in _functions(tree, "") if _looks_into(node, patterns)
            }
    return found


def _compiled(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the module that an expression was compiled for."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if value is not None and any(_is_compile(each) for each in ast.walk(value)):
            yield from (each.id for each in targets if isinstance(each, ast.Name))


def _is_compile(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "compile"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in MODULES
    )


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, AnyFunction]]:
    """Yield each function below `node` with its qualified name."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, AnyFunction):
            yield prefix + each.name, each
            yield from _functions(each, f"{prefix}{each.name}.<locals>.")
        elif isinstance(each, ast.ClassDef):
            yield from _functions(each, f"{prefix}{each.name}.")
        else:
            yield from _functions(each, prefix)


def _looks_into(function: AnyFunction, patterns: set[str]) -> bool:
    return any(_is_use(node, patterns) for each in function.body for node in _own_nodes(each))


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield `node` and what is below it, without the bodies of functions inside."""
    if isinstance(node, AnyFunction):
        return
    yield node
    for each in ast.iter_child_nodes(node):
        yield from _own_nodes(each)


def _is_use(node: ast.AST, patterns: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in patterns
    if not isinstance(node, ast.Attribute):
        return False
    of_module = isinstance(node.value, ast.Name) and node.value.id in MODULES and node.attr.islower()
    return of_module or node.attr in METHODS


class Executed:
    """Notes the functions of the product that run while the context is open, named as by `text_functions`."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._files: dict[str, str | None] = {}

    def __enter__(self) -> Executed:
        sys.setprofile(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            code = frame.f_code
            if (where := self._file(code.co_filename)) is not None:
                self.names.add(f"{where}::{code.co_qualname}")

    def _file(self, name: str) -> str | None:
        """Return the path in the repository of a file of the product, or None."""
        if name not in self._files:
            path = Path(name).resolve()
            inside = path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in FOLDERS
            self._files[name] = path.relative_to(ROOT).as_posix() if inside else None
        return self._files[name]
