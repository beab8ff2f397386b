"""ROADS: subjects, the stream, workers, the log, timers, intents and the embedded server.

The law of this room: only here is nats imported, and nothing of it leaves. Payloads are bytes; what they
mean is said in `warmxfer.schemas`. Every await on the broker has a deadline, every queue and every retry
a limit, and every error is one of Retry, Refused or Broken (`errors.py`).
"""

from __future__ import annotations

from . import subjects, timers
from .clock import BrokerClock
from .connection import Bus
from .errors import (
    AccessDenied,
    Broken,
    NoOneAnswered,
    Park,
    Refused,
    Retry,
    StaleWrite,
    Unavailable,
    UnfitServer,
)
from .inspection import Inspection, Queue
from .intents import Claim, claim
from .listening import Answering, Listener
from .log import Entry, Log
from .messages import Delivery, Heard, Outgoing, Stored
from .server import EmbeddedServer
from .settings import BusSettings
from .worker import Worker

__all__ = [
    "AccessDenied",
    "Answering",
    "Broken",
    "BrokerClock",
    "Bus",
    "BusSettings",
    "Claim",
    "Delivery",
    "EmbeddedServer",
    "Entry",
    "Heard",
    "Inspection",
    "Listener",
    "Log",
    "NoOneAnswered",
    "Outgoing",
    "Park",
    "Queue",
    "Refused",
    "Retry",
    "StaleWrite",
    "Stored",
    "Unavailable",
    "UnfitServer",
    "Worker",
    "claim",
    "subjects",
    "timers",
]
