"""Spans: what other folders call. While traces are off, each function returns at once.

The span of the task that runs is kept in a variable of its own, not in OpenTelemetry's context. So spans of a
voice-agent framework in the same process do not mix with those of a transfer.

- Invariant: a process makes spans only of a message that carries a header, or inside another span.
- Invariant: an error is named by its class. Its text may quote a call.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .attributes import NO_ATTRIBUTES, Attribute, Attributes, Kind
from .traceparent import HEADER, TraceParent

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from .recorder import Recorder

NO_HEADERS: Mapping[str, str] = {}


class SpanContext(Protocol):
    """The context inside which a span is the current one."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Current(NamedTuple):
    """The span of the task that runs."""

    span: Span
    place: TraceParent


_recorder: Recorder | None = None
_current: ContextVar[_Current | None] = ContextVar("warmxfer_span", default=None)


def use(recorder: Recorder | None) -> None:
    """Record spans with `recorder` from now on; None: record none."""
    global _recorder
    _recorder = recorder


def stop_using(recorder: Recorder) -> None:
    """Record no more spans with `recorder`. One that another call of `use` has given stays."""
    global _recorder
    if _recorder is recorder:
        _recorder = None


def is_on() -> bool:
    """Return whether this process records spans."""
    return _recorder is not None


def received(headers: Mapping[str, str]) -> TraceParent | None:
    """Return the span that sent a message with these headers. None if it names none, or traces are off."""
    return TraceParent.parse(headers.get(HEADER)) if _recorder is not None else None


def headers() -> Mapping[str, str]:
    """Return the headers for a message that another task sends later for the current span."""
    value = header()
    return NO_HEADERS if value is None else {HEADER: value}


def header() -> str | None:
    """Return the header for a message that the current span sends, or None."""
    if _recorder is None or (current := _current.get()) is None:
        return None
    return current.place.header


def users_header() -> str | None:
    """Return the header of the current span of OpenTelemetry's context, or None.

    It is the span of a user's program. A process that has not imported OpenTelemetry has none.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    found = api.get_current_span().get_span_context()
    if not found.is_valid:
        return None
    return TraceParent(found.trace_id, found.span_id, bool(found.trace_flags.sampled)).header


def sampled(parent: TraceParent | None, trace_id: int) -> bool:
    """Return whether the sampler records a new trace. `parent`: the user's span that began it."""
    return _recorder is not None and _recorder.samples(parent, trace_id)


def span(name: str, kind: Kind, attributes: Attributes = NO_ATTRIBUTES) -> SpanContext:
    """Return a context with a span inside the current one. Without a current one, it does nothing."""
    if _recorder is None or (current := _current.get()) is None:
        return _NOTHING
    return _OpenSpan(_recorder, name, kind, current.place, None, attributes, ())


def handle(
    name: str,
    parent: TraceParent | None,
    attributes: Attributes = NO_ATTRIBUTES,
    *,
    kind: Kind = Kind.CONSUMER,
    span_id: int | None = None,
    links: tuple[TraceParent, ...] = (),
) -> SpanContext:
    """Return a context with a span for a message that `parent` sent. Without `parent`, no span is inside.

    A task may have been started inside a span of another transfer. That one is not the current one here.
    """
    if _recorder is None:
        return _NOTHING
    if parent is None:
        return _WithoutSpan()
    return _OpenSpan(_recorder, name, kind, parent, span_id, attributes, links)


def annotate(attributes: Attributes) -> None:
    """Add attributes to the current span, if there is one."""
    if _recorder is not None and (current := _current.get()) is not None:
        for name, value in attributes.items():
            current.span.set_attribute(name.value, value)


def record_ended(
    name: str,
    own: TraceParent,
    parent: TraceParent | None,
    began_at: float,
    ended_at: float,
    attributes: Attributes,
    *,
    failed: bool = False,
) -> None:
    """Record the span `own`, which began and ended at these epoch seconds. The same one twice is one span."""
    if _recorder is not None:
        _recorder.record_ended(name, own, parent, began_at, ended_at, attributes, failed=failed)


class _Nothing:
    """The context while traces are off."""

    __slots__ = ()

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


_NOTHING = _Nothing()


class _WithoutSpan:
    """A context in which no span is the current one."""

    __slots__ = ("_token",)

    _token: Token[_Current | None]

    def __enter__(self) -> None:
        self._token = _current.set(None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)


class _OpenSpan:
    """A context in which a new span is the current one."""

    __slots__ = (
        "_attributes",
        "_kind",
        "_links",
        "_name",
        "_parent",
        "_recorder",
        "_span",
        "_span_id",
        "_token",
    )

    _span: Span
    _token: Token[_Current | None]

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        kind: Kind,
        parent: TraceParent,
        span_id: int | None,
        attributes: Attributes,
        links: tuple[TraceParent, ...],
    ) -> None:
        self._recorder = recorder
        self._name = name
        self._kind = kind
        self._parent = parent
        self._span_id = span_id
        self._attributes = attributes
        self._links = links

    def __enter__(self) -> None:
        self._span, place = self._recorder.start(
            self._name, self._kind, self._parent, self._span_id, self._attributes, self._links
        )
        self._token = _current.set(_Current(self._span, place))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        if error is not None:
            self._span.set_attribute(Attribute.ERROR.value, type(error).__name__)
            if not isinstance(error, asyncio.CancelledError):
                self._recorder.mark_failed(self._span)
        self._span.end()
