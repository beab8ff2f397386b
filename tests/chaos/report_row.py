"""One row of the table: the fault, how many transfers met it, and how they ended."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

LEFT_ALONE = "left alone"
PROMISED = ("lost", "2nd dials", "2nd switches", "legs left", "muted", LEFT_ALONE)
"""Columns of what must not happen."""
CUT_OFF = "hung up on"
"""Must not happen either; a fact below the table says so if it did."""
HEAD = ("fault", "struck", "cells", "transfers", "complete", *PROMISED, "recovery s")
NOT_MEASURED = "-"


@dataclass
class Row:
    """One row of the table.

    `cells`: number of combinations really met, such as phases in which transfers were. `happened`: counts of
    what must not happen. `unpromised`: columns that may happen under this fault; they do not break the row.
    """

    fault: str
    struck: str
    cells: int = 0
    transfers: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    unpromised: frozenset[str] = frozenset()
    recovery_s: float | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Sentences printed during the run."""
    facts: list[str] = field(default_factory=list)
    """Measurements without a column; they are printed below the table."""

    @property
    def broken(self) -> bool:
        """Whether something happened that must not happen."""
        return bool(self.problems) or any(
            count for what, count in self.happened.items() if what not in self.unpromised
        )

    def recovered(self, recovery_s: float) -> None:
        """Keep the longest recovery. One without an end is a problem."""
        self.recovery_s = max(recovery_s, self.recovery_s or 0.0)
        if recovery_s == math.inf:
            self.problems.append(f"{self.fault} {self.struck}: the stored messages were not processed")

    def all_complete(self) -> None:
        """Add a problem if a transfer is not complete. For faults that must not affect the outcome."""
        if hurt := self.transfers - self.outcomes["complete"]:
            self.problems.append(
                f"{self.fault} {self.struck}: {hurt} are not complete: {dict(self.outcomes)}"
            )

    def cells_shown(self) -> tuple[str, ...]:
        recovery = NOT_MEASURED if self.recovery_s is None else f"{self.recovery_s:.1f}"
        numbers = (self.cells, self.transfers, self.outcomes["complete"])
        return (self.fault, self.struck, *map(str, numbers), *map(self._shown, PROMISED), recovery)

    def _shown(self, what: str) -> str:
        count = self.happened[what]
        return f"{count} (not promised)" if count and what in self.unpromised else str(count)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table below `head`."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    shown = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)
