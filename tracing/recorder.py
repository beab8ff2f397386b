"""Makes spans with a tracer of OpenTelemetry. Imported only in a process that records spans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.util.types import AnyValue

from .attributes import Attributes, Kind
from .traceparent import TraceParent

NS_PER_S = 1_000_000_000
NO_PARENT = Context()


class Ids(Protocol):
    """The source of ids for new spans."""

    def force(self, trace_id: int, span_id: int) -> None:
        """Give the next new span these ids."""
        ...


class Recorder:
    """Makes the spans of one process. Thread/loop: use it in one thread.

    `samples` says whether the sampler records a trace, which a user's span may have begun.
    """

    def __init__(self, tracer: Tracer, ids: Ids, samples: Callable[[Context, int], bool]) -> None:
        self._tracer = tracer
        self._ids = ids
        self._samples = samples

    def samples(self, parent: TraceParent | None, trace_id: int) -> bool:
        """Return whether the sampler records a trace that `parent` began."""
        return self._samples(_inside(parent), trace_id)

    def start(
        self,
        name: str,
        kind: Kind,
        parent: TraceParent,
        span_id: int | None,
        attributes: Attributes,
        links: tuple[TraceParent, ...],
    ) -> tuple[Span, TraceParent]:
        """Start a span; return it, and how its children know it. Without `span_id` it gets a random one."""
        if span_id is not None:
            self._ids.force(parent.trace_id, span_id)
        span = self._tracer.start_span(
            name,
            _inside(parent),
            SpanKind[kind.name],
            attributes=_plain(attributes),
            links=[Link(_remote(each)) for each in links],
        )
        own = span.get_span_context()
        return span, TraceParent(own.trace_id, own.span_id, own.trace_flags.sampled)

    def record_ended(
        self,
        name: str,
        own: TraceParent,
        parent: TraceParent | None,
        began_at: float,
        ended_at: float,
        attributes: Attributes,
        *,
        failed: bool,
    ) -> None:
        """Record a span that has ended, by its two moments in epoch seconds."""
        if not own.sampled:
            return
        self._ids.force(own.trace_id, own.span_id)
        span = self._tracer.start_span(
            name, _inside(parent), attributes=_plain(attributes), start_time=round(began_at * NS_PER_S)
        )
        if failed:
            self.mark_failed(span)
        span.end(round(max(began_at, ended_at) * NS_PER_S))

    @staticmethod
    def mark_failed(span: Span) -> None:
        """Say that the work of `span` failed."""
        span.set_status(StatusCode.ERROR)


def _plain(attributes: Attributes) -> dict[str, AnyValue]:
    return {name.value: value for name, value in attributes.items()}


def _inside(parent: TraceParent | None) -> Context:
    """Return a context in which `parent` is the current span, whatever the caller's context is."""
    return NO_PARENT if parent is None else set_span_in_context(NonRecordingSpan(_remote(parent)), NO_PARENT)


def _remote(place: TraceParent) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if place.sampled else TraceFlags.DEFAULT)
    return SpanContext(place.trace_id, place.span_id, is_remote=True, trace_flags=flags)
