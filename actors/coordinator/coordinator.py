"""The coordinator: load, step, append, publish, acknowledge.

    1. pull         a worker takes a trigger (request, cancel, event, timeout); one at a time per transfer
    2. load         the newest record is read, except before the first one (`Records.may_begin`); outputs of
                    it that are not in the stream are published
    3. step         `step(state, event, now)` decides; `now` is when the broker stored the trigger
    4. append       the new record is appended at an expected sequence, which excludes every other writer
    5. publish      its outputs are published, each under a message id that makes a repeat harmless
    6. acknowledge  the worker acknowledges the trigger

If further events of the transfer wait then, one record may apply them together (`folding.py`): 4 and 5 happen
once for all of them.

A crash before 6 causes a redelivery, and 2 finds what was done. A record names each trigger that it applied.
If other triggers were applied since, the redelivered one is recognised by the message id of its record, which
names all of its triggers. A consumer that was deleted and created again may deliver old triggers as if for
the first time. No trigger that was applied is newer than `CachedRecord.newest_at`.

Step 2 and 4 are in `records.py`. What a transfer starts with is decided in `transfer_start.py`.

- Invariant: a transfer whose newest record this version cannot continue is left to a newer version for a
  while (`NewerVersionNeeded`). If none comes, it is given up (`give_up.py`).
- Invariant: a trigger is ignored only on the newest record, read from the stream leader, because an ignored
  trigger is lost. Test: `tests/actors/coordinator/test_stale_reads.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import ExitStack

import structlog

from warmxfer.bus import (
    BrokerClock,
    Bus,
    DeadLetter,
    Delivery,
    LiveMessage,
    LogEntry,
    NewerVersionNeeded,
    RetryableError,
    StaleWrite,
    Unwanted,
    subjects,
)
from warmxfer.schemas import (
    AnyEvent,
    DeadlinePassed,
    PhaseChanged,
    TransferBroken,
    TransferRefused,
    WarmTransferResult,
    encode,
)
from warmxfer.schemas.personal_data import Kind

from ..common.dial_policy import DialPolicy
from . import request_owner, transfer_trace
from .admission import Admission
from .archive import Archive
from .event_writers import why_not_accepted
from .folding import AppliedTrigger, fold
from .give_up import give_up_transfer
from .inbound_events import TriggerReader, decode_trigger
from .liveness import TransferLiveness
from .outbox import outgoing, timers_due, unknown_outputs
from .record_cache import CachedRecord
from .records import Records, continuable, record_id, trace_of
from .settings import DEFAULT_ARCHIVE_AFTER_S, DEFAULT_MAX_TRANSFERS, DEFAULT_MAX_WAIT_S
from .state_machine import Applied, ArchiveTransfer, Record, RecordedOutput, Stage, step
from .transfer_metrics import TIMER_LATENESS, TransferMetrics
from .transfer_spans import TransferSpans
from .transfer_start import TransferStart

MAX_RACES = 25
"""Appends that may lose to other coordinators before the trigger is redelivered."""
PAUSED_PROCESS_S = 30.0
"""Longest time from a read to what follows from it. After a longer one the process counts as paused: another
coordinator may have continued or archived the transfer. Far shorter than the two minutes for which the broker
remembers message ids.
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
        self._clock = BrokerClock()
        self._triggers = TriggerReader()
        self.admission = Admission(
            bus,
            max_transfers,
            self._clock,
            max_store_bytes=max_store_bytes,
            max_wait_s=max_wait_s,
            instance=instance,
        )
        self._liveness = TransferLiveness(bus, self._clock)
        self._metrics = TransferMetrics()
        self._spans = TransferSpans(bus)
        self._records = Records(
            bus,
            archive=self._archive,
            admission=self.admission,
            liveness=self._liveness,
            spans=self._spans,
            metrics=self._metrics,
            overwrite=archive_overwrites,
        )
        self._start = TransferStart(
            bus,
            self._clock,
            policy=policy or DialPolicy(),
            admission=self.admission,
            liveness=self._liveness,
            archive_after_s=archive_after_s,
        )

    def check(self, delivery: Delivery) -> Exception | None:
        """Return why `delivery`, which has just arrived, cannot be read, or None."""
        self._clock.observe(delivery.at)
        return self._triggers.check(delivery)

    async def handle(self, delivery: Delivery) -> None:
        """Apply one trigger. Idempotent: a redelivery has no further effect."""
        self._clock.observe(delivery.at)
        if delivery.kind == "event" and delivery.delivery_count == 1:
            self.admission.observe_delay(delivery.at)
        try:
            event = self._triggers.read(delivery)
        except NewerVersionNeeded as error:
            if await self._liveness.takes_events(delivery.transfer_id):
                raise
            raise Unwanted(f"{error}, and its transfer is not running") from error
        self._triggers.drop(delivery)
        if isinstance(event, DeadlinePassed) and delivery.delivery_count == 1:
            TIMER_LATENESS.observe(max(0.0, self._clock.now() - event.due_at))
        await self._apply(event, delivery)

    async def handle_together(self, deliveries: Sequence[Delivery]) -> int:
        """Apply the first of several triggers of one transfer, and those behind it that share its record.

        Returns how many were handled. The others are to be handled later.
        """
        id = deliveries[0].transfer_id
        cached = self._records.known(id)
        series = None if cached is None else fold(cached, deliveries, self._triggers.read)
        if cached is None or series is None:
            await self.handle(deliveries[0])
            return 1
        handled = deliveries[: series.ends]
        with ExitStack() as stack:
            for delivery, event, _ in series.triggers:
                stack.enter_context(self._spans.applying(cached.trace, event, delivery))
            if await self._append(cached, series.triggers, asyncio.get_running_loop().time()):
                for delivery in handled:
                    self._triggers.drop(delivery)
                    self._clock.observe(delivery.at)
                    self.admission.observe_delay(delivery.at)
                return len(handled)
        await self.handle(deliveries[0])
        return 1

    async def _apply(self, event: AnyEvent, delivery: Delivery) -> None:
        """Load, step, append and publish for one trigger; the worker acknowledges it afterwards."""
        # On redelivery skip the cache: another process may have applied this trigger.
        redelivered = delivery.delivery_count > 1
        log_read = not self._records.may_begin(event, delivery)
        load = self._records.read if redelivered else self._records.load
        cached = await load(delivery.transfer_id) if log_read else None
        with self._spans.applying(trace_of(cached, delivery), event, delivery):
            for _ in range(MAX_RACES):
                if await self._try_after(cached, event, delivery, redelivered=redelivered, log_read=log_read):
                    return
                cached = await self._records.read(delivery.transfer_id)
                redelivered = log_read = True
            raise RetryableError(f"Another coordinator wrote first {MAX_RACES} times in a row", after_s=0.5)

    async def _try_after(
        self,
        cached: CachedRecord | None,
        event: AnyEvent,
        delivery: Delivery,
        *,
        redelivered: bool,
        log_read: bool,
    ) -> bool:
        """Apply one trigger after the record `cached`, or find that there is nothing to apply.

        `cached` is None if there is no record, or if `log_read` is False. Returns False if the newest record
        has to be read first: another coordinator appended one, or only the log decides.
        """
        read_at, id = asyncio.get_running_loop().time(), delivery.transfer_id
        if cached is not None and await self._is_newest_trigger(cached, event, delivery):
            return True
        if cached is None or cached.record.state.archived:
            archived = await self._archive.find(id)
            if archived is not None and log_read:
                await self._archive.answer_late(delivery, archived, log_is_empty=cached is None)
            if archived is not None:
                return log_read  # If the log has records, the archive does not count: read the log first.
        if cached is None:
            if not await self._is_first(delivery):
                if log_read:
                    await request_owner.refuse(self._bus, delivery)
                return log_read
            event = await self._start.first_event(event, delivery)
        elif (why := _why_unaccepted(cached.record, event, delivery)) is not None:
            raise Unwanted(why)
        outcome = step(cached.record.state if cached else None, event, delivery.at)
        if isinstance(outcome, Applied):
            if await self._records.is_applied(cached, delivery, redelivered=redelivered):
                return True
            return await self._append(cached, [AppliedTrigger(delivery, event, outcome)], read_at)
        if not log_read or (cached is not None and not cached.fresh):
            return False  # It may be ignored only after the newest record.
        await self._ignore(cached, delivery, outcome.why)
        return True

    async def _is_newest_trigger(self, cached: CachedRecord, event: AnyEvent, delivery: Delivery) -> bool:
        """Return whether the record `cached` is due to `delivery`.

        Publishes what a crash left unpublished of the record, unless an archived one is due to another
        trigger: its transfer may be removed by now.
        """
        is_newest = cached.record.is_due_to(delivery.at, delivery.seq)
        if not cached.sent and (is_newest or not cached.record.state.archived):
            await self._publish_missing(cached, event.due_at if isinstance(event, DeadlinePassed) else 0.0)
        return is_newest

    async def _ignore(self, cached: CachedRecord | None, delivery: Delivery, why: str) -> None:
        """Refuse a request that has the id of another transfer, and log any other trigger without effect."""
        if cached is not None and not await self._is_own_request(cached, delivery):
            await request_owner.refuse(self._bus, delivery)
        else:
            log.debug("trigger_ignored", transfer_id=delivery.transfer_id, seq=delivery.seq, why=why)

    async def _append(
        self, cached: CachedRecord | None, triggers: Sequence[AppliedTrigger], read_at: float
    ) -> bool:
        """Append the record of `triggers` after `cached`, which was read at `read_at`; publish its outputs.

        Returns False if another coordinator appended first.
        """
        clock = asyncio.get_running_loop().time
        paused_after = clock() + PAUSED_PROCESS_S
        appended = await self._records.append(cached, triggers)
        if appended is None:
            return False
        id = appended.record.state.id
        archive_answer_is_old = cached is None and clock() >= read_at + PAUSED_PROCESS_S
        if archive_answer_is_old and await self._archive.find(id):
            await self._archive.take_back(id, appended.seq)
            return True
        await (self._publish if clock() < paused_after else self._publish_missing)(appended)
        _log_end(id, appended.record.outbox)
        return True

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
        self._records.mark_published(cached)

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
            since = await self._records.log.since(state.id, cached.seq, on)
        if since is not None and since.followed:
            cached.sent = True
        else:
            fired = timers_due(cached.record, fired_at)
            await self._publish(cached, since.ids.union(fired) if since else fired)

    async def _is_first(self, delivery: Delivery) -> bool:
        """Return whether `delivery` is no request, or no different request is stored before it."""
        return delivery.kind != "request" or await request_owner.is_first_request(self._bus, delivery)

    async def _is_own_request(self, cached: CachedRecord, delivery: Delivery) -> bool:
        """Return whether `delivery` is no request, or is the request of its transfer."""
        return delivery.kind != "request" or await request_owner.owns_transfer(
            self._bus, delivery, cached.record.state.request
        )

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
        newest = await self._records.log.get_last_from_leader(id)
        if newest is None and kind != "request":
            return
        if (
            kind == "request"
            and newest is not None
            and not await request_owner.started_transfer(self._bus, delivery)
        ):
            return  # A repeat, or another request with the same id: the transfer does not depend on it.
        try:
            if newest is not None and _why_unaccepted(continuable(id, newest), event, delivery) is not None:
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
                self._bus, self._records.log, newest, delivery, record_id(delivery), why
            )
        except StaleWrite:
            await self._apply(event, delivery)
            return
        trace = transfer_trace.read(delivery.transfer_id, newest.headers)
        await self._spans.catch_up(trace, delivery.transfer_id, newest.seq)
        self._spans.observe(trace, newest.seq, [record], seq)
        self._metrics.observe_outputs(record)
        self._records.drop(delivery.transfer_id)
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
        return self._records.running(partitions)

    async def answer_liveness(self, query: LiveMessage) -> bytes:
        """Reply to a session that holds a caller whether the transfer is live."""
        return await self._liveness.answer_liveness(query)


def _why_unaccepted(record: Record, event: AnyEvent, delivery: Delivery) -> str | None:
    """Return why the transfer of `record` does not accept an actor's `event`, or None."""
    if delivery.kind != "event" or isinstance(event, TransferBroken):
        return None
    return why_not_accepted(record.state, event, delivery.rest)


def _log_end(id: str, outbox: Sequence[RecordedOutput]) -> None:
    """Log the outcome of transfer `id` once: with the record that publishes its result."""
    for output in outbox:
        if isinstance(output, WarmTransferResult):
            log.info("transfer_ended", transfer_id=id, outcome=output.outcome.value)
