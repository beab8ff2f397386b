"""What `/proc` says of a process. It may end at any moment, also while its file is read."""

from __future__ import annotations

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """Return True if a process runs. One that ended and was not reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def all_pids() -> list[str]:
    """Return the processes that each user of this machine can see."""
    return [name for name in os.listdir("/proc") if name.isdecimal()]


def command_line(pid: int | str) -> str:
    """Return the arguments of a process, each ended by a NUL; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
