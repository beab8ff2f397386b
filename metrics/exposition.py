"""The text of all metrics for Prometheus. prometheus-client writes it.

Import it in a thread, when the first reader asks: that takes tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from .instruments import Counter, Gauge, Histogram, Instrument, declared

CONTENT_TYPE = CONTENT_TYPE_LATEST


class _Instruments(Collector):
    """Gives prometheus-client the values of the instruments, each time they are read."""

    def collect(self) -> Iterator[Metric]:
        for each in declared():
            yield _family(each)


def _family(each: Instrument) -> Metric:
    names = [label.name for label in each.labels]
    match each:
        case Counter():
            counter = CounterMetricFamily(each.name, each.sentence, labels=names)
            for values, value in each.series().items():
                counter.add_metric(values, value)
            return counter
        case Histogram():
            histogram = HistogramMetricFamily(each.name, each.sentence, labels=names)
            bounds = [*(str(bound) for bound in each.bounds), "+Inf"]
            for values, (counts, total) in each.series().items():
                histogram.add_metric(values, list(zip(bounds, accumulate(counts), strict=True)), total)
            return histogram
        case Gauge():
            gauge = GaugeMetricFamily(each.name, each.sentence, labels=names)
            for values, value in each.series().items():
                gauge.add_metric(values, value)
            return gauge
        case _:
            raise TypeError(f"{each.name} is of the unknown type {type(each).__name__}")


_registry = CollectorRegistry()
_registry.register(_Instruments())
ProcessCollector(registry=_registry)
PlatformCollector(registry=_registry)
GCCollector(registry=_registry)


def exposition() -> bytes:
    """Return the text of all metrics, in the format `CONTENT_TYPE`."""
    return generate_latest(_registry)
