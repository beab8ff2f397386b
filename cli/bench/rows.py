"""One row of the benchmark: a figure, its target, and the floor of the same run. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from .machine import Usage


class Target(Struct, frozen=True):
    """The limit of a figure. With `at="least"` a row misses it below, with `at="most"` above."""

    value: float
    at: Literal["most", "least"] = "most"

    def met(self, value: float) -> bool:
        return value <= self.value if self.at == "most" else value >= self.value

    def __str__(self) -> str:
        return f"{'<=' if self.at == 'most' else '>='} {self.value:g}"


class Point(Struct, frozen=True):
    """A point of the plot: its panel, its line in that panel, and its place along the line."""

    panel: str
    x: float
    line: str = ""


class Row(Struct, frozen=True, kw_only=True):
    """One figure, as the median of `runs` runs. `problems` is empty if the ledger and the results agree.

    `value` is None if nothing could be measured. `reference` is the figure of the floor in the same run.
    """

    name: str
    value: float | None
    unit: str
    target: Target | None = None
    ratio_target: Target | None = None
    reference: float | None = None
    reference_name: str = "floor"
    others_cpu: float | None = None
    runs: int = 1
    note: str = ""
    problems: tuple[str, ...] = ()
    point: Point | None = None
    """Where the plot shows the figure."""

    @property
    def ratio(self) -> float | None:
        """The figure divided by the reference."""
        if self.value is None or not self.reference:
            return None
        return self.value / self.reference

    @property
    def ok(self) -> bool:
        """Whether everything completed and every target is met. A missing figure meets no target."""
        return (
            not self.problems
            and _met(self.target, self.value)
            and _met(self.ratio_target, self.ratio)
            and (self.value is not None or self.target is None)
        )

    def as_json(self) -> dict[str, object]:
        """Return the row as one JSON object."""
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "unit": self.unit,
            "target": _shown(self.target, self.ratio_target),
            "ok": self.ok,
            "reference": _rounded(self.reference),
            "ratio": _rounded(self.ratio),
            "others_cpu": None if self.others_cpu is None else round(self.others_cpu, 3),
            "runs": self.runs,
            "note": self.note,
            "problems": list(self.problems),
        }


def _met(target: Target | None, value: float | None) -> bool:
    return target is None or (value is not None and target.met(value))


def _shown(target: Target | None, ratio: Target | None) -> str | None:
    parts = [str(target)] if target else []
    parts += [f"ratio {ratio}"] if ratio else []
    return ", ".join(parts) or None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


class Sample(Struct, frozen=True, kw_only=True):
    """One measured run: how many transfers, how long, what they used, and what was wrong with them."""

    transfers: int
    seconds: float
    latencies_s: Sequence[float]
    usage: Usage
    transitions_s: Sequence[float] = ()
    problems: tuple[str, ...] = ()
    refused: int = 0
    undialled: int = 0
    """Transfers that failed because a gateway died after it had claimed their dial and before it dialled."""

    @property
    def rate(self) -> float:
        """Transfers a second."""
        return self.transfers / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU of actors and broker per transfer."""
        return 1_000 * self.usage.cpu_s / self.transfers


def median_row(
    name: str,
    unit: str,
    samples: Sequence[Sample],
    figure: Callable[[Sample], float],
    references: Sequence[Sample] = (),
    *,
    target: Target | None = None,
    ratio_target: Target | None = None,
    note: str = "",
) -> Row:
    """Return the row of one figure: medians of `samples` and of the interleaved `references`."""
    problems = tuple(problem for sample in (*samples, *references) for problem in sample.problems)
    return Row(
        name=name,
        value=statistics.median(figure(each) for each in samples),
        unit=unit,
        target=target,
        ratio_target=ratio_target,
        reference=statistics.median(figure(each) for each in references) if references else None,
        others_cpu=statistics.median(each.usage.others_cpu for each in (*samples, *references)),
        runs=len(samples),
        note=note,
        problems=problems,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values are: one of them, by rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
