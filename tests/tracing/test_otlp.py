"""What leaves a process: lines of OTLP's JSON in a file, or OTLP over HTTP to a collector."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from warmxfer import tracing
from warmxfer.tracing import Attribute, Kind, TraceParent, traces
from warmxfer.tracing.sdk import FLUSH_S

SENDER = TraceParent(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, sampled=True)


async def record_one(env: dict[str, str], role: str) -> None:
    async with traces(env, role):
        facts = {Attribute.STATUS: 200, Attribute.ENDED: "answered"}
        with tracing.handle(f"process {role}", SENDER), tracing.span("chat", Kind.CLIENT, facts):
            assert tracing.header()


def spans_of(line: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the resource's attributes and the spans in one line."""
    (resource,) = json.loads(line)["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    return {each["key"]: each["value"] for each in resource["resource"]["attributes"]}, scope["spans"]


async def test_each_process_appends_a_line_of_otlp(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    for role in ("gateway", "briefing"):
        await record_one({"WARMXFER_TRACES": f"file:{path}"}, role)
    first, second = path.read_text().splitlines()
    resource, (chat, process) = spans_of(first)
    assert resource["service.name"] == {"stringValue": "warmxfer-gateway"}
    assert resource["warmxfer.role"] == {"stringValue": "gateway"}
    assert spans_of(second)[0]["warmxfer.role"] == {"stringValue": "briefing"}
    assert process["traceId"] == chat["traceId"] == f"{SENDER.trace_id:032x}"
    assert process["parentSpanId"] == f"{SENDER.span_id:016x}"
    assert chat["parentSpanId"] == process["spanId"]
    assert len(process["spanId"]) == 16
    assert {"key": "http.response.status_code", "value": {"intValue": "200"}} in chat["attributes"]
    assert path.stat().st_mode & 0o077 == 0


async def test_a_collector_gets_the_spans_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[bytes] = []

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        bodies.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(collect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "calls")
        await record_one({"WARMXFER_TRACES": "otlp"}, "gateway")
    (resource,) = ExportTraceServiceRequest.FromString(bodies[0]).resource_spans
    names = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (names["service.name"], names["warmxfer.role"]) == ("calls", "gateway")
    assert [each.name for each in resource.scope_spans[0].spans] == ["chat", "process gateway"]


async def test_a_process_ends_although_no_collector_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        began = monotonic()
        await record_one({"WARMXFER_TRACES": "otlp"}, "gateway")
        took_s = monotonic() - began
    assert accepted.is_set()
    assert FLUSH_S - 0.5 < took_s < FLUSH_S + 20


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
async def test_a_full_disk_costs_spans_and_nothing_else() -> None:
    await record_one({"WARMXFER_TRACES": "file:/dev/full"}, "gateway")
    assert not tracing.is_on()
