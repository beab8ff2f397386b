"""What the stream holds of one transfer: records, phases, results, commands, timers, notices, and so on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from warmxfer.actors.coordinator.outbox import ARCHIVE_TIMER, GUARD_TIMER, TIMER, outgoing
from warmxfer.actors.coordinator.state_machine import (
    LAST_STAGES,
    Record,
    RecordedEvent,
    Transfer,
    decode_record,
    expand,
)
from warmxfer.bus import Bus, Stored, subjects
from warmxfer.bus.archive import log_of
from warmxfer.schemas import (
    CheckLegs,
    CommandFailed,
    LegsChecked,
    NoticeKind,
    Outcome,
    PhaseChanged,
    TransferNotice,
    WarmTransferResult,
    decode_notice,
    decode_phase,
    decode_result,
    undecoded_transfer_id,
)

MAX_RECORDS = 1_000
MAX_PHASES = 100
MAX_RESULTS = 2
"""One result is allowed; a second one is enough to see that there are too many."""
READ_DEADLINE_S = 20.0


@dataclass(slots=True)
class TransferHistory:
    """Everything read from the stream about one transfer, each list in the order of the stream."""

    id: str
    records: list[tuple[Stored, Record]] = field(default_factory=list)
    phases: list[tuple[Stored, PhaseChanged]] = field(default_factory=list)
    results: list[tuple[Stored, WarmTransferResult]] = field(default_factory=list)
    sent: list[Stored] = field(default_factory=list)
    """Commands and timers, without phases and results."""
    notices: list[tuple[Stored, TransferNotice]] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    archived: list[Stored] = field(default_factory=list)

    def add(self, stored: Stored) -> None:
        """Decode one message of this transfer and append it. Other kinds (requests, events) are skipped."""
        if subjects.is_of_session(stored.subject):
            self.sent.append(stored)
            return
        if subjects.is_of_archive(stored.subject):
            self.archived.append(stored)
            return
        match subjects.parse(stored.subject).kind:
            case "log":
                self.records.append((stored, decode_record(stored.data)))
            case "phase":
                self.phases.append((stored, decode_phase(stored.data)))
            case "result":
                self.results.append((stored, decode_result(stored.data)))
            case "notice":
                self.notices.append((stored, decode_notice(stored.data)))
            case "do" | "timer":
                self.sent.append(stored)
            case "dead":
                self.dead_letters.append(json.loads(stored.data))

    @property
    def transitions(self) -> list[tuple[Stored, Record]]:
        """One record for each transition: a stored record may have several (`expand`)."""
        found: list[tuple[Stored, Record]] = []
        before: Transfer | None = None
        for stored, record in self.records:
            found += [(stored, each) for each in expand(before, record)]
            before = record.state
        return found

    @property
    def result(self) -> WarmTransferResult | None:
        return self.results[0][1] if self.results else None

    @property
    def complete(self) -> bool:
        return self.result is not None and self.result.outcome is Outcome.COMPLETE

    @property
    def began_at(self) -> float:
        """When the first record was stored, in epoch seconds. 0 if there is no record."""
        return self.records[0][0].at if self.records else 0.0

    @property
    def ended_at(self) -> float | None:
        """When the first record in a final stage was stored."""
        return next((stored.at for stored, record in self.records if record.state.stage.ended), None)

    @property
    def over_at(self) -> float | None:
        """When the first record that ends the transfer and its guard was stored."""
        ends = (s.at for s, record in self.records if record.state.stage in LAST_STAGES)
        return next(ends, None)

    def check_asked_at(self, record: Record) -> float | None:
        """Return when the leg check that `record` answers was asked for; None if its event is no answer."""
        if not isinstance(record.event, LegsChecked):
            return None
        for _, earlier in self.transitions:
            checks = [each.command_id for each in earlier.outbox if isinstance(each, CheckLegs)]
            if record.event.command_id in checks:
                return earlier.at
        return None

    @property
    def last_check_at(self) -> float | None:
        """When the last leg check was asked for that said something of the supervisor."""
        answered = [
            self.check_asked_at(record)
            for _, record in self.transitions
            if isinstance(record.event, LegsChecked) and record.event.supervisor is not None
        ]
        return max((at for at in answered if at is not None), default=None)

    @property
    def notice_kinds(self) -> list[NoticeKind]:
        """The kinds of the notices, without those that say only that a search goes on."""
        return [notice.notice for _, notice in self.notices if not notice.data.get("searching")]

    @property
    def timer_subject(self) -> str:
        return subjects.timer(self.id, TIMER)

    @property
    def guard_timer_subject(self) -> str:
        return subjects.timer(self.id, GUARD_TIMER)

    @property
    def archive_timer_subject(self) -> str:
        return subjects.timer(self.id, ARCHIVE_TIMER)

    def subjects_by_msg_id(self) -> dict[str, str]:
        """Return message id -> subject of every message that the records order to be sent."""
        return {each.msg_id or "": each.subject for _, record in self.records for each in outgoing(record)}

    def summary(self) -> str:
        """Return each event with its time and the stage it led to, for a person who looks for a fault."""
        return ", ".join(
            f"{stored.at - self.began_at:.2f} {_event_text(record.event)} > {record.state.stage.value}"
            for stored, record in self.transitions
        )


def transfer_of(stored: Stored) -> str:
    """Return the id of the transfer that a stored message is about. A caller lock is about none."""
    if subjects.is_of_session(stored.subject):
        is_command = not stored.subject.endswith(".lock")
        return (undecoded_transfer_id(stored.data) or "") if is_command else ""
    if subjects.is_of_archive(stored.subject):
        return stored.subject.rpartition(".")[2]
    return subjects.parse(stored.subject).id


async def read_history(bus: Bus, id: str) -> TransferHistory:
    """Read records, phases, results and dead letters of one transfer from a real stream, or its archive."""
    history = TransferHistory(id)
    for subject, limit in (
        (subjects.log(id), MAX_RECORDS),
        (subjects.phase(id), MAX_PHASES),
        (subjects.result(id), MAX_RESULTS),
        (subjects.notice(id), MAX_PHASES),
        (subjects.dead_letter(id), MAX_PHASES),
    ):
        for stored in await bus.history(subject, limit, deadline_s=READ_DEADLINE_S):
            history.add(stored)
    if not history.records or history.records[0][1].state.seq != 1:
        archived = await bus.get_last(subjects.archived(id), deadline_s=READ_DEADLINE_S)
        return history if archived is None else archived_history(id, archived)
    return history


def archived_history(id: str, archived: Stored) -> TransferHistory:
    """Return what the archive has of a transfer. Its messages to users are those that its log ordered."""
    history, log = TransferHistory(id), log_of(archived.data)
    for stored in log.stored_records():
        record = decode_record(stored.data)
        history.records.append((stored, record))
        for output in record.outbox:
            if isinstance(output, PhaseChanged):
                history.phases.append((stored, output))
            elif isinstance(output, WarmTransferResult):
                history.results.append((stored, output))
            elif isinstance(output, TransferNotice):
                history.notices.append((stored, output))
    history.dead_letters = [json.loads(each) for each in log.dead_letters]
    history.archived.append(archived)
    return history


def _event_text(event: RecordedEvent) -> str:
    """Return the name of the event, and for a failure its detail."""
    name = type(event).__name__
    return f"{name} ({event.detail})" if isinstance(event, CommandFailed) else name
