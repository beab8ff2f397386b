"""Writes spans to a file: one line of OTLP's JSON for each batch, as the collector's file exporter does.

Several processes may append to one file: a batch is one write.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import structlog
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

IDS = ("traceId", "spanId", "parentSpanId")
"""Fields that OTLP's JSON has in hexadecimal, and the JSON of protobuf in base64."""

log = structlog.get_logger(__name__)


class FileExporter(SpanExporter):
    """Appends to `path`. Thread/loop: the thread of the span processor writes."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        line = json.dumps(as_otlp(spans), separators=(",", ":")).encode() + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            log.warning("traces_not_written", cause=str(error), spans=len(spans))
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS if written == len(line) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        os.close(self._file)


def as_otlp(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """Return `spans` as an object of OTLP's JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding."""
    found = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
    return cast("dict[str, Any]", _with_hex_ids(found))


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {
            name: base64.b64decode(each).hex() if name in IDS else _with_hex_ids(each) for name, each in items
        }
    if isinstance(value, list):
        return [_with_hex_ids(each) for each in cast("list[Any]", value)]
    return value
