"""The place of a message in a trace, as the header `traceparent` of W3C Trace Context carries it. Pure.

Ids are derived from what the broker stores: the transfer's id, a command's id, a delivery. So a coordinator
that starts again continues the same trace, and a repeat gives the same span.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

HEADER = "traceparent"
"""Name of the header, in NATS as in HTTP."""

MAX_CHARS = 256
VERSION_CHARS = 55
"""Length of a header of version 00. A later version may be longer."""

_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED = 1


class TraceParent(NamedTuple):
    """A span as its children know it. `sampled`: whether the spans of the trace are recorded."""

    trace_id: int
    span_id: int
    sampled: bool

    @property
    def header(self) -> str:
        """The value of the header."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{_SAMPLED if self.sampled else 0:02x}"

    def with_span(self, span_id: int) -> TraceParent:
        """Return another span of this trace."""
        return TraceParent(self.trace_id, span_id, self.sampled)

    @classmethod
    def parse(cls, value: str | None) -> TraceParent | None:
        """Return what `value` says, or None if it is not the value of such a header."""
        if value is None or len(value) > MAX_CHARS or (found := _FORM.fullmatch(value)) is None:
            return None
        if found[1] == "00" and len(value) != VERSION_CHARS:
            return None
        trace_id, span_id = int(found[2], 16), int(found[3], 16)
        return cls(trace_id, span_id, bool(int(found[4], 16) & _SAMPLED)) if trace_id and span_id else None


def trace_id_of(transfer_id: str) -> int:
    """Return the id of the trace of a transfer whose request names no trace."""
    return int.from_bytes(_digest("trace", transfer_id)[:16]) or 1


def span_id_of(kind: str, *parts: object) -> int:
    """Return the id of the one span that `kind` and `parts` name, such as `command` and the command's id."""
    return int.from_bytes(_digest(kind, *parts)[:8]) or 1


def _digest(*parts: object) -> bytes:
    return sha256("\0".join(("warmxfer", *map(str, parts))).encode(errors="surrogatepass")).digest()
