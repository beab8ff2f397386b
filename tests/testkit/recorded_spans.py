"""Records the spans of this process in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from warmxfer.tracing import TraceParent, sdk


class RecordedSpans:
    """The spans that have ended since the start."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()

    @property
    def all(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        """Their names, in the order in which they ended."""
        return [each.name for each in self.all]

    def named(self, name: str) -> list[ReadableSpan]:
        return [each for each in self.all if each.name == name]

    def one(self, name: str) -> ReadableSpan:
        (found,) = self.named(name)
        return found


@contextmanager
def recorded_spans(role: str = "test") -> Iterator[RecordedSpans]:
    """Record spans while the context is open."""
    recorded = RecordedSpans()
    stop = sdk.start_with(SimpleSpanProcessor(recorded.exporter), role, "0")
    try:
        yield recorded
    finally:
        stop()


def place_of(span: ReadableSpan) -> TraceParent:
    """Return how the children of `span` know it."""
    own = span.get_span_context()
    assert own is not None
    return TraceParent(own.trace_id, own.span_id, own.trace_flags.sampled)


def parent_id(span: ReadableSpan) -> int | None:
    """Return the id of the span around `span`, or None."""
    return span.parent.span_id if span.parent is not None else None


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})
