"""The layout of the folders: import directions, purity, vendor SDKs, and what ships."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "schemas": set[str](),
    "metrics": set[str](),
    "tracing": {"schemas"},
    "bus": {"schemas", "metrics", "tracing"},
    "client": {"schemas", "bus", "tracing"},
    "adapters": {"schemas", "metrics", "tracing", "bus"},
    "actors": {"schemas", "metrics", "tracing", "bus", "client", "adapters"},
    "integrations": {"schemas", "metrics", "tracing", "bus", "client", "adapters", "actors"},
    "cli": {"schemas", "metrics", "tracing", "bus", "client", "adapters", "actors", "integrations"},
    "sandbox": set[str](),
}
"""Every top-level folder that ships, and which others it may import."""
ACTORS = ("coordinator", "primary", "summarizer", "gateway", "briefing")
ADAPTERS_OF = {
    "coordinator": set[str](),
    "primary": {"rooms"},
    "summarizer": {"llm"},
    "gateway": {"telephony"},
    "briefing": {"rooms", "llm"},
}
"""The adapters that each actor may import."""
VENDOR_FOLDERS = ("adapters/telephony/videosdk", "adapters/rooms/videosdk", "integrations/videosdk")

FILES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def in_repository(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["warmxfer", *(parts[:-1] if parts[-1] == "__init__" else parts)])


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, nodes: Iterator[ast.AST] | None = None) -> Iterator[str]:
    """Yield every module that `path` imports.

    Relative imports are resolved; those inside functions count too.
    """
    package = ["warmxfer", *path.relative_to(ROOT).parent.parts]
    for node in nodes or ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def top_level(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", FILES, ids=in_repository)
def test_imports_point_one_way(path: Path) -> None:
    folder = top_level(path)
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("warmxfer.")}
    assert ours - {folder} <= MAY_IMPORT[folder]


@pytest.mark.parametrize("path", FILES, ids=in_repository)
def test_imports_are_relative_inside_a_top_level_folder_and_absolute_between_them(path: Path) -> None:
    inside = f"warmxfer.{top_level(path)}"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            depth = len(path.relative_to(ROOT).parent.parts)
            assert node.level <= depth, f"line {node.lineno} leaves its top-level folder by dots"
            named = node.level == 0 and f"{node.module}.".startswith(f"{inside}.")
            assert not named, f"line {node.lineno} names its own top-level folder"


@pytest.mark.parametrize("path", [path for path in FILES if top_level(path) == "actors"], ids=in_repository)
def test_actors_never_import_each_other(path: Path) -> None:
    actor = path.relative_to(ROOT).parts[1]
    theirs = {name.split(".")[2] for name in imports(path) if name.startswith("warmxfer.actors.")}
    if actor in ACTORS:
        assert not (theirs - {actor}) & set(ACTORS)
        adapters = {name.split(".")[2] for name in imports(path) if name.startswith("warmxfer.adapters.")}
        assert adapters <= ADAPTERS_OF[actor]
    if actor == "common":
        assert not theirs & {*ACTORS, "runtime"}


def test_no_import_circle() -> None:
    """Type-only imports count too. An `__init__` that gathers names for users does not."""
    known = {module_of(path): path for path in FILES if path.name != "__init__.py"}
    graph = {name: {each for each in imports(path) if each in known} for name, path in known.items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for each in sorted(graph[name]):
                visit(each, (*way, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


RAW_NATS = "cli/bench/floor/program.py"
"""The floor of the benchmark: a program in raw nats-py, beside which warmxfer is measured."""


def test_only_the_bus_imports_nats() -> None:
    for path in FILES:
        if top_level(path) != "bus" and in_repository(path) != RAW_NATS:
            assert not {name.split(".")[0] for name in imports(path)} & {"nats", "nkeys"}, path


def test_schemas_need_nothing_but_msgspec() -> None:
    for path in (ROOT / "schemas").rglob("*.py"):
        outside = {name.split(".")[0] for name in imports(path)} - {"warmxfer", "msgspec"}
        assert outside <= sys.stdlib_module_names, path


IMPURE = {"asyncio", "time", "datetime", "random", "secrets", "uuid", "os", "socket", "logging", "structlog"}


COORDINATOR = ROOT / "actors" / "coordinator"


@pytest.mark.parametrize("names", [("state_machine",), ("report", "state_machine")])
def test_the_state_machine_and_the_report_are_pure(names: tuple[str, ...]) -> None:
    """The first folder of `names` imports only schemas and the folders of `names`."""
    allowed = ("warmxfer.schemas", *(module_of(COORDINATOR / name / "__init__.py") for name in names))
    for path in (COORDINATOR / names[0]).rglob("*.py"):
        names_in_file = set(imports(path))
        assert not {name.split(".")[0] for name in names_in_file} & IMPURE, path
        ours = {name for name in names_in_file if name.startswith("warmxfer.")}
        assert all(name.startswith(allowed) for name in ours), path
        code = re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.S)
        assert not re.search(r"\bawait\b|\basync def\b|\bopen\(", code), path


def test_only_a_vendors_folder_imports_its_sdk() -> None:
    for path in FILES:
        if not in_repository(path).startswith(VENDOR_FOLDERS):
            assert "videosdk" not in {name.split(".")[0] for name in imports(path)}, path


def test_every_folder_ships() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"])
    packages = {module_of(path) for path in FILES if path.name == "__init__.py"}
    holding_code = {".".join(["warmxfer", *path.parent.relative_to(ROOT).parts]) for path in FILES}
    assert listed == packages == holding_code
    assert set(project["tool"]["setuptools"]["package-dir"]) == {f"warmxfer.{each}" for each in MAY_IMPORT}


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_type_checkers_and_the_image_contain_every_folder(folder: str) -> None:
    link = ROOT / ".typings" / "warmxfer" / folder
    assert link.is_symlink()
    assert link.resolve() == ROOT / folder
    assert (ROOT / folder / "py.typed").exists()
    assert f"COPY {folder} {folder}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"!{folder}\n" in (ROOT / ".dockerignore").read_text(encoding="utf-8")


POSTPONED = re.compile(r"suppress\((Base)?Exception\)|NotImplementedError|\b(TODO|FIXME|XXX)\b")


@pytest.mark.parametrize("path", FILES, ids=in_repository)
def test_no_error_is_swallowed_and_no_work_is_postponed(path: Path) -> None:
    assert not POSTPONED.search(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            assert not (len(node.body) == 1 and isinstance(node.body[0], ast.Pass)), f"{path}:{node.lineno}"
