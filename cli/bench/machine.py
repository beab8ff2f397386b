"""CPU time and memory of processes, and what all others used meanwhile. Reads `/proc`, so Linux only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from warmxfer.schemas import InvalidRequest

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1
PROC = Path("/proc")
_BUSY_COLUMNS = (0, 1, 2, 5, 6)
"""user, nice, system, irq and softirq of the first line of `/proc/stat`."""


def check_machine() -> None:
    """Raise `InvalidRequest` on a system without `/proc`."""
    if not (PROC / "self" / "stat").exists():
        raise InvalidRequest("`warmxfer bench` reads /proc, which this system does not have; run it on Linux")


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, by user and system; 0 if it has ended."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) * TICK_S


def memory_bytes(pid: int) -> int:
    """Return the memory of a process that it shares with no other; 0 if it has ended."""
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    sizes = dict(line.split(":", 1) for line in text.splitlines()[1:])
    return sum(int(sizes[name].split()[0]) * 1024 for name in ("Private_Clean", "Private_Dirty"))


def free_share() -> float:
    """Return the share of the machine's memory that new work may use."""
    sizes = dict(line.split(":", 1) for line in (PROC / "meminfo").read_text().splitlines())
    return int(sizes["MemAvailable"].split()[0]) / int(sizes["MemTotal"].split()[0])


def busy_s() -> float:
    """Return the CPU time that all processes of the machine have used."""
    columns = (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(columns[index]) for index in _BUSY_COLUMNS) * TICK_S


class Usage(Struct, frozen=True):
    """What was used in a span of time. `by_role` has the measured processes, by the name of their role."""

    seconds: float
    by_role: Mapping[str, float]
    others_cpu: float
    """Share of the whole machine (0 to 1) that processes other than the benchmark's used."""

    @property
    def cpu_s(self) -> float:
        return sum(self.by_role.values())


class UsageMeter:
    """Measures `processes`, given by role, from its creation on.

    The benchmark itself and its children that have ended count neither as a role nor as others.
    """

    def __init__(self, processes: Mapping[str, Iterable[int]]) -> None:
        self._pids = {role: list(pids) for role, pids in processes.items()}
        self._began_at = time.perf_counter()
        self._began = self._read(self._pids)

    def _read(self, processes: Mapping[str, Iterable[int]]) -> tuple[dict[str, float], float, float]:
        own = os.times()
        by_role = {role: sum(cpu_s(pid) for pid in pids) for role, pids in processes.items()}
        return by_role, own.user + own.system + own.children_user + own.children_system, busy_s()

    def read(self, now: Mapping[str, Iterable[int]] | None = None) -> Usage:
        """Return what was used until now. `now` has the processes too that were started meanwhile."""
        by_role, own_s, all_s = self._read(self._pids if now is None else now)
        before, own_before_s, all_before_s = self._began
        # Not below 0: what a killed process has used cannot be read any more.
        used = {role: max(by_role[role] - before.get(role, 0.0), 0.0) for role in by_role}
        seconds = time.perf_counter() - self._began_at
        others_s = (all_s - all_before_s) - sum(used.values()) - (own_s - own_before_s)
        return Usage(seconds, used, min(max(others_s / (seconds * CORES), 0.0), 1.0))
