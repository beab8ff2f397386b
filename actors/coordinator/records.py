"""The records of transfers: read, appended, and what this process keeps of the newest ones.

What a record says of its transfer is passed on here: to liveness, to admission, to metrics and traces.

- Invariant: a record is appended only after the newest record. So a cached record is good enough for a try.
- Invariant: a record that was read may be of another process. Only one that this version can continue is
  returned (`NewerVersionNeeded`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from warmxfer.bus import (
    Bus,
    Delivery,
    LogEntry,
    NewerVersionNeeded,
    StaleWrite,
    Stored,
    TransferLog,
    subjects,
    transfer_log,
)
from warmxfer.bus.messages import MSG_ID, NO_HEADERS
from warmxfer.schemas import AnyEvent, TransferRequested

from . import transfer_trace
from .admission import Admission
from .archive import Archive
from .folding import AppliedTrigger
from .inbound_events import number_of_event
from .liveness import TransferLiveness
from .outbox import cancelled_timer
from .record_cache import CachedRecord, RecordCache
from .state_machine import (
    FurtherEvent,
    Record,
    Stage,
    UnreadableRecord,
    decode_record,
    encode_record,
    join_outboxes,
    last_record,
    obstacle,
    unknown_fields,
)
from .transfer_metrics import TransferMetrics
from .transfer_spans import TransferSpans
from .transfer_trace import TransferTrace


class Records:
    """Reads and appends records, and keeps the newest. `overwrite`: an archived log is overwritten later."""

    def __init__(
        self,
        bus: Bus,
        *,
        archive: Archive,
        admission: Admission,
        liveness: TransferLiveness,
        spans: TransferSpans,
        metrics: TransferMetrics,
        overwrite: bool,
    ) -> None:
        self.log = TransferLog(bus)
        self._cache = RecordCache()
        self._archive = archive
        self._admission = admission
        self._liveness = liveness
        self._spans = spans
        self._metrics = metrics
        self._overwrite = overwrite
        bus.on_reconnect(self._cache.clear)

    async def load(self, id: str) -> CachedRecord | None:
        """Return the newest record this process knows, from the cache if it can.

        A record whose outputs are not known to be published is read again: if its stream was lost, its
        commands must not reach the new stream.
        """
        cached = self._cache.get(id)
        return cached if cached is not None and cached.sent else await self.read(id)

    def known(self, id: str) -> CachedRecord | None:
        """Return the newest record that this process knows, without a read, or None."""
        return self._cache.get(id)

    def may_begin(self, event: AnyEvent, delivery: Delivery) -> bool:
        """Return whether `delivery` is a request, and this process knows no record of its transfer.

        It most likely begins one. So its log is not read: the append of a first record proves that there is
        no other.
        """
        return (
            isinstance(event, TransferRequested)
            and delivery.delivery_count == 1
            and not delivery.replayed
            and not self._cache.knows(delivery.transfer_id)
        )

    async def read(self, id: str) -> CachedRecord | None:
        """Read the newest record from the stream leader, or None if the transfer has none.

        Raises `NewerVersionNeeded` if this version cannot continue from it.
        """
        entry = await self.log.get_last_from_leader(id)
        if entry is None:
            return None
        record = continuable(id, entry)
        sent = self._cache.mark_sent(id, entry.seq)
        cached = CachedRecord(record, entry.seq, sent, fresh=True, unknown=unknown_fields(entry.data, record))
        cached.trace = transfer_trace.read(id, entry.headers)
        self._cache.put_read(id, cached)
        self._liveness.record_state(record.state, entry.seq)
        self._admission.record_state(record.state)
        return cached

    async def is_applied(self, cached: CachedRecord | None, delivery: Delivery, *, redelivered: bool) -> bool:
        """Return whether a record before `cached` is due to `delivery`. Reads the log only in doubt."""
        if delivery.replayed:
            old = True  # Its time is not that of the message, so it rules nothing out.
        elif cached is None:
            old = redelivered
        else:
            late = redelivered or delivery.at <= cached.newest_at
            old = late and not cached.rules_out(delivery.at, delivery.seq)
        newest = cached.seq if cached else 0
        return old and await self.log.contains(delivery.transfer_id, record_id(delivery), newest)

    async def append(
        self, cached: CachedRecord | None, triggers: Sequence[AppliedTrigger]
    ) -> CachedRecord | None:
        """Append the record after `cached`; return it, or None if another process appended first.

        It applies all `triggers`. It is named after their deliveries, whatever events these were read as.
        """
        delivery = triggers[0].delivery
        record = _record_after(cached, triggers)
        state, after = record.state, cached.seq if cached else 0
        unknown = cached.unknown if cached else {}
        data = encode_record(record, unknown)
        msg_id = record_id(*(each.delivery for each in triggers))
        cancel_timer = cancelled_timer(cached.record.state if cached else None, state)
        trace = trace_of(cached, delivery)
        await self._spans.catch_up(trace, state.id, after)
        if state.archived:
            last = Stored(subjects.log(state.id), after + 1, delivery.at, data, {MSG_ID: msg_id})
            await self._archive.store(state.id, after, last)
            record = last_record(record)
            data = encode_record(record)
        try:
            seq = await self.log.append(
                state.id,
                data,
                after,
                msg_id,
                cancel_timer,
                last=state.archived,
                headers=trace.headers if trace else NO_HEADERS,
                rollup=not self._overwrite,
            )
        except StaleWrite:
            self.drop(state.id)
            return None
        self._observe(cached, trace, triggers, record, seq)
        appended = CachedRecord(record, seq, sent=False, fresh=False, unknown=unknown, trace=trace)
        # A replay has another time than its message, so what is known of the times ends with it.
        if not delivery.replayed:
            if cached is None:
                appended.others_until, appended.triggers = 0.0, (*record.triggers,)
            else:
                cached.pass_on(appended)
        self._cache.put(state.id, appended)
        self._liveness.record_state(record.state, seq)
        self._admission.record_state(record.state)
        return appended

    def _observe(
        self,
        cached: CachedRecord | None,
        trace: TransferTrace | None,
        triggers: Sequence[AppliedTrigger],
        record: Record,
        seq: int,
    ) -> None:
        """Pass each transition of `record`, which was appended as number `seq`, to metrics and traces."""
        transitions = [record] if len(triggers) == 1 else [_single(each) for each in triggers]
        before = cached.record.state if cached else None
        for each in transitions:
            self._metrics.observe(before, each)
            before = each.state
        self._spans.observe(trace, cached.seq if cached else 0, transitions, seq)

    def mark_published(self, cached: CachedRecord) -> None:
        """Note that the outputs of `cached` are in the streams."""
        cached.sent = True
        if cached.record.state.stage.ended:
            self._cache.put_end(cached.record.state.id, cached.seq)

    def drop(self, id: str) -> None:
        """Forget a transfer that another coordinator has continued, or that was given up."""
        self._cache.drop(id)
        self._liveness.drop(id)
        self._admission.drop(id)

    def running(self, partitions: Collection[int]) -> dict[Stage, int]:
        """Return how many known transfers of `partitions` have not ended, by stage."""
        return self._cache.running(partitions)


def continuable(id: str, entry: LogEntry) -> Record:
    """Return the record in `entry` of transfer `id`.

    Raises `NewerVersionNeeded` if this version cannot continue from it.
    """
    try:
        record = decode_record(entry.data)
    except UnreadableRecord as error:
        raise NewerVersionNeeded(f"Record {entry.seq} cannot be continued: {error}") from error
    if (why := obstacle(record, id)) is not None:
        raise NewerVersionNeeded(f"Record {entry.seq} cannot be continued: {why}")
    return record


def trace_of(cached: CachedRecord | None, delivery: Delivery) -> TransferTrace | None:
    """Return the trace of the transfer of `delivery`; None if it is not traced, or has not begun."""
    if cached is not None:
        return cached.trace
    if delivery.kind != "request":
        return None
    return transfer_trace.begin(delivery.transfer_id, delivery.headers)


def record_id(delivery: Delivery, *more: Delivery) -> str:
    """Return the message id of the one record that this trigger causes, with `more` of its stream."""
    triggers = [delivery.seq, *(each.seq for each in more)]
    return transfer_log.record_id(delivery.transfer_id, delivery.kind, triggers)


def _record_after(cached: CachedRecord | None, triggers: Sequence[AppliedTrigger]) -> Record:
    """Return the record after `cached` that applies all `triggers`."""
    delivery, event, _ = triggers[0]
    further = triggers[1:]
    newest_at = max([cached.newest_at if cached else 0.0, *(each.delivery.at for each in further)])
    return Record(
        trigger=delivery.seq,
        at=delivery.at,
        event=event,
        also=tuple(
            FurtherEvent(trigger=each.delivery.seq, at=each.delivery.at, event=each.event) for each in further
        ),
        state=triggers[-1].applied.state,
        outbox=[*join_outboxes([each.applied for each in triggers])],
        newest_at=newest_at if newest_at > delivery.at else 0.0,
        first_event=(cached.record.first_event if cached else 0) or number_of_event(delivery),
    )


def _single(trigger: AppliedTrigger) -> Record:
    """Return the record of a transition as if it had one of its own. It is not stored."""
    delivery, event, applied = trigger
    return Record(
        trigger=delivery.seq, at=delivery.at, event=event, state=applied.state, outbox=[*applied.outbox]
    )
