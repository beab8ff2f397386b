"""Which environment variables the code reads, told by its text and by running it.

A variable is *read* where its whole name is a string in the source, and *mentioned* where it stands inside a
longer one (a sentence for people, a docstring).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache

from .pages import ROOT

FOLDERS = ("schemas", "bus", "client", "adapters", "actors", "integrations", "cli", "sandbox")
NAME = re.compile(r"\b(?:WARMXFER|NATS|VIDEOSDK)_[A-Z0-9_]*[A-Z0-9]\b")


class Recorder(Mapping[str, str]):
    """An environment that remembers which of our variables it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        if NAME.fullmatch(name):
            self.asked.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def read_in_source() -> dict[str, str]:
    """Every variable the code reads, with one place where it does."""
    return {name: where for name, whole, where in _names() if whole}


def mentioned_in_source() -> dict[str, str]:
    """Every variable the code names in a longer text, with one place where it does."""
    return {name: where for name, whole, where in _names() if not whole}


@cache
def _names() -> list[tuple[str, bool, str]]:
    return [
        (found[0], found[0] == node.value, f"{path.relative_to(ROOT)}:{node.lineno}")
        for room in FOLDERS
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for found in NAME.finditer(node.value)
    ]
