"""Undocumented names of the framework are used in three files only; the installed version has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.metadata import files, version
from pathlib import Path

import pytest

from warmxfer.adapters.rooms.videosdk.framework_version import READ_IN

ROOT = Path(__file__).parents[2]
MAY_REACH_IN = {"framework.py", "framework_speech.py", "framework_patches.py"}
VERSION_MARK = re.compile(
    r"\((?:1\.0\.\d+|videosdk 0\.4\.\d+)\)|^Read in `videosdk-agents` 1\.0\.\d+", re.MULTILINE
)
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


# ── the installed framework ──────────────────────────────────────────────────────────────────────

FRAMEWORK_FOLDER = ROOT / FOLDERS[0]
USED = {
    name: path.name
    for path in sorted(FRAMEWORK_FOLDER / each for each in MAY_REACH_IN)
    for name in private_names(ast.parse(path.read_text()))
    if name.startswith("_") and "warmxfer" not in name
}


def inherited_names(path: Path) -> set[str]:
    """Return the private names that `FrameworkRoom` takes from its base class."""
    tree = ast.parse(path.read_text())
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assigned = {
        target.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute)
    }
    return {name for name in used - own - assigned if name.startswith("_") and not name.startswith("__")}


@pytest.fixture(scope="module")
def framework_source() -> str:
    found = [each for each in files("videosdk-agents") or () if each.suffix == ".py"]
    found += [each for each in files("videosdk") or () if each.suffix == ".py"]
    assert len(found) > 50
    return "\n".join(Path(str(each.locate())).read_text(errors="replace") for each in found)


def test_the_undocumented_parts_of_the_installed_version_were_read() -> None:
    """Fails for a new version: read its undocumented parts, then add it to `READ_IN`."""
    assert version("videosdk-agents") in READ_IN


@pytest.mark.parametrize("name", sorted(USED))
def test_each_undocumented_name_is_in_the_installed_framework(name: str, framework_source: str) -> None:
    in_source = re.sub(r"^_[A-Za-z]+__", "__", name)  # Python writes the class before such a name
    assert re.search(rf"\b{in_source}\b", framework_source), f"{USED[name]} uses {name}, which is gone"


def test_the_names_that_the_room_inherits_are_in_the_installed_framework(framework_source: str) -> None:
    inherited = inherited_names(FRAMEWORK_FOLDER / "room.py")
    assert inherited
    assert [name for name in sorted(inherited) if not re.search(rf"\b{name}\b", framework_source)] == []


@pytest.mark.parametrize("file", sorted(MAY_REACH_IN))
def test_each_function_that_reaches_in_names_the_version_that_was_read(file: str) -> None:
    tree = ast.parse((FRAMEWORK_FOLDER / file).read_text())
    unmarked = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and list(private_names(node))
        and not node.name.startswith("_")
        and not VERSION_MARK.search(ast.get_docstring(node) or "")
    ]
    assert unmarked == []
