"""Records spans with OpenTelemetry's SDK, and sends them to a collector or a file. Needs the extra `otel`.

The SDK reads its own variables, such as `OTEL_EXPORTER_OTLP_ENDPOINT` and `OTEL_TRACES_SAMPLER`.
A thread exports. If the collector does not answer, spans are dropped, and no transfer waits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NoOpTracer

from . import spans
from .otlp_file import FileExporter
from .recorder import Recorder
from .settings import TraceSettings

SCOPE = "warmxfer"
FLUSH_S = 3.0
"""Longest time that a process that stops waits for its last spans to be sent."""


class ForcedIds(RandomIdGenerator):
    """Random ids, but those that `force` gives to the next span. The sampler sees the same ids."""

    def __init__(self) -> None:
        self._next: tuple[int, int] | None = None

    def force(self, trace_id: int, span_id: int) -> None:
        self._next = (trace_id, span_id)

    def generate_trace_id(self) -> int:
        return self._next[0] if self._next is not None else super().generate_trace_id()

    def generate_span_id(self) -> int:
        forced, self._next = self._next, None
        return forced[1] if forced is not None else super().generate_span_id()


def start(settings: TraceSettings, role: str, version: str) -> Callable[[], None]:
    """Record spans of this process from now on, and return the function that ends it.

    That function blocks for at most `FLUSH_S`.
    """
    path = settings.path
    exporter = OTLPSpanExporter() if path is None else FileExporter(path)
    return start_with(BatchSpanProcessor(exporter), role, version)


def start_with(processor: SpanProcessor, role: str, version: str) -> Callable[[], None]:
    """Record spans with `processor`; see `start`."""
    ids = ForcedIds()
    provider = TracerProvider(resource=_resource(role, version), shutdown_on_exit=False, id_generator=ids)
    provider.add_span_processor(processor)

    def samples(context: Context, trace_id: int) -> bool:
        return provider.sampler.should_sample(context, trace_id, SCOPE).decision.is_sampled()

    tracer = provider.get_tracer(SCOPE, version)
    recorder = Recorder(tracer, ids, samples)
    if not isinstance(tracer, NoOpTracer):  # OTEL_SDK_DISABLED=true
        spans.use(recorder)

    def stop() -> None:
        spans.stop_using(recorder)
        # The exporter may wait for a collector that does not answer. This process does not.
        closing = threading.Thread(target=provider.shutdown, name="close_traces", daemon=True)
        closing.start()
        closing.join(FLUSH_S)

    return stop


def _resource(role: str, version: str) -> Resource:
    """Return what all spans of this process have in common. `OTEL_SERVICE_NAME` replaces the name."""
    attributes: dict[str, str | int] = {"service.version": version, "warmxfer.role": role}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        attributes["service.name"] = f"warmxfer-{role}"
    return Resource.create(attributes)
