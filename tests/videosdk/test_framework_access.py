"""Undocumented names of the framework are used in three files only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_REACH_IN = {"framework.py", "framework_speech.py", "framework_patches.py"}
FOLDERS = ("adapters/rooms/videosdk", "integrations/videosdk")
FILES = [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).glob("*.py"))
    if path.name not in MAY_REACH_IN
]


def private_names(tree: ast.AST) -> Iterator[str]:
    """Every underscore name that is read or written on another object than `self`, also by `getattr`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if name.startswith("_") and not name.startswith("__"):
                yield name
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr"), args=[_, ast.Constant(str(name)), *_]
            ):
                if name.startswith("_") and not name.startswith("__"):
                    yield name
            case ast.ImportFrom(module=str(module), names=names):
                yield from (each.name for each in names if each.name.startswith("_"))
                if module.split(".")[0] == "videosdk":
                    yield module
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name.split(".")[0] == "videosdk")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_only_the_framework_files_use_undocumented_names(path: Path) -> None:
    assert list(private_names(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "code",
    [
        "session._accept_user_input = True",
        "self._session._accept_user_input",
        'getattr(room, "_left", None)',
        "from videosdk.agents import Pipeline",
        "import videosdk.utils as library",
    ],
)
def test_each_kind_of_access_is_found(code: str) -> None:
    assert list(private_names(ast.parse(code))) != []
