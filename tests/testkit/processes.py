"""What `/proc` says of a process, which may end while its file is read, and how a new one takes SIGINT."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def alive(pid: int) -> bool:
    """Return True if a process runs. One that ended and was not reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def handle_sigint() -> None:
    """Handle SIGINT as a command in the foreground, even if these tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def all_pids() -> list[str]:
    """Return the processes that each user of this machine can see."""
    return [name for name in os.listdir("/proc") if name.isdecimal()]


def command_line(pid: int | str) -> str:
    """Return the arguments of a process, each ended by a NUL; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
