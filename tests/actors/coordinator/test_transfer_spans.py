"""The spans of a transfer: complete, at the times of its log, whichever coordinator applies what."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from tests.testkit.recorded_spans import RecordedSpans, attributes, parent_id, place_of, recorded_spans
from warmxfer.actors.coordinator import Coordinator, transfer_spans, transfer_trace
from warmxfer.actors.coordinator.report import report
from warmxfer.actors.coordinator.state_machine import LAST_STAGES, Record, Stage
from warmxfer.bus import Bus, Outgoing, Stored, Unavailable, subjects
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    CommandFailed,
    DialSupervisor,
    FailureKind,
    Outcome,
    PhaseChanged,
    Summarize,
)
from warmxfer.tracing import HEADER, Attribute, TraceParent, span_id_of, trace_id_of

from .coordinator_fixture import (
    PATIENCE_S,
    deliver,
    records,
    request,
    run_until,
    running_coordinators,
    transitions,
)
from .fake_actors import FakeActors, answers

USER = TraceParent(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, sampled=True)
TOLERANCE_S = 0.001


@pytest.fixture
def spans() -> Iterator[RecordedSpans]:
    with recorded_spans("coordinator") as recorded:
        yield recorded


def beginning(spans: Sequence[ReadableSpan], word: str) -> list[ReadableSpan]:
    return [each for each in spans if each.name.startswith(f"{word} ")]


def seconds(ns: int | None) -> float:
    assert ns is not None
    return ns / 1e9


async def run_transfer(bus: Bus, id: str, **config: object) -> list[Record]:
    """Run a transfer among faultless actors; return its log."""
    async with running_coordinators(bus):
        await asyncio.wait_for(FakeActors(bus, id).run_transfer(request("room-a", **config)), PATIENCE_S)
    return await transitions(bus, id)


def check_against_report(spans: RecordedSpans, kept: list[Record]) -> None:
    """Assert that each phase, command and event of the log is a span of the one trace, at its time."""
    id, facts = kept[0].state.id, report(kept)
    root = spans.one("transfer")
    assert place_of(root) == TraceParent(trace_id_of(id), span_id_of("transfer", id), sampled=True)
    assert root.parent is None
    assert seconds(root.start_time) == pytest.approx(facts.moments.asked_at, abs=TOLERANCE_S)
    assert seconds(root.end_time) == pytest.approx(facts.moments.over_at, abs=TOLERANCE_S)
    assert {place_of(each).trace_id for each in spans.all} == {trace_id_of(id)}
    phases = [each.phase for record in kept for each in record.outbox if isinstance(each, PhaseChanged)]
    assert Counter(each.name for each in beginning(spans.all, "phase")) == Counter(
        f"phase {each}" for each in phases
    )
    commands = {place_of(each).span_id: each for each in beginning(spans.all, "command")}
    replied = [each for each in facts.commands if each.reply]
    for each in replied:
        span = commands[span_id_of("command", each.command_id)]
        assert span.name == f"command {each.kind}"
        assert seconds(span.start_time) == pytest.approx(each.sent_at, abs=TOLERANCE_S)
        took_s = seconds(span.end_time) - seconds(span.start_time)
        assert took_s == pytest.approx(each.took_s, abs=TOLERANCE_S)
        assert attributes(span)[Attribute.REPLY] == each.reply
    assert len(replied) >= 8
    for each in [*beginning(spans.all, "phase"), *commands.values()]:
        assert parent_id(each) == place_of(root).span_id
    applied = Counter(each.name for each in beginning(spans.all, "apply"))
    assert applied == Counter(f"apply {type(each.event).__struct_config__.tag}" for each in kept)


async def test_the_trace_of_a_transfer_is_its_report(fresh_bus: Bus, spans: RecordedSpans) -> None:
    kept = await run_transfer(fresh_bus, "t-1")
    check_against_report(spans, kept)
    assert attributes(spans.one("transfer"))[Attribute.OUTCOME] == Outcome.COMPLETE
    by_id = {place_of(each).span_id: each for each in spans.all}
    for each in beginning(spans.all, "apply"):
        (above,) = [by_id[parent_id(each) or 0]]
        assert above.name == "process fake" or each.name == "apply transfer_requested"
        if above.name == "process fake":
            assert by_id[parent_id(above) or 0].name.startswith("command ")


async def test_without_traces_no_message_names_one(fresh_bus: Bus) -> None:
    await run_transfer(fresh_bus, "t-1")
    for subject in (subjects.for_actors("t-1"), subjects.for_users("t-1")):
        stream = subjects.PUBLIC if subjects.is_for_users(subject) else subjects.CORE
        stored = await fresh_bus.history(subject, 200, stream=stream)
        assert stored
        assert not [each for each in stored if HEADER in each.headers]


async def test_a_coordinator_that_takes_over_continues_the_trace(
    fresh_bus: Bus, spans: RecordedSpans
) -> None:
    await run_until(fresh_bus, "t-1", Stage.RINGING, DialSupervisor)
    before = [each.command_id for each in report(await transitions(fresh_bus, "t-1")).commands]
    recorded_before = len(spans.all)
    assert not spans.named("transfer")
    actors = FakeActors(fresh_bus, "t-1")
    async with running_coordinators(fresh_bus):
        command = await _dial_of(fresh_bus, "t-1")
        ended = asyncio.create_task(_answer_all(actors, before))
        for event in answers(command):
            await actors.publish(event)
        await asyncio.wait_for(ended, PATIENCE_S)
    kept = await transitions(fresh_bus, "t-1")
    assert kept[-1].state.stage.ended
    assert len(spans.all) > recorded_before
    check_against_report(spans, kept)


async def _dial_of(bus: Bus, id: str) -> DialSupervisor:
    """Return the dial that nothing has answered."""
    sent = [each for record in await records(bus, id) for each in record.outbox]
    (dial,) = [each for each in sent if isinstance(each, DialSupervisor)]
    return dial


async def _answer_all(actors: FakeActors, handled: Sequence[str]) -> None:
    """Answer every command but those in `handled`, until the result is published."""
    bus, id = actors.bus, actors.id
    done = set(handled)
    while await bus.get_last(subjects.result(id)) is None:
        for record in await records(bus, id):
            for each in record.outbox:
                command_id = getattr(each, "command_id", None)
                if command_id is not None and command_id not in done:
                    done.add(command_id)
                    actors.commands.append(each)  # type: ignore[arg-type]
                    for event in answers(each):  # type: ignore[arg-type]
                        await actors.publish(event)
        await asyncio.sleep(0.02)


async def test_a_log_that_cannot_be_read_costs_spans_and_no_transfer(
    fresh_bus: Bus, spans: RecordedSpans, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_until(fresh_bus, "t-1", Stage.RINGING, DialSupervisor)
    before = len(await records(fresh_bus, "t-1"))
    actors = FakeActors(fresh_bus, "t-1")
    actors.commands.append(await _dial_of(fresh_bus, "t-1"))
    await actors.publish(answers(actors.commands[0])[0])
    read = fresh_bus.history

    async def refuse_whole_log(subject: str, *args: Any, after: int = 0, **options: Any) -> list[Stored]:
        if subject == subjects.log("t-1") and not after:
            refused.append(subject)
            raise Unavailable("no reply")
        return await read(subject, *args, after=after, **options)

    refused = list[str]()
    with monkeypatch.context() as patched:
        patched.setattr(fresh_bus, "history", refuse_whole_log)
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-1", "gateway"), 1)
    assert len(await records(fresh_bus, "t-1")) == before + 1
    assert refused
    assert "apply supervisor_dialed" in spans.names


async def test_the_spans_are_inside_the_span_of_the_user(fresh_bus: Bus, spans: RecordedSpans) -> None:
    async with running_coordinators(fresh_bus):
        running = FakeActors(fresh_bus, "t-1")
        async with running._messages(request("room-a")):
            asked = Outgoing(subjects.request("t-1"), request("room-a"), "t-1:request", {HEADER: USER.header})
            await fresh_bus.publish_all([asked])
            await asyncio.wait_for(running.run_transfer(request("room-a")), PATIENCE_S)
    assert {place_of(each).trace_id for each in spans.all} == {USER.trace_id}
    root = spans.one("transfer")
    assert parent_id(root) == USER.span_id
    assert parent_id(spans.one("apply transfer_requested")) == place_of(root).span_id


def refusing(command: AnyCommand) -> list[AnyEvent]:
    """Return the replies of actors of which the gateway cannot dial, and the summarizer does not answer."""
    id = command.command_id
    if isinstance(command, DialSupervisor):
        return [CommandFailed(command_id=id, failure=FailureKind.REFUSED, detail="Ann is away")]
    return [] if isinstance(command, Summarize) else answers(command)


async def test_a_failed_command_and_an_unanswered_one_are_marked(
    fresh_bus: Bus, spans: RecordedSpans
) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-1", refusing)
        await asyncio.wait_for(actors.run_transfer(request("room-a")), PATIENCE_S)
    dial, unanswered = spans.one("command dial_supervisor"), spans.one("command summarize")
    assert dial.status.status_code is StatusCode.ERROR
    assert attributes(dial)[Attribute.FAILURE] == FailureKind.REFUSED
    assert attributes(unanswered)[Attribute.REPLY] == transfer_spans.NO_REPLY
    assert seconds(unanswered.end_time) == pytest.approx(seconds(dial.end_time), abs=TOLERANCE_S), (
        "from the refusal on, no summary is awaited"
    )
    assert spans.one("transfer").status.status_code is StatusCode.ERROR
    assert not [each for each in spans.all if "Ann" in each.to_json()]


async def test_a_redelivered_trigger_links_to_the_delivery_before(
    fresh_bus: Bus, spans: RecordedSpans
) -> None:
    await run_transfer(fresh_bus, "t-1")
    first = spans.one("apply transfer_requested")
    spans.exporter.clear()
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.request("t-1"), 2)
    (again,) = spans.all
    assert place_of(again).trace_id == place_of(first).trace_id
    assert [each.context.span_id for each in again.links] == [place_of(first).span_id]


async def test_the_number_of_followed_transfers_is_bounded(
    fresh_bus: Bus, spans: RecordedSpans, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await run_transfer(fresh_bus, "t-1")
    monkeypatch.setattr(transfer_spans, "MAX_FOLLOWED", 3)
    following = transfer_spans.TransferSpans(fresh_bus)
    for number in range(9):
        trace = transfer_trace.begin(f"t-{number}", {})
        state = replace(kept[0].state, id=f"t-{number}")
        following.observe(trace, 0, [replace(kept[0], state=state)], 1)
    assert len(following._open) == 3


async def test_an_ended_transfer_is_forgotten(fresh_bus: Bus, spans: RecordedSpans) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-1", refusing)
        await asyncio.wait_for(actors.run_transfer(request("room-a")), PATIENCE_S)
    following, trace = transfer_spans.TransferSpans(fresh_bus), transfer_trace.begin("t-1", {})
    kept = await records(fresh_bus, "t-1")
    for number, record in enumerate(kept):
        following.observe(trace, number, [record], number + 1)
        assert ("t-1" in following._open) == (record is not kept[-1])
    assert kept[-1].state.stage in LAST_STAGES
