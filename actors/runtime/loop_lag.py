"""Lag of the event loop: how much later than asked for it calls back.

A process whose loop lags answers no liveness query and renews no lease in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from warmxfer.metrics import LATENCY_BOUNDS_S, Histogram

EVERY_S = 1.0
"""Pause between two measurements. Each costs one callback."""

LOOP_LAG = Histogram(
    "warmxfer_loop_lag_seconds",
    f"How much later than asked for the event loop called back, measured every {EVERY_S:g} s.",
    bounds=LATENCY_BOUNDS_S,
)


@contextmanager
def measured_loop_lag() -> Iterator[None]:
    """Measure the lag of the running event loop while the context is open."""
    loop = asyncio.get_running_loop()

    def measure(due_at: float) -> None:
        nonlocal handle
        now = loop.time()
        LOOP_LAG.observe(max(0.0, now - due_at))
        handle = loop.call_at(now + EVERY_S, measure, now + EVERY_S)

    first_at = loop.time() + EVERY_S
    handle = loop.call_at(first_at, measure, first_at)
    try:
        yield
    finally:
        handle.cancel()
