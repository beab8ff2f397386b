"""ROADS: subjects, the stream, workers, the log, timers, intents and the embedded server.

The law of this room: only here is nats imported, and nothing of it leaves. Payloads are bytes; what they
mean is said in `warmxfer.schemas`. Every await on the broker has a deadline, every queue and every retry
a limit, and every error is one of Retry, Refused or Broken (`errors.py`).
"""

from __future__ import annotations

from . import subjects, timers
from .broker_clock import BrokerClock
from .bus import Bus
from .diagnostics import BrokerReport, ConsumerBacklog
from .effect_claims import ClaimResult, claim_effect
from .embedded_server import EmbeddedServer
from .errors import (
    AccessDenied,
    DeadLetter,
    InternalError,
    InvalidRequest,
    NoReply,
    RetryableError,
    StaleWrite,
    Unavailable,
    UnsupportedServer,
)
from .messages import Delivery, LiveMessage, Outgoing, Stored
from .request_reply import Responder
from .settings import BusSettings
from .subscriptions import Subscription
from .transfer_log import LogEntry, TransferLog
from .worker import Worker

__all__ = [
    "AccessDenied",
    "BrokerClock",
    "BrokerReport",
    "Bus",
    "BusSettings",
    "ClaimResult",
    "ConsumerBacklog",
    "DeadLetter",
    "Delivery",
    "EmbeddedServer",
    "InternalError",
    "InvalidRequest",
    "LiveMessage",
    "LogEntry",
    "NoReply",
    "Outgoing",
    "Responder",
    "RetryableError",
    "StaleWrite",
    "Stored",
    "Subscription",
    "TransferLog",
    "Unavailable",
    "UnsupportedServer",
    "Worker",
    "claim_effect",
    "subjects",
    "timers",
]
