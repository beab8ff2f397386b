"""One line of the table: what was broken, how many transfers met it, and what became of them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

LEFT_ALONE = "left alone"
PROMISED = ("lost", "2nd dials", "2nd switches", "legs left", "muted", LEFT_ALONE)
"""What is promised not to happen, as the columns of the table name it."""
CUT_OFF = "hung up on"
"""Promised too, and told below the table where it happened."""
HEAD = ("fault", "struck", "cells", "transfers", "complete", *PROMISED, "recovery s")
NOT_MEASURED = "-"


@dataclass
class Row:
    """`cells`: the combinations that were really met, such as phases at which transfers stood.

    `happened` counts what is promised not to happen; `unpromised` are those of which that is not promised
    under this fault: they are shown, and break nothing.
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
    """For whoever watches the run."""
    facts: list[str] = field(default_factory=list)
    """What was measured beside the columns: they go below the table."""

    @property
    def broken(self) -> bool:
        """Whether any promise was."""
        return bool(self.problems) or any(
            count for what, count in self.happened.items() if what not in self.unpromised
        )

    def recovered(self, recovery_s: float) -> None:
        """Keep the longest recovery of those measured; one without an end is a broken promise."""
        self.recovery_s = max(recovery_s, self.recovery_s or 0.0)
        if recovery_s == math.inf:
            self.problems.append(f"{self.fault} {self.struck}: what was in the stream is not worked off")

    def all_complete(self) -> None:
        """Nothing stood in the way of any of them: where one is not complete, that is a broken promise."""
        if hurt := self.transfers - self.outcomes["complete"]:
            self.problems.append(f"{self.fault} {self.struck}: {hurt} were hurt: {dict(self.outcomes)}")

    def cells_shown(self) -> tuple[str, ...]:
        recovery = NOT_MEASURED if self.recovery_s is None else f"{self.recovery_s:.1f}"
        numbers = (self.cells, self.transfers, self.outcomes["complete"])
        return (self.fault, self.struck, *map(str, numbers), *map(self._shown, PROMISED), recovery)

    def _shown(self, what: str) -> str:
        count = self.happened[what]
        return f"{count} (not promised)" if count and what in self.unpromised else str(count)


def table(rows: list[Row]) -> str:
    """All rows, as Markdown."""
    lines = [HEAD, *(row.cells_shown() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    shown = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)
