"""The trace of one transfer survives the processes that make it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.testkit.trace_file import of_transfer, parent_of, read_spans
from warmxfer.cli.trace_file import empty_trace_file, trace_env
from warmxfer.schemas import Outcome, WarmTransferPhase
from warmxfer.tracing import Attribute, trace_id_of

from .stack_fixture import RESULT_TIMEOUT_S, SILENT, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPANS_WRITTEN = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BSP_EXPORT_TIMEOUT": "5000"}
"""A killed process loses the spans that it has not written. Each one is written soon."""
ENV = {"WARMXFER_ACK_WAIT_S": "1", **SPANS_WRITTEN}


async def test_a_trace_goes_on_after_the_coordinator_was_killed(tmp_path: Path) -> None:
    path = empty_trace_file(tmp_path / "spans.jsonl")
    async with running_stack(time_scale=0.1, env={**ENV, **trace_env(path)}) as driver:
        (caller,) = await driver.callers(1)
        call = await driver.begin(caller, SILENT)
        await call.until(WarmTransferPhase.BRIEFING_STARTED)
        await driver.stack.kill("coordinator")
        await driver.stack.start("coordinator")
        await call.transfer.cancel("the test ends it")
        result = await call.result()
        report = await driver.client.report(call.transfer.id)
        await asyncio.wait_for(call.assert_clean_end(), RESULT_TIMEOUT_S)
    trace = of_transfer(read_spans(path), call.transfer.id)
    assert trace[0].trace_id == f"{trace_id_of(call.transfer.id):032x}"
    (root,) = [each for each in trace if each.name == "transfer"]
    assert result.outcome is Outcome.CANCELLED
    assert root.attributes[Attribute.OUTCOME] == Outcome.CANCELLED
    assert root.began_at == pytest.approx(report.moments.asked_at, abs=0.001)
    (briefing,) = [each for each in trace if each.name == "command brief_supervisor"]
    (sent,) = [each for each in report.commands if each.kind == "brief_supervisor"]
    assert briefing.began_at == pytest.approx(sent.sent_at, abs=0.001)
    assert parent_of(briefing, trace) == root
