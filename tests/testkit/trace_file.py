"""Reads a file of spans, as `WARMXFER_TRACES=file:<path>` and `demo --trace` write it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warmxfer.tracing import Attribute


@dataclass(frozen=True)
class FileSpan:
    """One span. Moments are epoch seconds; `parent` is empty without a parent."""

    name: str
    role: str
    trace_id: str
    span_id: str
    parent: str
    began_at: float
    ended_at: float
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    failed: bool = False
    links: tuple[str, ...] = ()

    @property
    def ended(self) -> object:
        """How a request to the provider or the model ended."""
        return self.attributes.get(Attribute.ENDED)


def read_spans(path: Path) -> list[FileSpan]:
    """Return the spans in `path`, by the time at which they began."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted(
        (span for line in lines for span in _spans(json.loads(line))), key=lambda each: each.began_at
    )


def of_transfer(spans: Iterable[FileSpan], id: str) -> list[FileSpan]:
    """Return the spans of the trace of transfer `id`, which must have ended."""
    known = list(spans)
    (trace_id,) = {
        each.trace_id
        for each in known
        if each.name == "transfer" and each.attributes[Attribute.TRANSFER_ID] == id
    }
    return [each for each in known if each.trace_id == trace_id]


INSIDE: Mapping[str, str] = {
    "phase": "transfer",
    "command": "transfer",
    "process": "command",
    "apply": "transfer|process",
    "POST": "process",
    "GET": "process",
    "chat": "process|serve",
    "request": "process",
    "serve": "request",
}
"""The first word of a span's name, and of those around it."""


def misplaced(trace: Iterable[FileSpan]) -> list[str]:
    """Return the names of spans without their parent in `trace`, or inside a span of a wrong kind."""
    known = {each.span_id: each for each in trace}
    found: list[str] = []
    for span in known.values():
        if span.parent and not (span.parent in known and _may_be_inside(span, known[span.parent])):
            parent = known[span.parent].name if span.parent in known else "nothing"
            found.append(f"{span.name} of {span.role}, inside {parent}")
    return found


def _may_be_inside(span: FileSpan, parent: FileSpan) -> bool:
    kind, above = span.name.partition(" ")[0], parent.name.partition(" ")[0]
    if kind in ("POST", "GET"):
        return parent.name == "process gateway" and span.role == "gateway"
    if kind in ("chat", "request") and span.role != parent.role:
        return False
    return above in INSIDE[kind].split("|")


def parent_of(span: FileSpan, trace: Iterable[FileSpan]) -> FileSpan:
    """Return the span around `span`."""
    (found,) = [each for each in trace if each.span_id == span.parent]
    return found


def _spans(line: dict[str, Any]) -> Iterator[FileSpan]:
    for resource in line["resourceSpans"]:
        role = str(_attributes(resource["resource"])["warmxfer.role"])
        for scope in resource["scopeSpans"]:
            for each in scope["spans"]:
                yield FileSpan(
                    each["name"],
                    role,
                    each["traceId"],
                    each["spanId"],
                    each.get("parentSpanId", ""),
                    int(each["startTimeUnixNano"]) / 1e9,
                    int(each["endTimeUnixNano"]) / 1e9,
                    _attributes(each),
                    each.get("status", {}).get("code") == 2,
                    tuple(link["spanId"] for link in each.get("links", ())),
                )


def _attributes(of: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    found: dict[str, str | int | float | bool] = {}
    for each in of.get("attributes", ()):
        ((kind, value),) = each["value"].items()
        found[each["key"]] = int(value) if kind == "intValue" else value
    return found
