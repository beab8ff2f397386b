"""Mapping from the outputs of a record to messages on subjects, each with its own message id.

The message id consists of the transfer id, the record's number and the output's index. So an output is stored
once, however often the outputs are published.
"""

from __future__ import annotations

from msgspec.structs import replace

from warmxfer.bus import Outgoing, subjects, timers
from warmxfer.schemas import (
    AnyCommand,
    BriefSupervisor,
    Command,
    DeadlinePassed,
    DialSupervisor,
    EndCall,
    HoldCaller,
    JoinConsultation,
    LeaveCall,
    LeaveConsultation,
    PhaseChanged,
    ReleaseCaller,
    RescueCaller,
    ReturnCaller,
    Summarize,
    SwitchCaller,
    TransferNotice,
    WarmTransferRequest,
    WarmTransferResult,
    encode,
)
from warmxfer.tracing import HEADER

from .state_machine import (
    ArchiveTransfer,
    Record,
    SetTimer,
    Stage,
    Transfer,
    UnknownMessage,
    plain_stage,
    plain_waits_for_archive,
)
from .transfer_trace import TransferTrace

TIMER = "deadline"
"""The one timer of a transfer, scheduled for its earliest deadline. Admission counts these timers."""

GUARD_TIMER = "guard"
"""The one timer of a completed transfer in its bridge guard. It does not count as a running transfer."""

ARCHIVE_TIMER = "archive"
"""The one timer of a transfer that is over and waits for the archive. It does not count as running."""

TIMERS = (TIMER, GUARD_TIMER, ARCHIVE_TIMER)

CLAIMING = (DialSupervisor, EndCall, RescueCaller, ReturnCaller, SwitchCaller)
"""Commands by which the gateway claims an effect, or forbids one."""

OF_SESSION = (HoldCaller, ReleaseCaller, LeaveCall, JoinConsultation)
"""Commands that may go to a session, whose subject names no transfer."""
NOT_SENT = (UnknownMessage, ArchiveTransfer)
"""Outputs that are no message, or of a type that this version does not know."""

SentOutput = AnyCommand | PhaseChanged | WarmTransferResult | TransferNotice | SetTimer
"""An output that is a message."""


def pending_timer(state: Transfer) -> str | None:
    """Return the subject of the timer that is set in `state`, or None."""
    return None if state.timer_due_at is None else subjects.timer(state.id, _timer_name(state))


def cancelled_timer(before: Transfer | None, after: Transfer) -> str | None:
    """Return the subject of the timer that is set in `before` and no more in `after`, or None."""
    if before is None or before.timer_due_at is None:
        return None
    if after.timer_due_at is not None and _timer_name(after) == _timer_name(before):
        return None
    return pending_timer(before)


def plain_timer(id: str, data: bytes) -> str:
    """Return the subject of the timer that the record `data` of transfer `id` may have set."""
    return subjects.timer(id, _name_of(plain_stage(data), archive=plain_waits_for_archive(data)))


def _timer_name(state: Transfer) -> str:
    return _name_of(state.stage, archive=state.waits_for_archive)


def _name_of(stage: str, *, archive: bool) -> str:
    if archive:
        return ARCHIVE_TIMER
    return GUARD_TIMER if stage == Stage.GUARDING else TIMER


def outgoing(record: Record, trace: TransferTrace | None = None) -> list[Outgoing]:
    """Return the messages of `record`, in order, except those of a type that this version does not know.

    With `trace`, each one names its span: that of the command, or else that of the transfer.
    """
    return [
        _traced(
            _message(
                record.state, output, message_id(record.state.id, record.state.seq, index), record.first_event
            ),
            output,
            trace,
        )
        for index, output in enumerate(record.outbox)
        if not isinstance(output, NOT_SENT)
    ]


def _traced(message: Outgoing, output: SentOutput, trace: TransferTrace | None) -> Outgoing:
    if trace is None:
        return message
    span = trace.command(output.command_id) if isinstance(output, Command) else trace.root
    headers = {**message.headers, HEADER: span.header}
    return Outgoing(message.subject, message.data, message.msg_id, headers)


def timers_due(record: Record, at: float) -> list[str]:
    """Return the message ids of the timers of `record` that were due at `at`, or earlier."""
    return [
        message_id(record.state.id, record.state.seq, index)
        for index, output in enumerate(record.outbox)
        if isinstance(output, SetTimer) and output.due_at <= at
    ]


def unknown_outputs(record: Record) -> list[str]:
    """Return the message ids of the outputs of `record` that this version cannot publish."""
    return [
        message_id(record.state.id, record.state.seq, index)
        for index, output in enumerate(record.outbox)
        if isinstance(output, UnknownMessage)
    ]


def message_id(id: str, seq: object, index: int) -> str:
    """Return the message id of an output: the one at `index` in record number `seq` of transfer `id`."""
    return f"{id}:{seq}:{index}"


def _message(state: Transfer, output: SentOutput, msg_id: str, first_event: int) -> Outgoing:
    if isinstance(output, SetTimer):
        deadline = encode(DeadlinePassed(due_at=output.due_at))
        return timers.schedule(state.id, _timer_name(state), output.due_at, deadline, msg_id=msg_id)
    subject = _subject(state.id, state.request, output)
    if isinstance(output, CLAIMING) and first_event:
        output = replace(output, first_event=first_event)
    if isinstance(output, OF_SESSION) and subjects.is_of_session(subject):
        output = replace(output, transfer_id=state.id)
    return Outgoing(subject, encode(output), msg_id)


def _subject(id: str, request: WarmTransferRequest | None, output: SentOutput) -> str:
    session = request.session_name if request else ""
    match output:
        case PhaseChanged():
            return subjects.phase(id)
        case WarmTransferResult():
            return subjects.result(id)
        case TransferNotice():
            return subjects.notice(id)
        case HoldCaller() | ReleaseCaller() | LeaveCall():
            return subjects.session_commands(session)
        case BriefSupervisor() | LeaveConsultation():
            return subjects.consult(id)
        case JoinConsultation() if request and request.config.brief_by == "session":
            return subjects.session_briefing(session)
        case JoinConsultation():
            return subjects.work_queue(id, "briefing")
        case Summarize():
            return subjects.work_queue(id, "summarizer")
        case _:
            return subjects.work_queue(id, "gateway")
