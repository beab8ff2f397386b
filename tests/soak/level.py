"""Memory and descriptors of processes at marks, and whether they are level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.report_row import markdown_table

MB = 1024 * 1024
SPARE_MB = 4.0
"""Growth that proves nothing: what the allocator keeps after a burst."""
MAX_MB_PER_1000 = 1.0
"""Maximum growth of an actor's memory for each 1,000 transfers."""
BROKER_SPARE_MB, MAX_BROKER_MB_PER_1000 = 64.0, 25.0
"""The broker keeps an index of its stream in memory, and each transfer stays for `WARMXFER_MAX_AGE_S`. Its
memory goes up and down by tens of MB: the newest blocks of the stream, and garbage that is not collected yet.
"""
SPARE_DESCRIPTORS = 10
"""Growth of descriptors between the marks that proves nothing: connections that are open just now."""
BROKER, CLOUD = "nats-server", "sandbox"
KEEPS_EVERYTHING = frozenset({CLOUD})
"""The sandbox records every call, so that the checks can read it: only its descriptors are judged."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One process after `transfers` transfers."""

    transfers: int
    memory_bytes: int
    descriptors: int


def read_sample(pid: int, transfers: int) -> Sample:
    """Return the resident memory and the open descriptors of a running process."""
    proc = Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    kilobytes = int(status["VmRSS"].split()[0])
    return Sample(transfers, kilobytes * 1024, len(list((proc / "fd").iterdir())))


def unlevel(series: Mapping[str, Sequence[Sample]]) -> list[str]:
    """Return one sentence for each process and measure that is not level.

    The first mark is for warming up. Growth is judged from the second mark to the last, so three marks are
    needed. Descriptors are judged between each two marks as well: a pool that leaks fills up and then stays.
    """
    return [sentence for name, samples in series.items() for sentence in _unlevel(name, samples)]


def _unlevel(name: str, samples: Sequence[Sample]) -> list[str]:
    if len(samples) < 3:
        return [f"{name} has {len(samples)} samples; give --marks with three numbers or more"]
    first, last = samples[1], samples[-1]
    found: list[str] = []
    thousands = (last.transfers - first.transfers) / 1_000
    spare_mb, per_1000 = SPARE_MB, MAX_MB_PER_1000
    if name == BROKER:
        spare_mb, per_1000 = BROKER_SPARE_MB, MAX_BROKER_MB_PER_1000
    allowed_mb = spare_mb + per_1000 * thousands
    grown_mb = (last.memory_bytes - first.memory_bytes) / MB
    between = f"from transfer {first.transfers} to {last.transfers}"
    if grown_mb > allowed_mb and name not in KEEPS_EVERYTHING:
        found.append(f"{name} grew by {grown_mb:.1f} MB {between}; allowed are {allowed_mb:.1f} MB")
    lowest = min(sample.descriptors for sample in samples)
    if last.descriptors - lowest > SPARE_DESCRIPTORS:
        found.append(
            f"{name} has {last.descriptors - lowest} more descriptors at transfer {last.transfers} "
            f"than before; allowed are {SPARE_DESCRIPTORS}"
        )
    return found


def table(series: Mapping[str, Sequence[Sample]]) -> str:
    """Return a Markdown table: one row a process, one column a mark, `MB / descriptors` in each cell."""
    marks = sorted({sample.transfers for samples in series.values() for sample in samples})
    rows: list[list[str]] = []
    for name, samples in series.items():
        by_mark = {sample.transfers: sample for sample in samples}
        rows.append([name, *(_cell(by_mark.get(mark)) for mark in marks)])
    return markdown_table(["process", *(f"{mark:,} transfers" for mark in marks)], rows)


def _cell(sample: Sample | None) -> str:
    return f"{sample.memory_bytes / MB:.1f} MB / {sample.descriptors}" if sample else "-"
