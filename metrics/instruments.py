"""Counters, histograms and gauges in plain dictionaries, cheap enough for every message.

prometheus-client makes their text (`exposition.py`), and is imported only for that. Its own counters take a
lock for each observation, and its import takes tens of milliseconds.

- Invariant: the number of series of an instrument is bounded. A label has a fixed list of values, or at most
  `MAX_OPEN_VALUES` values from the code. Every further value becomes `OTHER`.
- Invariant: no label takes a value from a call: no id, number, name or text.
- Thread/loop: observe in one thread.

Tests: `tests/metrics/test_instruments.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

PREFIX = "warmxfer_"
OTHER = "other"
"""The value of a label that is given a value outside of its list."""

MAX_OPEN_VALUES = 32
"""Values of a label without a list. The code names them, such as the path template of a request."""
MAX_ZERO_SERIES = 64
"""A counter with so few possible series shows all of them from the start: so the first event is a rise."""

LATENCY_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds for what machines do."""
WAIT_BOUNDS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0)
"""Upper bounds for what people wait for."""

LabelValues = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """A label. `values` is the list of its values; empty: `what` says which values the code gives it."""

    name: str
    values: tuple[str, ...] = ()
    what: str = ""

    @property
    def max_values(self) -> int:
        """Most values that the label has, with `OTHER`."""
        return (len(self.values) or MAX_OPEN_VALUES) + 1


class Instrument:
    """What all instruments share: a name, a sentence, and labels. Each name is declared once a process."""

    kind = ""

    def __init__(self, name: str, sentence: str, *labels: Label) -> None:
        if not name.startswith(PREFIX):
            raise ValueError(f"name is {name!r}; begin it with {PREFIX}")
        if name in _declared:
            raise ValueError(f"name is {name!r}, which is declared already; give another one")
        self.name = name
        self.sentence = sentence
        self.labels = labels
        self._open_values: dict[str, set[str]] = {each.name: set() for each in labels if not each.values}
        _declared[name] = self

    @property
    def max_series(self) -> int:
        """Most series that this instrument has."""
        return prod(each.max_values for each in self.labels)

    def _bounded(self, values: LabelValues) -> LabelValues:
        """Return `values` with `OTHER` in place of each value that its label does not allow."""
        return tuple(
            value if self._allows(label, value) else OTHER
            for label, value in zip(self.labels, values, strict=True)
        )

    def _allows(self, label: Label, value: str) -> bool:
        if label.values:
            return value in label.values
        known = self._open_values[label.name]
        if value not in known and len(known) < MAX_OPEN_VALUES:
            known.add(value)
        return value in known


class Counter(Instrument):
    """A number that only grows: `count("gateway")` with one value for each label."""

    kind = "counter"

    def __init__(self, name: str, sentence: str, *labels: Label) -> None:
        super().__init__(name, sentence, *labels)
        self._series: dict[LabelValues, float] = {}
        if (
            all(each.values for each in labels)
            and prod(len(each.values) for each in labels) <= MAX_ZERO_SERIES
        ):
            self._series.update(dict.fromkeys(product(*(each.values for each in labels)), 0.0))

    def count(self, *values: str, by: float = 1.0) -> None:
        """Add `by` to the series with these label values."""
        try:
            self._series[values] += by
        except KeyError:
            values = self._bounded(values)
            self._series[values] = self._series.get(values, 0.0) + by

    def value(self, *values: str) -> float:
        """Return what was counted with these label values."""
        return self._series.get(values, 0.0)

    def series(self) -> dict[LabelValues, float]:
        """Return the value of each series."""
        return dict(self._series)


class Histogram(Instrument):
    """Observed values, counted by size. `bounds` are the upper bounds, growing."""

    kind = "histogram"

    def __init__(self, name: str, sentence: str, *labels: Label, bounds: Iterable[float]) -> None:
        super().__init__(name, sentence, *labels)
        self.bounds = tuple(bounds)
        self._series: dict[LabelValues, _Sizes] = {}
        if not labels:
            self._series[()] = _Sizes(self.bounds)

    def observe(self, value: float, *values: str) -> None:
        """Record one value in the series with these label values."""
        sizes = self._series.get(values)
        if sizes is None:
            values = self._bounded(values)
            sizes = self._series.setdefault(values, _Sizes(self.bounds))
        sizes.counts[bisect_left(self.bounds, value)] += 1
        sizes.total += value

    def count(self, *values: str) -> int:
        """Return how many values were observed with these label values."""
        return sum(self._series[values].counts) if values in self._series else 0

    def total(self, *values: str) -> float:
        """Return the sum of the values that were observed with these label values."""
        return self._series[values].total if values in self._series else 0.0

    def series(self) -> dict[LabelValues, tuple[list[int], float]]:
        """Return for each series the count of each size, the last one without bound, and the sum."""
        return {values: (list(sizes.counts), sizes.total) for values, sizes in self._series.items()}


Reading = Mapping[LabelValues, float]
Read = Callable[[], Reading]
"""Returns the value of each series now. It must return at once and must not raise."""


class Gauge(Instrument):
    """A value that is read when it is asked for, from each part of the process that has one."""

    kind = "gauge"

    def __init__(self, name: str, sentence: str, *labels: Label) -> None:
        super().__init__(name, sentence, *labels)
        self._reads: list[Read] = []

    def read_from(self, read: Read) -> Callable[[], None]:
        """Read from `read` too; values of equal series are added. Returns a function that ends this."""
        self._reads.append(read)
        return lambda: self._reads.remove(read)

    def series(self) -> dict[LabelValues, float]:
        """Return the value of each series now."""
        found: dict[LabelValues, float] = {}
        for read in self._reads:
            for values, value in read().items():
                bounded = self._bounded(values)
                found[bounded] = found.get(bounded, 0.0) + value
        return found


class _Sizes:
    """The counts of one series of a histogram."""

    __slots__ = ("counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0


_declared: dict[str, Instrument] = {}


def declared() -> list[Instrument]:
    """Return the instruments that the imported modules declare, by name."""
    return [_declared[name] for name in sorted(_declared)]
