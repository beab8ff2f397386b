"""Spans of one process, recorded in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode

from tests.testkit.recorded_spans import RecordedSpans, attributes, parent_id, place_of, recorded_spans
from warmxfer import tracing
from warmxfer.tracing import HEADER, Attribute, Kind, TraceParent

SENDER = TraceParent(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, sampled=True)
UNSAMPLED = SENDER._replace(sampled=False)


@pytest.fixture
def spans() -> Iterator[RecordedSpans]:
    with recorded_spans() as recorded:
        yield recorded


def test_without_traces_nothing_is_sent_and_nothing_is_read() -> None:
    assert not tracing.is_on()
    assert tracing.received({HEADER: SENDER.header}) is None
    with tracing.handle("process", SENDER), tracing.span("inside", Kind.CLIENT):
        tracing.annotate({Attribute.ENDED: "answered"})
        assert tracing.header() is None
        assert tracing.headers() == {}


def test_a_span_is_inside_the_one_that_sent_the_message(spans: RecordedSpans) -> None:
    with tracing.handle("process gateway", tracing.received({HEADER: SENDER.header})):
        with tracing.span("POST /v2/rooms", Kind.CLIENT):
            tracing.annotate({Attribute.STATUS: 200})
        sent = TraceParent.parse(tracing.header())
    handled, request = spans.one("process gateway"), spans.one("POST /v2/rooms")
    assert parent_id(handled) == SENDER.span_id
    assert parent_id(request) == place_of(handled).span_id
    assert {place_of(each).trace_id for each in spans.all} == {SENDER.trace_id}
    assert sent == place_of(handled)
    assert attributes(request) == {Attribute.STATUS.value: 200}
    assert (handled.kind.name, request.kind.name) == ("CONSUMER", "CLIENT")


def test_a_span_gets_the_id_that_was_derived(spans: RecordedSpans) -> None:
    with tracing.handle("process", SENDER, span_id=77, links=(SENDER.with_span(5),)):
        pass
    with tracing.handle("process again", SENDER):
        pass
    first, second = spans.all
    assert place_of(first).span_id == 77
    assert place_of(second).span_id != 77
    assert [each.context.span_id for each in first.links] == [5]


def test_a_message_without_a_header_is_in_no_trace(spans: RecordedSpans) -> None:
    """A task that handles it may have been started inside a span of another transfer."""
    with tracing.handle("process", SENDER):
        with tracing.handle("process", None):
            assert tracing.header() is None
            with tracing.span("inside", Kind.CLIENT):
                assert tracing.header() is None
        assert tracing.header() is not None
    assert spans.names == ["process"]


def test_an_error_is_named_by_its_class_alone(spans: RecordedSpans) -> None:
    with pytest.raises(ValueError, match="Ann"), tracing.handle("process", SENDER):
        raise ValueError("Ann called from +14155550123")
    failed = spans.one("process")
    assert attributes(failed) == {Attribute.ERROR.value: "ValueError"}
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description is None
    assert failed.events == ()


def test_a_cancelled_span_has_not_failed(spans: RecordedSpans) -> None:
    with pytest.raises(asyncio.CancelledError), tracing.handle("process", SENDER):
        raise asyncio.CancelledError
    assert spans.one("process").status.status_code is StatusCode.UNSET


async def test_a_task_continues_the_span_in_which_it_was_started(spans: RecordedSpans) -> None:
    async def request() -> None:
        with tracing.span("inside", Kind.CLIENT):
            await asyncio.sleep(0)

    with tracing.handle("one", SENDER):
        first = asyncio.create_task(request())
    with tracing.handle("two", SENDER):
        second = asyncio.create_task(request())
    await asyncio.gather(first, second)
    parents = {parent_id(each) for each in spans.named("inside")}
    assert parents == {place_of(spans.one(name)).span_id for name in ("one", "two")}


def test_what_is_not_sampled_is_sent_on_and_not_recorded(spans: RecordedSpans) -> None:
    with tracing.handle("process", UNSAMPLED):
        sent = TraceParent.parse(tracing.header())
    tracing.record_ended("transfer", UNSAMPLED, None, 1.0, 2.0, {})
    assert sent is not None
    assert (sent.trace_id, sent.sampled) == (SENDER.trace_id, False)
    assert spans.all == []


def test_a_span_that_has_ended_is_recorded_with_its_own_ids_and_times(spans: RecordedSpans) -> None:
    own = TraceParent(7, 9, sampled=True)
    tracing.record_ended("transfer", own, None, 1.5, 4.0, {Attribute.OUTCOME: "complete"}, failed=True)
    span = spans.one("transfer")
    assert (place_of(span), parent_id(span)) == (own, None)
    assert (span.start_time, span.end_time) == (1_500_000_000, 4_000_000_000)
    assert span.status.status_code is StatusCode.ERROR
    tracing.record_ended("command", own.with_span(10), own, 5.0, 4.0, {})
    inside = spans.one("command")
    assert parent_id(inside) == own.span_id
    assert inside.start_time == inside.end_time


def test_the_sampler_decides_about_a_new_trace(spans: RecordedSpans, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracing.sampled(None, SENDER.trace_id)
    assert tracing.sampled(SENDER, SENDER.trace_id)
    assert not tracing.sampled(UNSAMPLED, SENDER.trace_id)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    with recorded_spans():
        decided = [tracing.sampled(None, tracing.trace_id_of(f"t-{n}")) for n in range(200)]
        assert decided == [tracing.sampled(None, tracing.trace_id_of(f"t-{n}")) for n in range(200)]
    assert 60 < sum(decided) < 140


def test_the_sdk_can_be_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with recorded_spans():
        assert not tracing.is_on()


def test_the_spans_of_a_framework_in_this_process_stay_apart(spans: RecordedSpans) -> None:
    theirs = TracerProvider(shutdown_on_exit=False).get_tracer("framework")
    with theirs.start_as_current_span("turn") as turn:
        with tracing.handle("process", SENDER):
            assert api.get_current_span() is turn
        own = tracing.users_header()
    assert parent_id(spans.one("process")) == SENDER.span_id
    assert own == f"00-{turn.get_span_context().trace_id:032x}-{turn.get_span_context().span_id:016x}-01"
    assert tracing.users_header() is None


ROLES = ("coordinator", "gateway", "summarizer", "briefing", "primary")


def test_no_actor_imports_opentelemetry_without_traces() -> None:
    """Its import would delay the readiness of each process."""
    modules = ", ".join(
        (
            "warmxfer.actors.runtime.runner",
            "warmxfer.client",
            *(f"warmxfer.actors.{role}" for role in ROLES),
        )
    )
    code = f"import sys, {modules}; sys.exit('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
