"""The environment variables that the code reads, found in its source and by running it.

A variable is *read* if a string of the source is exactly its name. It is *mentioned* if a longer string
contains its name (an error sentence, a docstring). The names of the streams are no variables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache

from warmxfer.bus.subjects import STREAMS

from .pages import FOLDERS, ROOT

TABLE = ROOT / "cli" / "variables.py"
"""Lists every variable and reads none."""
NAME = re.compile(r"\b(?:WARMXFER|NATS|VIDEOSDK)_[A-Z0-9_]*[A-Z0-9]\b")


class Recorder(Mapping[str, str]):
    """An environment that records which warmxfer variables were looked up."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.looked_up: set[str] = set()

    def __getitem__(self, name: str) -> str:
        if NAME.fullmatch(name):
            self.looked_up.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def read_in_source() -> dict[str, str]:
    """Return every variable that the code reads, with one place in the source."""
    return {name: where for name, exact, where in _names() if exact}


def mentioned_in_source() -> dict[str, str]:
    """Return every variable that a longer string mentions, with one place in the source."""
    return {name: where for name, exact, where in _names() if not exact}


@cache
def _names() -> list[tuple[str, bool, str]]:
    return [
        (found[0], found[0] == node.value, f"{path.relative_to(ROOT)}:{node.lineno}")
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != TABLE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for found in NAME.finditer(node.value)
        if found[0] not in STREAMS
    ]
