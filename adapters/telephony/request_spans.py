"""Spans of the requests to a telephony provider. The provider gets no header of ours."""

from __future__ import annotations

from warmxfer import tracing
from warmxfer.tracing import Attribute


def request_span(method: str, path: str) -> tracing.SpanContext:
    """Return the span of one request. `path` is the template of the API, without ids."""
    name = f"{method} {path}"
    return tracing.span(name, tracing.Kind.CLIENT, {Attribute.METHOD: method, Attribute.PATH: path})


def request_ended(ended: str, status: int | None) -> None:
    """Note in the current span how its request ended, by the word of the metrics."""
    tracing.annotate({Attribute.ENDED: ended})
    if status is not None:
        tracing.annotate({Attribute.STATUS: status})
