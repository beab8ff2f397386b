"""Searches the files of a broker's store for text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def files_with(directory: Path, texts: Iterable[str]) -> dict[str, list[str]]:
    """Return the files under `directory` that hold one of `texts`, each with those that it holds."""
    wanted = {text: text.encode() for text in texts}
    found: dict[str, list[str]] = {}
    for path in sorted(directory.rglob("*")):
        try:
            data = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:
            continue  # The broker has just removed it.
        if held := [text for text, encoded in wanted.items() if encoded in data]:
            found[str(path.relative_to(directory))] = held
    return found
