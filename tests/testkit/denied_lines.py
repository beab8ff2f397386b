"""Finds what the broker denied to the processes of a local stack, in their logs."""

from __future__ import annotations

from pathlib import Path

DENIED = '"event":"bus_access_denied"'


def denied_lines(directory: Path) -> list[str]:
    """Return each log line that says that the broker denied a subject, with the name of its file."""
    return [
        f"{path.name}: {line}"
        for path in sorted(directory.glob("*.log"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if DENIED in line
    ]
