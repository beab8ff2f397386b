"""The house keeps its shape: who may import whom, what stays pure, and that the wheel holds every room."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("schemas", "bus", "actors", "sandbox")
MAY_IMPORT = {
    "schemas": {"schemas"},
    "bus": {"bus", "schemas"},
    "actors": {"actors", "bus", "schemas"},
    "sandbox": {"sandbox"},
}
ACTORS = ("briefing", "coordinator", "gateway", "primary", "summarizer")
SHARED_BY_ACTORS = {"machine": {"coordinator"}, "providers": {"gateway"}, "voices": {"briefing", "primary"}}
"""Folders of `actors/` that are no actor, and which actors work through them."""


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def modules(path: Path) -> Iterator[str]:
    """Every module that `path` imports, relative ones resolved, imports inside functions included."""
    package = ["warmxfer", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            head = ".".join([*base, *([node.module] if node.module else [])])
            yield head
            if node.level and not node.module:
                yield from (f"{head}.{alias.name}" for alias in node.names)


ALL_FILES = [path for room in ROOMS for path in files(room)]


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    ours = {name.split(".")[1] for name in modules(path) if name.startswith("warmxfer.")}
    assert ours <= MAY_IMPORT[room]


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_inside_a_room_with_a_dot_between_rooms_by_name(path: Path) -> None:
    here = ["warmxfer", *path.relative_to(ROOT).parent.parts]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level <= 1, f"{path}:{node.lineno} climbs out of its folder by dots"
            if node.level == 0 and node.module:
                assert node.module != ".".join(here), f"{path}:{node.lineno} names its own folder"


@pytest.mark.parametrize("path", files("actors"), ids=lambda path: str(path.relative_to(ROOT)))
def test_actors_never_import_each_other(path: Path) -> None:
    mine = path.relative_to(ROOT).parts[1]
    if mine == "cli":  # starts any of them, by name
        return
    theirs = {name.split(".")[2] for name in modules(path) if name.startswith("warmxfer.actors.")}
    if mine in ACTORS:
        assert not (theirs - {mine}) & set(ACTORS)
    for shared, users in SHARED_BY_ACTORS.items():
        if shared in theirs and mine in ACTORS:
            assert mine in users, f"{mine} has no business in {shared}"


@pytest.mark.parametrize("room", ["schemas", "actors", "sandbox"])
def test_only_the_bus_knows_nats(room: str) -> None:
    for path in files(room):
        assert not {name.split(".")[0] for name in modules(path)} & {"nats", "nkeys"}, path


def test_words_need_nothing_but_msgspec() -> None:
    for path in files("schemas"):
        outside = {name.split(".")[0] for name in modules(path)} - {"warmxfer", "msgspec"}
        assert outside <= sys.stdlib_module_names, path


IMPURE = {"asyncio", "time", "datetime", "random", "secrets", "uuid", "os", "socket", "logging", "structlog"}


def test_the_machine_is_pure() -> None:
    for path in files("actors/machine"):
        text = path.read_text(encoding="utf-8")
        names = set(modules(path))
        assert not {name.split(".")[0] for name in names} & IMPURE, path
        assert {name for name in names if name.startswith("warmxfer.")} <= {
            name for name in names if name.startswith(("warmxfer.schemas", "warmxfer.actors.machine"))
        }, path
        assert not re.search(
            r"\bawait\b|\basync def\b|\bopen\(", re.sub(r'""".*?"""', "", text, flags=re.S)
        ), path


def test_only_a_providers_own_file_knows_its_vendor() -> None:
    for room in ROOMS[:3]:
        for path in files(room):
            if "videosdk" in str(path.relative_to(ROOT)):
                continue
            theirs = {name.split(".")[0] for name in modules(path)}
            assert "videosdk" not in theirs, path


def test_every_folder_ships() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"])
    present = {
        ".".join(["warmxfer", *path.parent.relative_to(ROOT).parts])
        for path in ALL_FILES
        if path.name == "__init__.py"
    }
    holding_code = {".".join(["warmxfer", *path.parent.relative_to(ROOT).parts]) for path in ALL_FILES}
    assert listed == present == holding_code


def test_type_checkers_see_every_room() -> None:
    for room in ROOMS:
        link = ROOT / ".typings" / "warmxfer" / room
        assert link.is_symlink()
        assert link.resolve() == ROOT / room
        assert (ROOT / room / "py.typed").exists()


LAZY = re.compile(r"suppress\((Base)?Exception\)|NotImplementedError|\b(TODO|FIXME|XXX)\b")


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_swallowed_or_left_for_later(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not LAZY.search(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            assert not (len(node.body) == 1 and isinstance(node.body[0], ast.Pass)), f"{path}:{node.lineno}"
