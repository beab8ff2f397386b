"""Metrics of a process: counters, histograms and gauges, and their text for Prometheus.

Each folder declares its metrics beside the code that observes them. docs/metrics.md lists all of them
(`tests/docs/test_metrics.py`).
"""

from __future__ import annotations

from .instruments import (
    LATENCY_BOUNDS_S,
    OTHER,
    WAIT_BOUNDS_S,
    Counter,
    Gauge,
    Histogram,
    Instrument,
    Label,
    declared,
)

__all__ = [
    "LATENCY_BOUNDS_S",
    "OTHER",
    "WAIT_BOUNDS_S",
    "Counter",
    "Gauge",
    "Histogram",
    "Instrument",
    "Label",
    "declared",
]
