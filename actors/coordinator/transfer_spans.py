"""The spans of a transfer, of its phases and of its commands, from the records of its log.

A span is recorded when it ends, with the broker's times of the records in which it began and ended. A
coordinator that takes a transfer over reads the log once, so its spans begin where they began.

- Invariant: a span of one transfer has one id, whichever coordinator records it.
- Invariant: no failure here disturbs the transfer.

Test: `tests/actors/coordinator/test_transfer_spans.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from warmxfer import tracing
from warmxfer.bus import Bus, Delivery, Stored, subjects
from warmxfer.bus.consumer_table import COORDINATOR
from warmxfer.bus.delivery_span import delivery_span
from warmxfer.bus.transfer_log import MAX_RECORDS
from warmxfer.schemas import (
    AnyEvent,
    BriefSupervisor,
    Command,
    CommandFailed,
    DeadlinePassed,
    PhaseChanged,
    WarmTransferPhase,
    WarmTransferResult,
    WarmxferError,
)
from warmxfer.tracing import Attribute, AttributeValue

from .report.commands import VERDICTS
from .state_machine import (
    LAST_STAGES,
    Record,
    RecordedEvent,
    UnreadableRecord,
    decode_record,
    expand_log,
)
from .transfer_trace import TransferTrace

MAX_FOLLOWED = 4_096
"""Transfers whose open spans are kept; about 1 KB each."""
NO_REPLY = "none"
BRIEFING = str(BriefSupervisor.__struct_config__.tag)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Sent:
    """A command that no reply has come to.

    `given_up_at`: when the state machine stopped waiting for the reply, because it was late if `is_late`. A
    reply may come all the same.
    """

    kind: str
    at: float
    awaited: bool
    given_up_at: float | None = None
    is_late: bool = False


@dataclass(slots=True)
class _Open:
    """The spans of one transfer that have not ended, up to record number `seq`."""

    seq: int = 0
    phase: str = ""
    phase_at: float = 0.0
    commands: dict[str, _Sent] = field(default_factory=dict[str, _Sent])


class TransferSpans:
    """Follows the records of one coordinator, in the order in which it appends them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._open: OrderedDict[str, _Open] = OrderedDict()

    def applying(
        self, trace: TransferTrace | None, event: AnyEvent, delivery: Delivery
    ) -> tracing.SpanContext:
        """Return the span in which the coordinator applies `event`, inside the span that sent it.

        A message of a user is of the user's own trace, so its span is a link.
        """
        if trace is None:
            return tracing.handle("", None)
        sender, parent, links = tracing.received(delivery.headers), trace.root, ()
        if sender is not None and sender not in (trace.root, trace.began_in):
            if delivery.kind == "event" and sender.trace_id == parent.trace_id:
                parent = sender
            else:
                links = (sender,)
        return delivery_span(COORDINATOR, delivery, parent, f"apply {_tag(event)}", links)

    async def catch_up(self, trace: TransferTrace | None, id: str, seq: int) -> None:
        """Read what is open at record number `seq`, if another coordinator wrote it. Never raises."""
        if trace is None or not trace.root.sampled or not seq:
            return
        known = self._open.get(id)
        if known is not None and known.seq == seq:
            return
        open = _Open()
        try:
            stored = await self._bus.history(subjects.log(id), MAX_RECORDS)
            records = [_record(each) for each in stored if each.seq <= seq]
            for each in expand_log(record for record in records if record is not None):
                _Step(trace, open, each).follow(recording=False)
        except WarmxferError as error:
            log.info("trace_not_continued", transfer_id=id, why=str(error))
        open.seq = seq
        self._keep(id, open)

    def observe(
        self, trace: TransferTrace | None, before: int, transitions: Sequence[Record], seq: int
    ) -> None:
        """Record the spans that end with a record, which was appended as number `seq` after `before`.

        `transitions` has one record for each transition of it.
        """
        if trace is None or not trace.root.sampled:
            return
        state = transitions[-1].state
        tracing.annotate({Attribute.STAGE: state.stage})
        open = self._open.get(state.id) if before else _Open()
        if open is None or open.seq != before:
            return
        for each in transitions:
            _Step(trace, open, each).follow(recording=True)
        open.seq = seq
        if state.archived or (state.stage in LAST_STAGES and not open.commands):
            self._open.pop(state.id, None)
        else:
            self._keep(state.id, open)

    def _keep(self, id: str, open: _Open) -> None:
        self._open[id] = open
        self._open.move_to_end(id)
        if len(self._open) > MAX_FOLLOWED:
            self._open.popitem(last=False)


class _Step:
    """What one record ends and begins."""

    def __init__(self, trace: TransferTrace, open: _Open, record: Record) -> None:
        self._trace = trace
        self._open = open
        self._record = record
        self._at = record.at

    def follow(self, *, recording: bool) -> None:
        """Change what is open. With `recording`, record the spans that end."""
        self._recording = recording
        self._end_commands()
        for output in self._record.outbox:
            if isinstance(output, PhaseChanged):
                self._end_phase()
                self._open.phase, self._open.phase_at = output.phase, self._at
            elif isinstance(output, Command):
                self._begin_command(output)
        for output in self._record.outbox:
            if isinstance(output, WarmTransferResult):
                self._end_phase()
                self._end_transfer(output)

    def _begin_command(self, command: Command) -> None:
        state = self._record.state
        sent = _Sent(_tag(command), self._at, command.command_id in state.pending)
        if sent.awaited or state.stage not in LAST_STAGES:
            self._open.commands[command.command_id] = sent
        else:
            # Nothing is awaited any more, and no record tells of the reply.
            self._end_command(command.command_id, sent, None)

    def _end_commands(self) -> None:
        event, state = self._record.event, self._record.state
        pending = state.pending
        is_last = state.archived or any(isinstance(each, WarmTransferResult) for each in self._record.outbox)
        for id, sent in list(self._open.commands.items()):
            replied = getattr(event, "command_id", None) == id or (
                sent.kind == BRIEFING and isinstance(event, VERDICTS)
            )
            if sent.given_up_at is None and sent.awaited and id not in pending:
                sent.given_up_at, sent.is_late = self._at, isinstance(event, DeadlinePassed)
            is_over = is_last or (sent.given_up_at is not None and state.stage in LAST_STAGES)
            if replied or (is_over and id not in pending):
                del self._open.commands[id]
                self._end_command(id, sent, event if replied else None)

    def _end_command(self, id: str, sent: _Sent, reply: RecordedEvent | None) -> None:
        attributes: dict[Attribute, AttributeValue] = {
            Attribute.COMMAND: sent.kind,
            Attribute.REPLY: NO_REPLY if reply is None else _tag(reply),
        }
        if isinstance(reply, CommandFailed):
            attributes[Attribute.FAILURE] = reply.failure
        failed = isinstance(reply, CommandFailed) or (reply is None and sent.is_late)
        ended_at = self._at if reply is not None or sent.given_up_at is None else sent.given_up_at
        self._end(
            f"command {sent.kind}",
            self._trace.command(id),
            self._trace.root,
            (sent.at, ended_at),
            attributes,
            failed=failed,
        )

    def _end_phase(self) -> None:
        phase, self._open.phase = self._open.phase, ""
        if phase:
            own = self._trace.root.with_span(tracing.span_id_of("phase", self._record.state.id, phase))
            attributes: dict[Attribute, AttributeValue] = {Attribute.PHASE: phase}
            self._end(f"phase {phase}", own, self._trace.root, (self._open.phase_at, self._at), attributes)

    def _end_transfer(self, result: WarmTransferResult) -> None:
        final = [each.phase for each in self._record.outbox if isinstance(each, PhaseChanged)]
        attributes: dict[Attribute, AttributeValue] = {Attribute.OUTCOME: result.outcome}
        self._end(
            "transfer",
            self._trace.root,
            self._trace.began_in,
            (self._record.state.started_at, self._at),
            attributes,
            failed=WarmTransferPhase.TRANSFER_FAILED in final,
        )

    def _end(
        self,
        name: str,
        own: tracing.TraceParent,
        parent: tracing.TraceParent | None,
        times: tuple[float, float],
        attributes: dict[Attribute, AttributeValue],
        *,
        failed: bool = False,
    ) -> None:
        if self._recording:
            attributes[Attribute.TRANSFER_ID] = self._record.state.id
            tracing.record_ended(name, own, parent, *times, attributes, failed=failed)


def _record(stored: Stored) -> Record | None:
    """Return the record in a message, or None if this version cannot read it."""
    try:
        return decode_record(stored.data)
    except UnreadableRecord:
        return None


def _tag(message: RecordedEvent | Command) -> str:
    return str(type(message).__struct_config__.tag)
