"""Which fault struck in which phase: the table that shows whether a run of many seeds has tried everything.

A cell is where a transfer stood, by its newest phase, when a fault struck it. A cell that can be hit and was
not is a failure of the simulation: what was never tried was not shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from warmxfer.schemas import WarmTransferPhase

from .weather import CLASSES, PER_ACTION

Struck = Counter[tuple[str, str]]

PHASES = ("requested", *(phase.value for phase in WarmTransferPhase))
FINAL = frozenset(phase.value for phase in WarmTransferPhase if phase.final)
BY_CLOCK = frozenset(CLASSES) - frozenset(PER_ACTION)
"""Faults that concern whoever is running: they cannot strike a transfer that has ended."""

NEVER: dict[str, frozenset[str]] = {}
"""Cells that cannot be hit, with the reason beside them."""

SEEDS_FOR_EVERY_CELL = 10_000


def can_be_hit(fault: str, phase: str) -> bool:
    """Whether `fault` can strike a transfer that stands in `phase`."""
    if phase in FINAL and fault in BY_CLOCK:
        return False
    return phase not in NEVER.get(fault, frozenset())


def empty_cells(struck: Struck) -> list[str]:
    """The cells that can be hit and were not."""
    return [
        f"{fault} in {phase}"
        for fault in CLASSES
        for phase in PHASES
        if can_be_hit(fault, phase) and not struck[fault, phase]
    ]


def table(struck: Struck) -> str:
    """For people: faults down, phases across, with their initials explained below."""
    heads = [_initials(phase) for phase in PHASES]
    width = max(len(fault) for fault in CLASSES)
    rows = ["  ".join([" " * width, *(f"{head:>6}" for head in heads)])]
    for fault in CLASSES:
        cells = (_cell(struck, fault, phase) for phase in PHASES)
        rows.append("  ".join([f"{fault:<{width}}", *(f"{cell:>6}" for cell in cells)]))
    rows.append("".join(f"\n{head:>8}  {phase}" for head, phase in zip(heads, PHASES, strict=True)))
    return "\n".join(rows)


def _cell(struck: Struck, fault: str, phase: str) -> str:
    count = struck[fault, phase]
    return str(count) if count or can_be_hit(fault, phase) else "-"


def _initials(phase: str) -> str:
    return "".join(word[:2] for word in phase.split("_"))


def total(many: Iterable[Struck]) -> Struck:
    """All runs together."""
    sum_: Struck = Counter()
    for each in many:
        sum_.update(each)
    return sum_
