"""Metrics of each actor's process: its version, its readiness and its connection to the broker."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager

from warmxfer.bus import Bus
from warmxfer.metrics import Gauge, Label

ROLE = Label("role", ("coordinator", "gateway", "summarizer", "briefing", "primary"))

BUILD = Gauge(
    "warmxfer_build_info", "1; its labels say what runs.", ROLE, Label("version", what="the version")
)
READY = Gauge("warmxfer_ready", "1 if `/readyz` answers 200, else 0.")
CONNECTED = Gauge("warmxfer_broker_connected", "1 if the connection to the broker is up, else 0.")


@contextmanager
def process_gauges(bus: Bus, role: str) -> Iterator[None]:
    """Show the gauges of this process while the context is open."""
    version = importlib.metadata.version("warmxfer")
    removals = [
        BUILD.read_from(lambda: {(role, version): 1}),
        READY.read_from(lambda: {(): not bus.readiness.failing()}),
        CONNECTED.read_from(lambda: {(): bus.connected}),
    ]
    try:
        yield
    finally:
        for remove in removals:
            remove()
