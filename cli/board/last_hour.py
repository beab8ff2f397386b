"""Counts and times of the transfers that ended within the last hour. Pure."""

from __future__ import annotations

from math import ceil, floor

from msgspec import Struct

HOUR_S = 3_600.0
SLOT_S = 120.0
"""Time that one bar of the plot stands for."""
MAX_ENDED = 20_000
"""Transfers that are counted. Of more, the newest count."""
MAX_DOTS = 400
"""Times to human in the plot: of more, the newest."""


class LastHour(Struct, frozen=True, kw_only=True):
    """What the page shows of the last hour."""

    ended: int
    reached: int
    """How many callers were put through."""
    within_target: int
    """How many of them had a human within the target, in whole seconds as the page shows them."""
    median_s: float | None
    p95_s: float | None
    """Times from the request until caller and supervisor were confirmed together."""
    slots: list[tuple[float, int, int]]
    """Start of the slot, callers put through, other ends. The oldest first; an empty slot is missing."""
    dots: list[tuple[float, float]]
    """When a caller was put through, and the time to human."""
    outcomes: dict[str, int]
    """How many ended in each way, the most frequent first."""


class EndedTransfers:
    """The ends of the last hour."""

    def __init__(self) -> None:
        self._ends: dict[str, tuple[float, str, float | None]] = {}

    def put(self, id: str, ended_at: float, outcome: str, to_human_s: float | None) -> None:
        """Count the end of a transfer, once for each id. `to_human_s`: None if no caller was put through."""
        self._ends[id] = (ended_at, outcome, to_human_s)
        if len(self._ends) > MAX_ENDED:
            del self._ends[next(iter(self._ends))]

    def forget_old(self, now: float) -> None:
        """Remove what is older than the hour before `now`."""
        for id in [id for id, (ended_at, _, _) in self._ends.items() if ended_at <= now - HOUR_S]:
            del self._ends[id]

    def figures(self, now: float, target_s: float) -> LastHour:
        """Return the figures of the hour before `now`. A caller should have a human within `target_s`."""
        ends = [each for each in self._ends.values() if now - HOUR_S < each[0] <= now + SLOT_S]
        times = sorted(to_human_s for _, _, to_human_s in ends if to_human_s is not None)
        slots: dict[float, tuple[int, int]] = {}
        outcomes: dict[str, int] = {}
        for ended_at, outcome, to_human_s in ends:
            start = ended_at // SLOT_S * SLOT_S
            reached, others = slots.get(start, (0, 0))
            slots[start] = (reached + 1, others) if to_human_s is not None else (reached, others + 1)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        dots = sorted((ended_at, to_human_s) for ended_at, _, to_human_s in ends if to_human_s is not None)
        return LastHour(
            ended=len(ends),
            reached=len(times),
            within_target=sum(floor(each) <= floor(target_s) for each in times),
            median_s=_quantile(times, 0.5),
            p95_s=_quantile(times, 0.95),
            slots=[(start, *counts) for start, counts in sorted(slots.items())],
            dots=dots[-MAX_DOTS:],
            outcomes=dict(sorted(outcomes.items(), key=lambda each: (-each[1], each[0]))),
        )


def _quantile(ordered: list[float], share: float) -> float | None:
    """Return the nearest-rank quantile of `ordered`, or None of nothing."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
