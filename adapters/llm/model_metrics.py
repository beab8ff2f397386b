"""Metrics and spans of the requests to a chat model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from warmxfer import tracing
from warmxfer.metrics import LATENCY_BOUNDS_S, Counter, Histogram, Label
from warmxfer.schemas import InvalidRequest, RetryableError
from warmxfer.tracing import Attribute

REQUESTS = Counter(
    "warmxfer_model_requests_total",
    "Requests to the chat model, by how they ended.",
    Label("ended", ("answered", "unavailable", "refused", "abandoned", "failed")),
)
LATENCY = Histogram(
    "warmxfer_model_request_seconds",
    "How long a request to the chat model took, up to the end of its answer.",
    bounds=LATENCY_BOUNDS_S,
)


@contextmanager
def observed() -> Iterator[None]:
    """Observe the request inside: its duration, and how it ended.

    `unavailable` is a RetryableError, `refused` an InvalidRequest, `abandoned` a cancellation by the caller.
    """
    with tracing.span("chat", tracing.Kind.CLIENT, {Attribute.MODEL_OPERATION: "chat"}), _counted():
        yield


@contextmanager
def _counted() -> Iterator[None]:
    loop = asyncio.get_running_loop()
    began_at, ended = loop.time(), "failed"
    try:
        yield
        ended = "answered"
    except RetryableError:
        ended = "unavailable"
        raise
    except InvalidRequest:
        ended = "refused"
        raise
    except asyncio.CancelledError:
        ended = "abandoned"
        raise
    finally:
        tracing.annotate({Attribute.ENDED: ended})
        REQUESTS.count(ended)
        LATENCY.observe(loop.time() - began_at)
