"""The variable `WARMXFER_TRACES`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from warmxfer.schemas import InvalidRequest
from warmxfer.tracing import TraceSettings, is_on, traces


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", TraceSettings()),
        ("off", TraceSettings()),
        (" otlp ", TraceSettings("otlp")),
        ("file:/tmp/spans.jsonl", TraceSettings("file", Path("/tmp/spans.jsonl"))),
    ],
)
def test_where_traces_go(value: str, expected: TraceSettings) -> None:
    assert TraceSettings.from_env({"WARMXFER_TRACES": value}) == expected


@pytest.mark.parametrize("value", ["jaeger", "file:", "/tmp/spans.jsonl", "OTLP", "x" * 10_000])
def test_another_value_is_refused_with_the_remedy(value: str) -> None:
    with pytest.raises(InvalidRequest, match="use off, otlp or file:<path>") as refused:
        TraceSettings.from_env({"WARMXFER_TRACES": value})
    assert refused.value.field == "WARMXFER_TRACES"
    assert len(str(refused.value)) < 300


async def test_a_process_records_while_its_context_is_open(tmp_path: Path) -> None:
    async with traces({"WARMXFER_TRACES": f"file:{tmp_path / 'spans.jsonl'}"}, "gateway"):
        assert is_on()
    assert not is_on()
    async with traces({}, "gateway"):
        assert not is_on()


async def test_contexts_of_one_process_share_the_recording(tmp_path: Path) -> None:
    """As the sessions of an agent's process do, also in a loop of another thread."""
    env = {"WARMXFER_TRACES": f"file:{tmp_path / 'spans.jsonl'}"}

    async def briefly() -> None:
        async with traces(env, "primary"):
            assert is_on()

    async with AsyncExitStack() as first:
        await first.enter_async_context(traces(env, "primary"))
        await briefly()
        assert is_on(), "the first context is still open"
        second = traces(env, "primary")
        async with second:
            await asyncio.to_thread(asyncio.run, briefly())
            await first.aclose()
            assert is_on(), "the second context is still open"
        assert not is_on()
    await briefly()
    assert not is_on()


async def test_a_context_that_failed_to_start_is_not_counted(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be opened"):
        async with traces({"WARMXFER_TRACES": f"file:{tmp_path / 'none' / 'spans.jsonl'}"}, "gateway"):
            raise AssertionError("it was opened")
    await test_a_process_records_while_its_context_is_open(tmp_path)


async def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "spans.jsonl"
    with pytest.raises(InvalidRequest, match=r"cannot be opened.*give a file in a directory that exists"):
        async with traces({"WARMXFER_TRACES": f"file:{missing}"}, "gateway"):
            raise AssertionError("it was opened")


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "warmxfer.tracing.sdk", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delattr("warmxfer.tracing.sdk", raising=False)
    with pytest.raises(
        InvalidRequest, match=r"in the clone, pip install '\.\[otel\]' or uv sync --extra otel"
    ):
        async with traces({"WARMXFER_TRACES": "otlp"}, "gateway"):
            raise AssertionError("it started")
