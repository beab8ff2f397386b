"""Metrics and traces of every scenario of the demo, against the ledger, the results and the reports."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.samples import Sample

from tests.testkit.trace_file import FileSpan, misplaced, of_transfer, read_spans
from warmxfer.actors.coordinator.state_machine import LAST_STAGES
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.cli.scenario_runner import ScenarioResult, place_calls, play
from warmxfer.cli.scenarios import SCENARIOS
from warmxfer.cli.trace_file import empty_trace_file, trace_env
from warmxfer.client import Client
from warmxfer.schemas import Outcome, WarmTransferPhase
from warmxfer.schemas.report import TransferReport
from warmxfer.tracing import Attribute, span_id_of

from .stack_fixture import certificates_in
from .test_metrics import scrape, total

PACE = 0.1
TURNS = 3
PATIENCE_S = 60.0
QUIET_READS = 5
PROBE = {"WARMXFER_HEALTH_PORT": "0", "WARMXFER_HEALTH_HOST": "127.0.0.1"}
DIAL, SWITCH, CREATE = "POST /v2/sip/call", "POST /v2/sip/call/switch-room", "POST /v2/rooms"
EXECUTED = {DIAL: "dial", SWITCH: "switch", CREATE: "room_created"}
"""Requests of which the cloud executes each one once, and the kind of their entries in the ledger."""
ROLES = {"coordinator", "gateway", "summarizer", "briefing", "primary"}
WORD = re.compile(r"[A-Za-z0-9_./{} -]{1,60}")
PHONE = re.compile(r"(?<![0-9a-f-])\+?[0-9]{10,13}(?![0-9a-f])")
MIN_CANARY_CHARS = 9
"""Spoken texts of fewer characters may be part of any word."""


@dataclass
class Observed:
    """What all scenarios left: results and reports, the ledger, the metrics and the spans."""

    played: list[ScenarioResult]
    reports: dict[str, TransferReport]
    ledger: list[dict[str, Any]]
    samples: list[Sample]
    path: Path
    secrets: set[str]

    @cached_property
    def spans(self) -> list[FileSpan]:
        return read_spans(self.path)

    def metric(self, name: str, **labels: str) -> float:
        return total(self.samples, f"warmxfer_{name}", **labels)

    def executed(self, kind: str) -> int:
        """Return how often the cloud did this for the gateway."""
        return sum(each["kind"] == kind and each["by"] == "api" for each in self.ledger)


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    return asyncio.run(_observe(tmp_path_factory.mktemp("observed") / "spans.jsonl"))


async def _observe(path: Path) -> Observed:
    empty_trace_file(path)
    async with (
        LocalStack(
            time_scale=PACE,
            env={**PROBE, **trace_env(path)},
            certificates=certificates_in(path.parent),
        ) as stack,
        stack.client() as client,
    ):
        callers = await place_calls(stack, list(SCENARIOS), TURNS)
        pairs = zip(SCENARIOS, callers, strict=True)
        played = await asyncio.gather(*(play(stack, client, *pair) for pair in pairs))
        samples, ledger = await _settled(stack, len(played))
        reports = await _quiet(client, [each.id for each in played])
        secrets = {each["text"] for each in ledger if each["kind"] == "speech"}
        secrets |= {caller.room_id for caller in callers} | {caller.participant_id for caller in callers}
        secrets |= {caller.call_id for caller in callers} | {each.result.summary for each in played}
        secrets |= {part for each in SCENARIOS for part in (each.supervisor, each.caller)}
    return Observed(played, reports, ledger, samples, path, secrets)


async def _settled(stack: LocalStack, transfers: int) -> tuple[list[Sample], list[dict[str, Any]]]:
    """Return metrics and ledger once every request that the gateway counted is in the ledger."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            samples, _ = await scrape(stack.directory)
            ledger = await stack.ledger()
            executed = Counter(each["kind"] for each in ledger if each["by"] == "api")
            counted = {
                EXECUTED[name]: total(
                    samples, "warmxfer_provider_requests_total", operation=name, ended="answered"
                )
                for name in EXECUTED
            }
            ended = total(samples, "warmxfer_transfers_total") == transfers
            if ended and all(executed[kind] == count for kind, count in counted.items()):
                return samples, ledger
            await asyncio.sleep(0.2)


async def _quiet(client: Client, ids: list[str]) -> dict[str, TransferReport]:
    """Return the reports once every transfer is over, with its guard, and no record was added for a while."""
    async with asyncio.timeout(PATIENCE_S):
        before, same = dict[str, TransferReport](), 0
        while same < QUIET_READS:
            reports = {id: await client.report(id) for id in ids}
            over = all(each.stage in LAST_STAGES for each in reports.values())
            same = same + 1 if over and reports == before else 0
            before = reports
            await asyncio.sleep(0.2)
        return before


@pytest.mark.timeout(300)
def test_every_scenario_passed(observed: Observed) -> None:
    assert {each.scenario.name: each.problems for each in observed.played} == {
        each.name: [] for each in SCENARIOS
    }


def test_the_metrics_count_what_the_cloud_executed(observed: Observed) -> None:
    for operation, kind in EXECUTED.items():
        answered = observed.metric("provider_requests_total", operation=operation, ended="answered")
        assert answered == observed.executed(kind) > 0, operation


def test_the_metrics_count_the_results_and_the_phases(observed: Observed) -> None:
    outcomes = Counter(each.result.outcome for each in observed.played)
    phases = Counter(each.phase for one in observed.played for each in one.phases)
    assert {each: observed.metric("transfers_total", outcome=each) for each in Outcome} == {
        each: outcomes[each] for each in Outcome
    }
    assert {each: observed.metric("transfer_phases_total", phase=each) for each in WarmTransferPhase} == {
        each: phases[each] for each in WarmTransferPhase
    }
    reached = [each.durations.to_human_s for each in observed.reports.values()]
    assert observed.metric("time_to_human_seconds_count") == sum(each is not None for each in reached) > 0
    assert observed.metric("dead_letters_total") == 0


def test_each_transfer_has_one_trace_with_one_root(observed: Observed) -> None:
    assert len({each.trace_id for each in observed.spans}) == len(SCENARIOS)
    for each in observed.played:
        trace = of_transfer(observed.spans, each.id)
        (root,) = [span for span in trace if not span.parent]
        assert (root.name, root.role) == ("transfer", "coordinator")
        assert root.attributes[Attribute.OUTCOME] == each.result.outcome
        assert root.failed == (each.phases[-1].phase is WarmTransferPhase.TRANSFER_FAILED)
        assert len({span.span_id for span in trace}) == len(trace)


def test_every_parent_is_in_the_trace_and_is_the_right_one(observed: Observed) -> None:
    for each in observed.played:
        assert misplaced(of_transfer(observed.spans, each.id)) == []


def test_the_trace_of_a_complete_transfer_has_every_actor(observed: Observed) -> None:
    (ready,) = [each for each in observed.played if each.scenario.name == "ready"]
    trace = of_transfer(observed.spans, ready.id)
    assert {each.role for each in trace} == ROLES
    assert {each.role for each in trace if each.name.startswith("process ")} == ROLES - {"coordinator"}
    assert {each.role for each in trace if each.name == "chat"} == {"summarizer", "briefing"}


def test_each_phase_and_each_command_is_a_span(observed: Observed) -> None:
    for each in observed.played:
        trace = of_transfer(observed.spans, each.id)
        phases = [span.attributes[Attribute.PHASE] for span in trace if span.name.startswith("phase ")]
        assert sorted(map(str, phases)) == sorted(phase.phase.value for phase in each.phases)
        commands = {span.span_id: span for span in trace if span.name.startswith("command ")}
        for command in observed.reports[each.id].commands:
            if command.reply:
                span = commands[f"{span_id_of('command', command.command_id):016x}"]
                assert span.attributes[Attribute.REPLY] == command.reply
                assert span.ended_at - span.began_at == pytest.approx(command.took_s, abs=0.001)


def test_the_requests_in_the_traces_are_those_of_the_ledger(observed: Observed) -> None:
    answered = Counter(each.name for each in observed.spans if each.ended == "answered")
    assert {name: answered[name] for name in EXECUTED} == {
        name: observed.executed(kind) for name, kind in EXECUTED.items()
    }
    for each in observed.played:
        names = Counter(
            span.name for span in of_transfer(observed.spans, each.id) if span.ended == "answered"
        )
        assert names[DIAL] == sum(each.report["dials"].values())
        assert names[SWITCH] == sum(each.report["switches"][way] for way in ("forward", "back"))
    assert answered["chat"] == observed.metric("model_requests_total", ended="answered") > 0


def test_no_span_names_a_person_or_what_was_said(observed: Observed) -> None:
    spoken = [text for text in observed.secrets if len(text) >= MIN_CANARY_CHARS]
    assert len(spoken) > 50
    written = observed.path.read_text(encoding="utf-8")
    assert [text for text in spoken if text in written] == []
    assert PHONE.search("+14155550101 called")
    values = [str(value) for each in observed.spans for value in each.attributes.values()]
    assert not [each for each in values if PHONE.fullmatch(each)]


def test_the_names_and_the_attributes_of_spans_are_bounded(observed: Observed) -> None:
    allowed = {each.value for each in Attribute}
    ids = {each.id for each in observed.played}
    words: set[str] = set()
    for span in observed.spans:
        assert span.attributes.keys() <= allowed, span.name
        for name, value in span.attributes.items():
            if name == Attribute.TRANSFER_ID:
                assert value in ids
            elif isinstance(value, str):
                words.add(value)
    assert _unfit(words) == []
    assert len(words) < 150
    assert len({each.name for each in observed.spans}) < 150


def _unfit(words: Sequence[str] | set[str]) -> list[str]:
    return [each for each in words if not WORD.fullmatch(each)]
