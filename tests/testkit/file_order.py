"""The order of the test files.

Files are handed out to the processes one by one, in this order. Some wait for the processes of a whole stack
most of the time, and need minutes. They are spread over the first part of the run: beside each of them other
files use the cores, and no process is left alone with one at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

WAITING = ("e2e", "cli", "examples", "newcomer", "chaos", "soak")
"""Folders below `tests` whose files wait for other processes."""
SPREAD_OVER = 0.7
"""The part of the other files that lies between the first file that waits and the last one."""


def spread(files: Sequence[Path], root: Path) -> list[Path]:
    """Return `files` with those that wait spread over the first part. Keeps the order otherwise. Pure."""
    waiting = [each for each in files if _waits(each, root)]
    others = [each for each in files if not _waits(each, root)]
    if not waiting:
        return others
    share = SPREAD_OVER * len(others) / len(waiting)
    ordered, taken = list[Path](), 0
    for index, each in enumerate(waiting, start=1):
        upto = int(index * share)
        ordered += [each, *others[taken:upto]]
        taken = upto
    return ordered + others[taken:]


def _waits(path: Path, root: Path) -> bool:
    inside = path.relative_to(root).parts if path.is_relative_to(root) else ()
    return len(inside) > 1 and inside[0] in WAITING
