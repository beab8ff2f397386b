"""One line of the table: what was broken, how many transfers met it, and what became of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

HEAD = ("fault", "struck", "cells", "transfers", "complete", "lost", "2nd dials", "2nd switches", "legs left")
HEAD += ("muted", "recovery s")
NOT_MEASURED = "-"


@dataclass
class Row:
    """`cells`: the combinations that were really met, such as phases at which transfers stood."""

    fault: str
    struck: str
    cells: int = 0
    transfers: int = 0
    lost: int = 0
    second_dials: int = 0
    second_switches: int = 0
    legs_left: int = 0
    muted: int = 0
    recovery_s: float | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """For whoever watches the run."""
    facts: list[str] = field(default_factory=list)
    """What was measured beside the columns: they go below the table."""

    @property
    def broken(self) -> bool:
        """Whether any promise was."""
        counts = (self.lost, self.second_dials, self.second_switches, self.legs_left, self.muted)
        return any(counts) or bool(self.problems)

    def recovered(self, recovery_s: float | None) -> None:
        """Keep the longest recovery of those measured."""
        if recovery_s is not None:
            self.recovery_s = max(recovery_s, self.recovery_s or 0.0)

    def all_complete(self) -> None:
        """Nothing stood in the way of any of them: where one is not complete, that is a broken promise."""
        if hurt := self.transfers - self.outcomes["complete"]:
            self.problems.append(f"{self.fault} {self.struck}: {hurt} were hurt: {dict(self.outcomes)}")

    def cells_shown(self) -> tuple[str, ...]:
        recovery = NOT_MEASURED if self.recovery_s is None else f"{self.recovery_s:.1f}"
        numbers = (self.cells, self.transfers, self.outcomes["complete"], self.lost, self.second_dials)
        numbers += (self.second_switches, self.legs_left, self.muted)
        return (self.fault, self.struck, *map(str, numbers), recovery)


def table(rows: list[Row]) -> str:
    """All rows, as Markdown."""
    lines = [HEAD, *(row.cells_shown() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    shown = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)
