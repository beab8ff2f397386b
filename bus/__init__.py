"""Access to NATS JetStream: subjects, the stream, workers, the transfer log, timers, effect claims.

- Invariant: only this package imports nats, and no nats type or exception leaves it (`tests/test_layout.py`).
- Payloads are bytes. `warmxfer.schemas` defines what they mean.
- Every wait for the broker has a deadline. Every queue and every retry has a limit.
- Every error is a RetryableError, an InvalidRequest or an InternalError (`errors.py`).
"""

from __future__ import annotations

from . import subjects, timers
from .broker_clock import BrokerClock
from .budget import Budget
from .bus import Bus
from .dead_letters import DeadLetterBody
from .diagnostics import BrokerReport, ConsumerBacklog
from .effect_claims import ClaimResult, claim_effect, claims_are_complete
from .embedded_server import EmbeddedServer
from .errors import (
    AccessDenied,
    Busy,
    DeadLetter,
    InternalError,
    InvalidRequest,
    NewerVersionNeeded,
    NoReply,
    RetryableError,
    StaleWrite,
    Unavailable,
    UnsupportedServer,
    Unwanted,
)
from .job_slot import job_given_back
from .messages import Delivery, LiveMessage, Outgoing, Stored
from .request_reply import Responder
from .services import ProcessStatistics
from .settings import BusSettings
from .storage import StorageUse, StreamSpan
from .stored_dead_letters import NoSuchDeadLetter, StoredDeadLetter, find_dead_letter, newest_dead_letters
from .stream_health import StreamHealth
from .subscriptions import Subscription
from .transfer_log import LogEntry, TransferLog
from .worker import Worker

__all__ = [
    "AccessDenied",
    "BrokerClock",
    "BrokerReport",
    "Budget",
    "Bus",
    "BusSettings",
    "Busy",
    "ClaimResult",
    "ConsumerBacklog",
    "DeadLetter",
    "DeadLetterBody",
    "Delivery",
    "EmbeddedServer",
    "InternalError",
    "InvalidRequest",
    "LiveMessage",
    "LogEntry",
    "NewerVersionNeeded",
    "NoReply",
    "NoSuchDeadLetter",
    "Outgoing",
    "ProcessStatistics",
    "Responder",
    "RetryableError",
    "StaleWrite",
    "StorageUse",
    "Stored",
    "StoredDeadLetter",
    "StreamHealth",
    "StreamSpan",
    "Subscription",
    "TransferLog",
    "Unavailable",
    "UnsupportedServer",
    "Unwanted",
    "Worker",
    "claim_effect",
    "claims_are_complete",
    "find_dead_letter",
    "job_given_back",
    "newest_dead_letters",
    "subjects",
    "timers",
]
