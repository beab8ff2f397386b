"""The kinds and the attributes of spans. No other attribute may be used.

- Invariant: no attribute has a phone number, a name, an address, or any text of a call or of an error.
- Invariant: each attribute but `TRANSFER_ID` has a value of a list in the code, or a number.

Tests: `tests/tracing/test_attributes.py`, `tests/e2e/test_trace.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

AttributeValue = str | int | float | bool


class Kind(StrEnum):
    """The kind of a span, as OpenTelemetry names it."""

    INTERNAL = "INTERNAL"
    CLIENT = "CLIENT"
    SERVER = "SERVER"
    CONSUMER = "CONSUMER"


class Attribute(StrEnum):
    """The name of an attribute. The docstring below each says what its value is."""

    TRANSFER_ID = "warmxfer.transfer.id"
    """The id of the transfer, as in logs."""
    PHASE = "warmxfer.phase"
    """A phase of docs/protocol.md."""
    OUTCOME = "warmxfer.outcome"
    """An outcome of docs/protocol.md."""
    STAGE = "warmxfer.stage"
    """The stage of the transfer after the event."""
    COMMAND = "warmxfer.command"
    """The type of a command of docs/internals.md."""
    REPLY = "warmxfer.reply"
    """The type of the reply to a command; `none` if none came."""
    FAILURE = "warmxfer.failure"
    """The kind of failure that a reply names."""
    DELIVERY = "warmxfer.delivery"
    """1 for the first delivery of a message, 2 for the second."""
    RESULT = "warmxfer.result"
    """How handling a delivery ended, as in docs/metrics.md."""
    ENDED = "warmxfer.ended"
    """How a request to the provider or the model ended, as in docs/metrics.md."""
    QUEUE = "messaging.consumer.group.name"
    """The role whose messages a worker takes."""
    SYSTEM = "messaging.system"
    """`nats`."""
    OPERATION = "messaging.operation.type"
    """`process`."""
    METHOD = "http.request.method"
    """The method of a request to the provider."""
    PATH = "url.template"
    """The path of a request to the provider, with names in place of its ids."""
    STATUS = "http.response.status_code"
    """The status of the provider's response."""
    MODEL_OPERATION = "gen_ai.operation.name"
    """`chat`."""
    ERROR = "error.type"
    """The name of the class of an error, without its text."""


Attributes = Mapping[Attribute, AttributeValue]
NO_ATTRIBUTES: Attributes = {}
