"""The drop-in records spans of its session as an actor does, by the same variable."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.testkit.trace_file import misplaced, read_spans
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.cli.trace_file import empty_trace_file, trace_env
from warmxfer.tracing import is_on

from .test_user_script import READY, SCRIPT, run, with_install

ROLES = {"coordinator", "gateway", "summarizer", "briefing", "primary"}


async def transfer(stack: LocalStack, monkeypatch: pytest.MonkeyPatch, traces: str) -> Any:
    """Run the user's script with the drop-in, in a process with `WARMXFER_TRACES`. Returns its result."""
    monkeypatch.setenv("NATS_URL", stack.url_of("agent"))
    monkeypatch.setenv("WARMXFER_TRACES", traces)
    (end,) = (await run(stack, with_install(SCRIPT), READY, own_pipeline=False)).ends
    return end


async def test_one_trace_has_the_session_and_every_actor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = empty_trace_file(tmp_path / "spans.jsonl")
    async with LocalStack(time_scale=0.1, env=trace_env(path)) as stack:
        result = await transfer(stack, monkeypatch, f"file:{path}")
        assert result.success
        async with asyncio.timeout(20):
            while is_on():
                await asyncio.sleep(0.01)
    spans = read_spans(path)
    assert {each.role for each in spans} == ROLES
    assert len({each.trace_id for each in spans}) == 1
    assert misplaced(spans) == []
    handled = {each.name for each in spans if each.role == "primary"}
    assert "process primary" in handled


@pytest.mark.parametrize("missing", [False, True], ids=["wrong value", "no extra"])
async def test_traces_that_cannot_start_cost_no_transfer(
    monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    if missing:
        monkeypatch.delitem(sys.modules, "warmxfer.tracing.sdk", raising=False)
        monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with structlog.testing.capture_logs() as lines:
        async with LocalStack(time_scale=0.1) as stack:
            result = await transfer(stack, monkeypatch, "otlp" if missing else "jaeger")
    assert result.success
    assert not is_on()
    (line,) = [each for each in lines if each["event"] == "traces_not_started"]
    assert ("otel" if missing else "use off, otlp or file:<path>") in line["error"]
