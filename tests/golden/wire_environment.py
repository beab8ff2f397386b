"""Search of the product's source for the environment variables that it reads."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = re.compile(r"(WARMXFER|NATS|VIDEOSDK)(_[A-Z0-9]+)+")
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
MAPPINGS = {"env", "environ"}
"""Names that the product gives to a mapping of environment variables."""

NOT_SETTINGS = {"PATH", "UV"}
"""Variables that are read only to print the command that the user typed."""
STREAMS = {"WARMXFER_IN", "WARMXFER_EVENTS", "WARMXFER_CORE", "WARMXFER_PUBLIC", "WARMXFER_ARCHIVE"}
"""Names of streams, which look like variables."""


@cache
def trees() -> list[ast.Module]:
    """Return the syntax tree of every packaged module."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    files = sorted({file for folder in packages.values() for file in (ROOT / folder).rglob("*.py")})
    assert files, "pyproject.toml names no folder with source in it"
    return [ast.parse(file.read_text()) for file in files]


@cache
def product_variables() -> frozenset[str]:
    """Return all variables that the product reads."""
    return frozenset(variables(trees()))


def variables(modules: list[ast.Module]) -> set[str]:
    """Return all variables read from a mapping named `env` or `environ`, or by an option of the CLI."""
    everywhere = {name: text for module in modules for name, text in _constants(module)}
    found: set[str] = set()
    for module in modules:
        constants = everywhere | dict(_constants(module))
        found |= {name for node in ast.walk(module) for name in _read(node, constants)}
    return {name for name in found if VARIABLE.fullmatch(name)} - NOT_SETTINGS


def named(modules: list[ast.Module]) -> set[str]:
    """Return all strings in the source that are a name of our variables, read or not."""
    nodes = (node for module in modules for node in ast.walk(module))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if OURS.fullmatch(text) and text not in STREAMS}


def _constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield from ((each.id, value.value) for each in targets if isinstance(each, ast.Name))


def _read(node: ast.AST, constants: Mapping[str, str]) -> Iterator[str]:
    match node:
        case ast.keyword(arg="envvar", value=value):
            names = [value]
        case ast.Call(func=ast.Attribute(value=mapping, attr="get" | "pop"), args=[name, *_]) if _is_env(
            mapping
        ):
            names = [name]
        case ast.Call(func=ast.Attribute(attr="getenv"), args=[name, *_]):
            names = [name]
        case ast.Call(args=[mapping, name, *_]) if _is_env(mapping):
            names = [name]
        case ast.Subscript(value=mapping, slice=name, ctx=ast.Load()) if _is_env(mapping):
            names = [name]
        case ast.Compare(left=name, comparators=[mapping]) if _is_env(mapping):
            names = [name]
        case _:
            return
    for name in names:
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value
        elif isinstance(name, ast.Name) and name.id in constants:
            yield constants[name.id]


def _is_env(node: ast.AST) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in MAPPINGS
