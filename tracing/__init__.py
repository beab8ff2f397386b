"""Traces of transfers with OpenTelemetry: one trace for each transfer, over all processes.

`docs/tracing.md` describes the spans. `traceparent.py` is pure. Other folders call `spans.py`. It imports
nothing of OpenTelemetry, so a process without traces starts as fast as before. `recorder.py` needs
OpenTelemetry's API, `sdk.py` and `otlp_file.py` its SDK (the extra `otel`).
"""

from __future__ import annotations

from .attributes import Attribute, AttributeValue, Kind
from .process_traces import traces
from .settings import TraceSettings
from .spans import (
    SpanContext,
    annotate,
    handle,
    header,
    headers,
    is_on,
    received,
    record_ended,
    sampled,
    span,
    users_header,
)
from .traceparent import HEADER, TraceParent, span_id_of, trace_id_of

__all__ = [
    "HEADER",
    "Attribute",
    "AttributeValue",
    "Kind",
    "SpanContext",
    "TraceParent",
    "TraceSettings",
    "annotate",
    "handle",
    "header",
    "headers",
    "is_on",
    "received",
    "record_ended",
    "sampled",
    "span",
    "span_id_of",
    "trace_id_of",
    "traces",
    "users_header",
]
