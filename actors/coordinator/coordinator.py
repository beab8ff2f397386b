"""The coordinator: load, step, append, publish, acknowledge.

    1. pull         a worker takes a trigger (request, cancel, event, timeout); one at a time per transfer
    2. load         the newest record is read; outputs of it that are not in the stream are published
    3. step         `step(state, event, now)` decides; `now` is when the broker stored the trigger
    4. append       the new record is appended at an expected sequence, which excludes every other writer
    5. publish      its outputs are published, each under a message id that makes a repeat harmless
    6. acknowledge  the worker acknowledges the trigger

A crash before 6 causes a redelivery, and 2 finds what was done. If other triggers were applied since, the
redelivered one is recognised by the message id of its record. A consumer that was deleted and created again
may deliver old triggers as if for the first time. No trigger that was applied is newer than
`CachedRecord.newest_at`.

- Invariant: a record is appended only after the newest record. So a cached record is good enough for a try.
- Invariant: a transfer whose newest record this version cannot continue is left to a newer version for a
  while (`NewerVersionNeeded`). If none comes, it is given up (`give_up.py`).
- Invariant: a trigger is ignored only on the newest record, read from the stream leader, because an ignored
  trigger is lost. Test: `tests/actors/coordinator/test_stale_reads.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import structlog
from msgspec.structs import replace

from warmxfer.bus import (
    BrokerClock,
    Budget,
    Bus,
    DeadLetter,
    Delivery,
    LiveMessage,
    LogEntry,
    NewerVersionNeeded,
    RetryableError,
    StaleWrite,
    Stored,
    TransferLog,
    Unwanted,
    subjects,
)
from warmxfer.bus.messages import MSG_ID, NO_HEADERS
from warmxfer.schemas import (
    AnyEvent,
    DeadlinePassed,
    PhaseChanged,
    TransferBroken,
    TransferRefused,
    TransferRequested,
    WarmTransferResult,
    encode,
)
from warmxfer.schemas.personal_data import Kind

from ..common.dial_policy import DialPolicy
from . import request_owner, transfer_trace
from .admission import Admission
from .archive import Archive
from .caller_lock import lock_caller
from .dial_check import dial_rejection
from .event_writers import why_not_believed
from .give_up import give_up_transfer
from .inbound_events import decode_trigger, number_of_event, why_unreadable
from .liveness import TransferLiveness
from .outbox import outgoing, pending_timer, timers_due, unknown_outputs
from .record_cache import CachedRecord, RecordCache
from .settings import DEFAULT_ARCHIVE_AFTER_S, DEFAULT_MAX_TRANSFERS, DEFAULT_MAX_WAIT_S
from .state_machine import (
    Applied,
    ArchiveTransfer,
    Record,
    RecordedOutput,
    Stage,
    UnreadableRecord,
    decode_record,
    encode_record,
    last_record,
    obstacle,
    step,
    unknown_fields,
)
from .transfer_metrics import TIMER_LATENESS, TransferMetrics
from .transfer_spans import TransferSpans
from .transfer_trace import TransferTrace

MAX_RACES = 25
EARLY_TRIES = 4
EARLY_RETRY_S = 0.25
"""A user's cancel may arrive before the request. It is retried a few times, then dead-lettered."""
EARLY_BURST, EARLY_PER_S = 50, 10.0
"""Cancels without a request that are retried. More of them are a flood."""
NOTED_WAIT_S = 0.5
"""A request that waited for less starts when it was stored."""
PAUSED_PROCESS_S = 30.0
"""Maximum duration of an append. After a longer one the process counts as paused, and another coordinator may
have continued from its record. Far shorter than the two minutes for which the broker remembers message
ids.
"""

log = structlog.get_logger(__name__)


class Coordinator:
    """Moves transfers. Any number of processes may run one; the transfer log decides between them."""

    def __init__(
        self,
        bus: Bus,
        *,
        max_transfers: int = DEFAULT_MAX_TRANSFERS,
        max_store_bytes: int = 0,
        archive_after_s: float | None = DEFAULT_ARCHIVE_AFTER_S,
        archive_without: Collection[Kind] = (),
        archive_overwrites: bool = False,
        max_wait_s: float = DEFAULT_MAX_WAIT_S,
        policy: DialPolicy | None = None,
        instance: str = "",
    ) -> None:
        self._bus = bus
        self._archive = Archive(bus, without=archive_without, overwrite=archive_overwrites)
        self._overwrites = archive_overwrites
        self._archive_after_s = archive_after_s
        self._clock = BrokerClock()
        self.admission = Admission(
            bus,
            max_transfers,
            self._clock,
            max_store_bytes=max_store_bytes,
            max_wait_s=max_wait_s,
            instance=instance,
        )
        self._policy = policy or DialPolicy()
        self._liveness = TransferLiveness(bus, self._clock)
        self._log = TransferLog(bus)
        self._cache = RecordCache()
        self._metrics = TransferMetrics()
        self._spans = TransferSpans(bus)
        bus.on_reconnect(self._cache.clear)
        self._early_cancels = Budget(EARLY_BURST, EARLY_PER_S)

    def check(self, delivery: Delivery) -> Exception | None:
        """Return why `delivery`, which has just arrived, cannot be read, or None."""
        self._clock.observe(delivery.at)
        return why_unreadable(delivery)

    async def handle(self, delivery: Delivery) -> None:
        """Apply one trigger. Idempotent: a redelivery has no further effect."""
        self._clock.observe(delivery.at)
        if delivery.kind == "event" and delivery.delivery_count == 1:
            self.admission.observe_delay(delivery.at)
        try:
            event = decode_trigger(delivery)
        except NewerVersionNeeded as error:
            if await self._liveness.takes_events(delivery.transfer_id):
                raise
            raise Unwanted(f"{error}, and its transfer is not running") from error
        if isinstance(event, DeadlinePassed) and delivery.delivery_count == 1:
            TIMER_LATENESS.observe(max(0.0, self._clock.now() - event.due_at))
        await self._apply(event, delivery)

    async def _apply(self, event: AnyEvent, delivery: Delivery) -> None:
        """Load, step, append and publish for one trigger; the worker acknowledges it afterwards."""
        # Load. On redelivery skip the cache: another process may have applied this trigger.
        redelivered = delivery.delivery_count > 1
        cached = await (self._read if redelivered else self._load)(delivery.transfer_id)
        with self._spans.applying(_trace(cached, delivery), event, delivery):
            await self._apply_after(cached, event, delivery, redelivered=redelivered)

    async def _apply_after(
        self, cached: CachedRecord | None, event: AnyEvent, delivery: Delivery, *, redelivered: bool
    ) -> None:
        """Apply one trigger after the record `cached`; None if the transfer has none."""
        clock = asyncio.get_running_loop().time
        for _ in range(MAX_RACES):
            read_at = clock()
            caused = cached is not None and _caused_by(cached.record, delivery)
            archived = cached is not None and cached.record.state.archived
            if cached is not None and not cached.sent and (caused or not archived):
                await self._publish_missing(cached, _fired_at(event))
            if caused:
                return
            if cached is None or archived:
                known = await self._archive.find(delivery.transfer_id)
                if known is not None:
                    await self._archive.answer_late(delivery, known)
                    return
            if cached is not None and (why := _why_not_believed(cached.record, event, delivery)) is not None:
                raise Unwanted(why)
            if cached is None:
                if delivery.kind == "request" and not await request_owner.is_first_request(
                    self._bus, delivery
                ):
                    await request_owner.refuse(self._bus, delivery)
                    return
                event = self._to_be_archived(await self._first_event(event, delivery))
            # Step.
            outcome = step(cached.record.state if cached else None, event, delivery.at)
            if isinstance(outcome, Applied):
                if await self._is_applied(cached, delivery, redelivered=redelivered):
                    return
                # Append.
                paused_at = clock() + PAUSED_PROCESS_S
                appended = await self._append(cached, outcome, event, delivery)
                if appended is not None:
                    was_unknown = cached is None and clock() >= read_at + PAUSED_PROCESS_S
                    if was_unknown and await self._archive.find(delivery.transfer_id):
                        await self._archive.take_back(delivery.transfer_id, appended.seq)
                        return
                    # Publish.
                    await (self._publish if clock() < paused_at else self._publish_missing)(appended)
                    _log_end(outcome.state.id, outcome.outbox)
                    return
                redelivered = True
            elif cached is None or cached.fresh:
                if cached is not None and not await self._is_own_request(cached, delivery):
                    await request_owner.refuse(self._bus, delivery)
                    return
                log.debug(
                    "trigger_ignored", transfer_id=delivery.transfer_id, seq=delivery.seq, why=outcome.why
                )
                return
            # Load again: another coordinator appended first, or the trigger was ignored on a cached record.
            cached = await self._read(delivery.transfer_id)
        raise RetryableError(f"Another coordinator wrote first {MAX_RACES} times in a row", after_s=0.5)

    async def _load(self, id: str) -> CachedRecord | None:
        """Return the newest record this process knows, from the cache if it can.

        A record whose outputs are not known to be published is read again: if its stream was lost, its
        commands must not reach the new stream.
        """
        cached = self._cache.get(id)
        return cached if cached is not None and cached.sent else await self._read(id)

    async def _read(self, id: str) -> CachedRecord | None:
        """Read the newest record from the stream leader, or None if the transfer has none.

        Raises `NewerVersionNeeded` if this version cannot continue from it.
        """
        entry = await self._log.get_last_from_leader(id)
        if entry is None:
            return None
        record = _continuable(id, entry)
        sent = self._cache.mark_sent(id, entry.seq)
        cached = CachedRecord(record, entry.seq, sent, fresh=True, unknown=unknown_fields(entry.data, record))
        cached.trace = transfer_trace.read(id, entry.headers)
        self._cache.put_read(id, cached)
        self._liveness.record_state(record.state, entry.seq)
        self.admission.record_state(record.state)
        return cached

    async def _is_applied(
        self, cached: CachedRecord | None, delivery: Delivery, *, redelivered: bool
    ) -> bool:
        """Return whether a record before `cached` is due to `delivery`. Reads the log only in doubt."""
        if cached is None:
            old = redelivered
        else:
            late = redelivered or delivery.at <= cached.newest_at
            old = late and not cached.rules_out(delivery.at, delivery.seq)
        return old and await self._log.contains(delivery.transfer_id, _record_id(delivery))

    async def _first_event(self, event: AnyEvent, delivery: Delivery) -> AnyEvent:
        """Return the event that starts the transfer; only a request can."""
        if isinstance(event, TransferRequested):
            id, config = event.transfer_id, event.request.config
            rejection = dial_rejection(self._policy, id, config)
            if rejection is None:
                rejection = await self.admission.rejection(id, delivery.at, config)
            if rejection is not None:
                return rejection
            conflicting_id = await lock_caller(
                self._bus,
                event.request.session_name,
                event.transfer_id,
                delivery.at,
                self._liveness.holds_caller,
            )
            return TransferRequested(
                transfer_id=event.transfer_id,
                request=event.request,
                conflicting_transfer_id=conflicting_id,
                waited_s=self._waited_s(delivery),
            )
        if delivery.kind == "request":
            return event
        was_requested = (
            await self._bus.get_last_from_leader(subjects.request(delivery.transfer_id)) is not None
        )
        if was_requested or self._may_be_early(delivery):
            # The coordinator that took the request may have crashed; then the request is redelivered.
            raise RetryableError(f"No transfer {delivery.transfer_id} yet", after_s=EARLY_RETRY_S)
        raise Unwanted(f"there is no transfer {delivery.transfer_id}")

    def _to_be_archived(self, event: AnyEvent) -> AnyEvent:
        """Return the event that starts the transfer, which says when its end is archived."""
        if isinstance(event, TransferRequested | TransferRefused | TransferBroken):
            return replace(event, archive_after_s=self._archive_after_s)
        return event

    def _waited_s(self, delivery: Delivery) -> float:
        """Return how long a request waited, which takes no time of its transfer; 0 for the usual moment."""
        waited_s = self._clock.now() - delivery.at
        return round(waited_s, 3) if waited_s > NOTED_WAIT_S else 0.0

    def _may_be_early(self, delivery: Delivery) -> bool:
        """Return whether the request may still come, after its user's cancel. In a flood it may not."""
        if delivery.kind != "cancel" or delivery.delivery_count >= EARLY_TRIES:
            return False
        return delivery.delivery_count > 1 or self._early_cancels.take(asyncio.get_running_loop().time())

    async def _is_own_request(self, cached: CachedRecord, delivery: Delivery) -> bool:
        """Return whether `delivery` is no request, or is the request of its transfer."""
        return delivery.kind != "request" or await request_owner.owns_transfer(
            self._bus, delivery, cached.record.state.request
        )

    async def _append(
        self, cached: CachedRecord | None, applied: Applied, event: AnyEvent, delivery: Delivery
    ) -> CachedRecord | None:
        """Append the record after `cached`; return it, or None if another process appended first.

        The record is named after the delivery, whatever event the delivery was read as.
        """
        state = applied.state
        record = Record(
            trigger=delivery.seq,
            at=delivery.at,
            event=event,
            state=state,
            outbox=[*applied.outbox],
            newest_at=cached.newest_at if cached and cached.newest_at > delivery.at else 0.0,
            first_event=(cached.record.first_event if cached else 0) or number_of_event(delivery),
        )
        unknown = cached.unknown if cached else {}
        timer_before = pending_timer(cached.record.state) if cached else None
        cancel_timer = None if timer_before == pending_timer(state) else timer_before
        data, after, msg_id = (
            encode_record(record, unknown),
            cached.seq if cached else 0,
            _record_id(delivery),
        )
        trace = _trace(cached, delivery)
        await self._spans.catch_up(trace, state.id, after)
        if state.archived:
            last = Stored(subjects.log(state.id), after + 1, delivery.at, data, {MSG_ID: msg_id})
            await self._archive.store(state.id, after, last)
            record = last_record(record)
            data = encode_record(record)
        try:
            seq = await self._log.append(
                state.id,
                data,
                after,
                msg_id,
                cancel_timer,
                last=state.archived,
                headers=trace.headers if trace else NO_HEADERS,
                rollup=not self._overwrites,
            )
        except StaleWrite:
            self._cache.drop(state.id)
            self._liveness.drop(state.id)
            self.admission.drop(state.id)
            return None
        self._metrics.observe(cached.record.state if cached else None, record)
        self._spans.observe(trace, after, record, seq)
        appended = CachedRecord(record, seq, sent=False, fresh=False, unknown=unknown, trace=trace)
        if cached is None:
            appended.others_until, appended.triggers = 0.0, ((delivery.at, delivery.seq),)
        else:
            cached.pass_on(appended)
        self._cache.put(state.id, appended)
        self._liveness.record_state(record.state, seq)
        self.admission.record_state(record.state)
        return appended

    async def _publish(self, cached: CachedRecord, stored: Collection[str] = ()) -> None:
        """Publish the outputs of a record, except those with a message id in `stored`.

        Raises `NewerVersionNeeded` if one of the others is of a type that this version does not know.
        """
        if unsendable := [each for each in unknown_outputs(cached.record) if each not in stored]:
            raise NewerVersionNeeded(f"Output {unsendable[0]} is of an unknown type and not published yet")
        messages = [each for each in outgoing(cached.record, cached.trace) if each.msg_id not in stored]
        if messages:
            await self._bus.publish_all(messages)
        state = cached.record.state
        for each in cached.record.outbox:
            if isinstance(each, ArchiveTransfer):
                record = cached.record
                await self._archive.remove(state.id, each.session, cached.seq, record.trigger, record.at)
        cached.sent = True
        if state.stage.ended:
            self._cache.put_end(state.id, cached.seq)

    async def _publish_missing(self, cached: CachedRecord, fired_at: float = 0.0) -> None:
        """Publish the outputs of a record that are not in the stream yet. A timer due at `fired_at` was.

        Message ids alone do not prevent a repeat: the broker remembers them for two minutes. A transfer waits
        longer while a phone rings, or after its end. If another record follows, its writer has published all
        outputs of this one. An output that is missing then, such as a replaced timer, is obsolete.
        """
        state, since = cached.record.state, None
        if cached.record.outbox:
            on = [each.subject for each in outgoing(cached.record)]
            if unknown_outputs(cached.record):  # A newer version knows their subjects.
                on += [subjects.for_actors(state.id), subjects.for_users(state.id)]
            since = await self._log.since(state.id, cached.seq, on)
        if since is not None and since.followed:
            cached.sent = True
        else:
            fired = timers_due(cached.record, fired_at)
            await self._publish(cached, since.ids.union(fired) if since else fired)

    # ── other entry points ───────────────────────────────────────────────────────────────────────

    async def on_dead_letter(self, delivery: Delivery, cause: str) -> None:
        """End the transfer of a dead-lettered trigger at once, instead of waiting for its deadlines.

        Undecodable messages are dropped. Otherwise anyone who can publish could end a transfer. If the
        transfer has ended, this only publishes outputs of its last record that a crash left unpublished.
        """
        id, kind = delivery.transfer_id, delivery.kind
        ending: AnyEvent = TransferBroken(transfer_id=id, kind=kind, cause=cause)
        try:
            event = decode_trigger(delivery)
        except DeadLetter:
            return
        except NewerVersionNeeded:
            if kind != "timeout":
                return
            # A timer of a newer version fired: handle what is due, as at any timer.
            event = ending = DeadlinePassed(due_at=delivery.at)
        newest = await self._log.get_last_from_leader(id)
        if newest is None and kind != "request":
            return
        if (
            kind == "request"
            and newest is not None
            and not await request_owner.started_transfer(self._bus, delivery)
        ):
            return  # A repeat, or another request with the same id: the transfer does not depend on it.
        try:
            if newest is not None and _why_not_believed(_continuable(id, newest), event, delivery) is not None:
                return  # No actor that may say it has said it.
            await self._apply(ending, delivery)
        except NewerVersionNeeded as error:
            if newest is None:
                raise
            await self._give_up(newest, event, delivery, str(error))

    async def _give_up(self, newest: LogEntry, event: AnyEvent, delivery: Delivery, why: str) -> None:
        """End a transfer that this version cannot continue, unless another coordinator has continued it."""
        try:
            record, seq = await give_up_transfer(
                self._bus, self._log, newest, delivery, _record_id(delivery), why
            )
        except StaleWrite:
            await self._apply(event, delivery)
            return
        trace = transfer_trace.read(delivery.transfer_id, newest.headers)
        await self._spans.catch_up(trace, delivery.transfer_id, newest.seq)
        self._spans.observe(trace, newest.seq, record, seq)
        self._metrics.observe_outputs(record)
        self._cache.drop(delivery.transfer_id)
        self._liveness.drop(delivery.transfer_id)
        self.admission.drop(delivery.transfer_id)
        await self._publish(CachedRecord(record, seq, sent=False, fresh=False, trace=trace))
        _log_end(record.state.id, record.outbox)

    async def reject_invalid_id(self, delivery: Delivery, cause: str) -> None:
        """Publish a rejection of an invalid transfer id on the request's sibling subjects."""
        detail = cause.partition(": ")[2] or cause
        outcome = step(None, TransferRefused(transfer_id=subjects.INVALID_ID, detail=detail), delivery.at)
        for output in outcome.outbox if isinstance(outcome, Applied) else ():
            kind = "phase" if isinstance(output, PhaseChanged) else "result"
            subject = subjects.sibling_subject(delivery.subject, kind)
            if subject is not None:
                await self._bus.publish(subject, encode(output), msg_id=f"{delivery.seq}:{kind}")

    def running(self, partitions: Collection[int]) -> dict[Stage, int]:
        """Return how many known transfers of `partitions` have not ended, by stage."""
        return self._cache.running(partitions)

    async def answer_liveness(self, query: LiveMessage) -> bytes:
        """Reply to a session that holds a caller whether the transfer is live."""
        return await self._liveness.answer_liveness(query)


def _continuable(id: str, entry: LogEntry) -> Record:
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


def _trace(cached: CachedRecord | None, delivery: Delivery) -> TransferTrace | None:
    """Return the trace of the transfer of `delivery`; None if it is not traced, or has not begun."""
    if cached is not None:
        return cached.trace
    if delivery.kind != "request":
        return None
    return transfer_trace.begin(delivery.transfer_id, delivery.headers)


def _fired_at(event: AnyEvent) -> float:
    """Return when the timer was due whose event this is, or 0 for another event."""
    return event.due_at if isinstance(event, DeadlinePassed) else 0.0


def _why_not_believed(record: Record, event: AnyEvent, delivery: Delivery) -> str | None:
    """Return why the transfer of `record` does not believe an actor's `event`, or None."""
    if delivery.kind != "event" or isinstance(event, TransferBroken):
        return None
    return why_not_believed(record.state, event, delivery.rest)


def _log_end(id: str, outbox: Sequence[RecordedOutput]) -> None:
    """Log the outcome of transfer `id` once: with the record that publishes its result."""
    for output in outbox:
        if isinstance(output, WarmTransferResult):
            log.info("transfer_ended", transfer_id=id, outcome=output.outcome.value)


def _caused_by(record: Record, delivery: Delivery) -> bool:
    """Return whether `delivery` caused `record`. Other streams use the same numbers, not at the same time."""
    return (record.trigger, record.at) == (delivery.seq, delivery.at)


def _record_id(delivery: Delivery) -> str:
    """Return the message id of the one record that this trigger causes. Each stream has its own numbers."""
    return f"{delivery.transfer_id}:{delivery.kind}:{delivery.seq}"
