"""The header `traceparent` on messages, and the spans of workers, requests and replies."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator

import pytest

from tests.testkit.recorded_spans import RecordedSpans, attributes, parent_id, place_of, recorded_spans
from tests.testkit.waiting import until
from warmxfer import tracing
from warmxfer.bus import (
    Bus,
    DeadLetter,
    Delivery,
    LiveMessage,
    Outgoing,
    RetryableError,
    Worker,
    subjects,
    timers,
)
from warmxfer.tracing import HEADER, Attribute, TraceParent

SENDER = TraceParent(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, sampled=True)
FROM_SENDER = {HEADER: SENDER.header}
PATIENCE_S = 10.0


@pytest.fixture
def spans() -> Iterator[RecordedSpans]:
    with recorded_spans() as recorded:
        yield recorded


@pytest.fixture
def id() -> str:
    return f"t-{secrets.token_hex(6)}"


async def header_of(bus: Bus, subject: str) -> TraceParent | None:
    """Return what the last message on `subject` names as its sender."""
    stored = await bus.get_last_from_leader(subject)
    assert stored is not None
    return TraceParent.parse(stored.headers.get(HEADER))


async def test_a_message_names_the_span_that_publishes_it(bus: Bus, spans: RecordedSpans, id: str) -> None:
    with tracing.handle("process", SENDER):
        await bus.publish(subjects.event(id, "gateway"), b"{}")
        await bus.publish_all([Outgoing(subjects.phase(id), b"{}", None, FROM_SENDER)])
    await bus.publish(subjects.result(id), b"{}")
    assert await header_of(bus, subjects.event(id, "gateway")) == place_of(spans.one("process"))
    assert await header_of(bus, subjects.phase(id)) == SENDER
    assert await header_of(bus, subjects.result(id)) is None


async def test_without_traces_a_message_has_no_header(bus: Bus, id: str) -> None:
    with tracing.handle("process", SENDER):
        await bus.publish(subjects.event(id, "gateway"), b"{}")
    assert await header_of(bus, subjects.event(id, "gateway")) is None


async def test_a_timer_that_fires_carries_the_header_it_was_set_with(bus: Bus, id: str) -> None:
    timer = timers.schedule(id, "deadline", time.time() - 1, b"{}")
    await bus.publish_all([Outgoing(timer.subject, timer.data, None, {**timer.headers, **FROM_SENDER})])
    async with asyncio.timeout(PATIENCE_S):
        while await bus.get_last(subjects.timeout(id)) is None:
            await asyncio.sleep(0.05)
    assert await header_of(bus, subjects.timeout(id)) == SENDER


async def test_each_delivery_is_a_span_and_a_redelivery_links_to_the_one_before(
    fresh_bus: Bus, spans: RecordedSpans
) -> None:
    seen: list[str | None] = []

    async def handle(delivery: Delivery) -> None:
        seen.append(tracing.header())
        if delivery.delivery_count == 1:
            raise RetryableError("not yet", after_s=0.1)

    async with Worker(fresh_bus, "gateway", handle, jobs=1):
        await fresh_bus.publish(subjects.work_queue("t-1", "gateway"), b"{}", headers=FROM_SENDER)
        await until(lambda: len(spans.all) == 2, within_s=PATIENCE_S)
    first, second = spans.named("process gateway")
    assert [parent_id(each) for each in spans.all] == [SENDER.span_id] * 2
    assert [place_of(each).header for each in spans.all] == seen
    assert [each.context.span_id for each in second.links] == [place_of(first).span_id]
    assert len(first.links) == 0
    results = [
        (attributes(each)[Attribute.DELIVERY], attributes(each)[Attribute.RESULT]) for each in spans.all
    ]
    assert results == [(1, "retried"), (2, "acknowledged")]


async def test_a_delivery_that_another_process_took_is_linked_to(
    fresh_bus: Bus, spans: RecordedSpans
) -> None:
    """The process died before it could export its span. The span's id is derived, so the link is right."""
    deliveries: list[Delivery] = []

    async def handle(delivery: Delivery) -> None:
        deliveries.append(delivery)
        if delivery.delivery_count == 1:
            await asyncio.sleep(PATIENCE_S)

    await fresh_bus.publish(subjects.work_queue("t-1", "gateway"), b"{}", headers=FROM_SENDER)
    async with Worker(fresh_bus, "gateway", handle, jobs=1, drain_s=0.1):
        await until(lambda: len(deliveries) == 1, within_s=PATIENCE_S)
    (died,) = spans.all
    spans.exporter.clear()
    async with Worker(fresh_bus, "gateway", handle, jobs=1):
        await until(lambda: spans.names == ["process gateway"], within_s=PATIENCE_S)
    assert [each.context.span_id for each in spans.all[0].links] == [place_of(died).span_id]


async def test_a_dead_letter_names_the_delivery_that_failed(fresh_bus: Bus, spans: RecordedSpans) -> None:
    async def handle(_: Delivery) -> None:
        raise DeadLetter("Ann called from +14155550123")

    async with Worker(fresh_bus, "gateway", handle, jobs=1):
        await fresh_bus.publish(subjects.work_queue("t-1", "gateway"), b"{}", headers=FROM_SENDER)
        await until(lambda: len(spans.all) == 1, within_s=PATIENCE_S)
    span = spans.one("process gateway")
    assert await header_of(fresh_bus, subjects.dead_letter("t-1")) == place_of(span)
    assert attributes(span)[Attribute.RESULT] == "dead_lettered"
    assert "Ann" not in span.to_json()


async def test_a_message_without_a_header_makes_no_span(fresh_bus: Bus, spans: RecordedSpans) -> None:
    handled = asyncio.Event()

    async def handle(_: Delivery) -> None:
        assert tracing.header() is None
        handled.set()

    for hostile in ({}, {HEADER: "00-x-y-01"}, {HEADER: ""}):
        handled.clear()
        async with Worker(fresh_bus, "gateway", handle, jobs=1):
            await fresh_bus.publish(subjects.work_queue("t-1", "gateway"), b"{}", headers=hostile)
            await asyncio.wait_for(handled.wait(), PATIENCE_S)
    assert spans.all == []


async def test_a_live_message_has_its_headers(bus: Bus, id: str) -> None:
    async with bus.subscribe(subjects.phase(id)) as messages:
        await bus.publish(subjects.phase(id), b"{}", headers=FROM_SENDER)
        message = await messages.next(PATIENCE_S)
    assert message is not None
    assert message.headers[HEADER] == SENDER.header


async def test_a_request_and_its_reply_are_two_spans(bus: Bus, spans: RecordedSpans) -> None:
    subject = subjects.ask_history(secrets.token_hex(6))

    async def reply(message: LiveMessage) -> bytes:
        return b"none" if tracing.header() is None else b"inside a span"

    async with bus.serve(subject, reply):
        with tracing.handle("process", SENDER):
            assert await bus.request(subject, b"", PATIENCE_S) == b"inside a span"
        assert await bus.request(subject, b"", PATIENCE_S) == b"none"
    requested, served = spans.one("request ask.history"), spans.one("serve ask.history")
    assert parent_id(served) == place_of(requested).span_id
    assert parent_id(requested) == place_of(spans.one("process")).span_id


async def test_the_query_for_liveness_makes_no_span(bus: Bus, spans: RecordedSpans) -> None:
    """A session asks it again and again, for as long as the caller is held."""

    async def reply(_: LiveMessage) -> bytes:
        return b"{}"

    async with bus.serve(subjects.ASK_LIVENESS, reply):
        with tracing.handle("process", SENDER):
            await bus.request(subjects.ASK_LIVENESS, b"", PATIENCE_S)
    assert spans.names == ["process"]
