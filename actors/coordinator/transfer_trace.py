"""Where a transfer is in its trace: derived from its id and from its request, and kept in its log.

Each record of the log carries the header `traceparent`. It names the user's span that began the trace, or
else the span of the transfer itself. So a coordinator that takes over continues the same trace.

Test: `tests/actors/coordinator/test_transfer_trace.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from warmxfer import tracing
from warmxfer.tracing import HEADER, TraceParent, span_id_of, trace_id_of


class TransferTrace(NamedTuple):
    """`root` is the span of the transfer. `began_in` is the user's span around it, if there is one."""

    root: TraceParent
    began_in: TraceParent | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each record of the log."""
        return {HEADER: (self.began_in or self.root).header}

    def command(self, command_id: str) -> TraceParent:
        """Return the span of a command. Its actor continues inside it."""
        return self.root.with_span(span_id_of("command", command_id))


def begin(id: str, headers: Mapping[str, str]) -> TransferTrace | None:
    """Return the trace of a transfer whose request has these headers, or None while traces are off.

    The sampler decides here, once. Every later span follows.
    """
    if not tracing.is_on():
        return None
    user = tracing.received(headers)
    trace_id = user.trace_id if user is not None else trace_id_of(id)
    is_sampled = tracing.sampled(user, trace_id)
    began_in = None if user is None else TraceParent(user.trace_id, user.span_id, is_sampled)
    return TransferTrace(TraceParent(trace_id, _root_id(id), is_sampled), began_in)


def read(id: str, headers: Mapping[str, str]) -> TransferTrace | None:
    """Return the trace that a record of the log names, or None if it names none, or traces are off."""
    kept = tracing.received(headers)
    if kept is None:
        return None
    root = kept.with_span(_root_id(id))
    return TransferTrace(root, None if kept == root else kept)


def _root_id(id: str) -> int:
    return span_id_of("transfer", id)
