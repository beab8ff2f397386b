"""The coordinator: load, step, append, publish, acknowledge.

    1. pull         a worker takes a trigger (request, cancel, event, timeout); one at a time per transfer
    2. load         the newest record is read; outputs of it that are not in the stream are published
    3. step         `step(state, event, now)` decides; `now` is when the broker stored the trigger
    4. append       the new record is appended at an expected sequence, which excludes every other writer
    5. publish      its outputs are published, each under a message id that makes a repeat harmless
    6. acknowledge  the worker acknowledges the trigger

A crash before 6 causes a redelivery, and 2 finds what was done. If other triggers were applied since, the
redelivered one is recognised by the message id of its record.

- Invariant: a record is appended only after the newest record. So a cached record is good enough for a try.
- Invariant: a trigger is ignored only on the newest record, read from the stream leader, because an ignored
  trigger is lost. Test: `tests/actors/coordinator/test_stale_reads.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from warmxfer.bus import (
    BrokerClock,
    Bus,
    DeadLetter,
    Delivery,
    LiveMessage,
    RetryableError,
    StaleWrite,
    TransferLog,
    subjects,
)
from warmxfer.schemas import (
    AnyEvent,
    PhaseChanged,
    TransferBroken,
    TransferRefused,
    TransferRequested,
    WarmTransferResult,
    encode,
)

from .admission import Admission
from .caller_lock import lock_caller
from .inbound_events import decode_trigger
from .liveness import TransferLiveness
from .outbox import outgoing, pending_timer
from .record_cache import CachedRecord, RecordCache
from .settings import DEFAULT_MAX_TRANSFERS
from .state_machine import Applied, Record, decode_record, encode_record, step

MAX_RACES = 25
EARLY_TRIES = 4
EARLY_RETRY_S = 0.25
"""An event may arrive before its request. It is retried a few times, then dead-lettered."""
PAUSED_PROCESS_S = 30.0
"""Maximum duration of an append. After a longer one the process counts as paused, and another coordinator may
have continued from its record. Far shorter than the two minutes for which the broker remembers message
ids.
"""

log = structlog.get_logger(__name__)


class Coordinator:
    """Moves transfers. Any number of processes may run one; the transfer log decides between them."""

    def __init__(self, bus: Bus, *, max_transfers: int = DEFAULT_MAX_TRANSFERS) -> None:
        self._bus = bus
        self._clock = BrokerClock()
        self._admission = Admission(bus, max_transfers, self._clock)
        self._liveness = TransferLiveness(bus, self._clock)
        self._log = TransferLog(bus)
        self._cache = RecordCache()

    async def handle(self, delivery: Delivery) -> None:
        """Apply one trigger. Idempotent: a redelivery has no further effect."""
        self._clock.observe(delivery.at)
        await self._apply(decode_trigger(delivery), delivery)

    async def _apply(self, event: AnyEvent, delivery: Delivery) -> None:
        """Load, step, append and publish for one trigger; the worker acknowledges it afterwards."""
        clock = asyncio.get_running_loop().time
        # Load. On redelivery skip the cache: another process may have applied this trigger.
        redelivered = delivery.delivery_count > 1
        cached = await (self._read if redelivered else self._load)(delivery.transfer_id)
        for _ in range(MAX_RACES):
            if cached is not None and not cached.sent:
                await self._publish_missing(cached)
            if cached is not None and cached.record.trigger == delivery.seq:
                return
            if cached is None:
                event = await self._first_event(event, delivery)
            # Step.
            outcome = step(cached.record.state if cached else None, event, delivery.at)
            if isinstance(outcome, Applied):
                if redelivered and await self._log.contains(delivery.transfer_id, _record_id(delivery)):
                    return
                # Append.
                paused_at = clock() + PAUSED_PROCESS_S
                appended = await self._append(cached, outcome, event, delivery)
                if appended is not None:
                    # Publish.
                    await (self._publish if clock() < paused_at else self._publish_missing)(appended)
                    _log_end(outcome)
                    return
                redelivered = True
            elif cached is None or cached.fresh:
                log.debug(
                    "trigger_ignored", transfer_id=delivery.transfer_id, seq=delivery.seq, why=outcome.why
                )
                return
            # Load again: another coordinator appended first, or the trigger was ignored on a cached record.
            cached = await self._read(delivery.transfer_id)
        raise RetryableError(f"Another coordinator wrote first {MAX_RACES} times in a row", after_s=0.5)

    async def _load(self, id: str) -> CachedRecord | None:
        """Return the newest record this process knows, from the cache if it can."""
        return self._cache.get(id) or await self._read(id)

    async def _read(self, id: str) -> CachedRecord | None:
        """Read the newest record from the stream leader, or None if the transfer has none."""
        entry = await self._log.get_last_from_leader(id)
        if entry is None:
            return None
        sent = self._cache.mark_sent(id, entry.seq)
        cached = CachedRecord(decode_record(entry.data), entry.seq, sent, fresh=True)
        self._cache.put(id, cached)
        return cached

    async def _first_event(self, event: AnyEvent, delivery: Delivery) -> AnyEvent:
        """Return the event that starts the transfer; only a request can."""
        if isinstance(event, TransferRequested):
            rejection = await self._admission.rejection(event.transfer_id, delivery.at)
            if rejection is not None:
                return rejection
            conflicting_id = await lock_caller(
                self._bus, event.request.session_name, event.transfer_id, delivery.at, self._liveness.is_live
            )
            return TransferRequested(
                transfer_id=event.transfer_id, request=event.request, conflicting_transfer_id=conflicting_id
            )
        if delivery.kind == "request":
            return event
        was_requested = (
            await self._bus.get_last_from_leader(subjects.request(delivery.transfer_id)) is not None
        )
        if was_requested or delivery.delivery_count < EARLY_TRIES:
            # The coordinator that took the request may have crashed; then the request is redelivered.
            raise RetryableError(f"No transfer {delivery.transfer_id} yet", after_s=EARLY_RETRY_S)
        raise DeadLetter(f"there is no transfer {delivery.transfer_id}")

    async def _append(
        self, cached: CachedRecord | None, applied: Applied, event: AnyEvent, delivery: Delivery
    ) -> CachedRecord | None:
        """Append the record after `cached`; return it, or None if another process appended first.

        The record is named after the delivery, whatever event the delivery was read as.
        """
        state = applied.state
        record = Record(trigger=delivery.seq, at=delivery.at, event=event, state=state, outbox=applied.outbox)
        timer_before = pending_timer(cached.record.state) if cached else None
        cancel_timer = None if timer_before == pending_timer(state) else timer_before
        try:
            seq = await self._log.append(
                state.id,
                encode_record(record),
                cached.seq if cached else 0,
                _record_id(delivery),
                cancel_timer,
            )
        except StaleWrite:
            self._cache.drop(state.id)
            return None
        appended = CachedRecord(record, seq, sent=False, fresh=False)
        self._cache.put(state.id, appended)
        return appended

    async def _publish(self, cached: CachedRecord, stored: Collection[str] = ()) -> None:
        """Publish the outputs of a record, except those with a message id in `stored`."""
        messages = [each for each in outgoing(cached.record) if each.msg_id not in stored]
        if messages:
            await self._bus.publish_all(messages)
        cached.sent = True

    async def _publish_missing(self, cached: CachedRecord) -> None:
        """Publish the outputs of a record that are not in the stream yet.

        Message ids alone do not prevent a repeat: the broker remembers them for two minutes. A transfer waits
        longer while a phone rings, or after its end. If another record follows, its writer has published all
        outputs of this one. An output that is missing then, such as a replaced timer, is obsolete.
        """
        since = await self._log.since(cached.record.state.id, cached.seq) if cached.record.outbox else None
        if since is not None and since.followed:
            cached.sent = True
        else:
            await self._publish(cached, since.ids if since else ())

    # ── other entry points ───────────────────────────────────────────────────────────────────────

    async def on_dead_letter(self, delivery: Delivery, cause: str) -> None:
        """End the transfer of a dead-lettered trigger at once, instead of waiting for its deadlines.

        Undecodable messages are dropped. Otherwise anyone who can publish could end a transfer.
        """
        try:
            decode_trigger(delivery)
        except DeadLetter:
            return
        id, kind = delivery.transfer_id, delivery.kind
        if kind == "request" or await self._liveness.takes_events(id):
            await self._apply(TransferBroken(transfer_id=id, kind=kind, cause=cause), delivery)

    async def reject_invalid_id(self, delivery: Delivery, cause: str) -> None:
        """Publish a rejection of an invalid transfer id on the request's sibling subjects."""
        detail = cause.partition(": ")[2] or cause
        outcome = step(None, TransferRefused(transfer_id=subjects.INVALID_ID, detail=detail), delivery.at)
        for output in outcome.outbox if isinstance(outcome, Applied) else ():
            kind = "phase" if isinstance(output, PhaseChanged) else "result"
            subject = subjects.sibling_subject(delivery.subject, kind)
            if subject is not None:
                await self._bus.publish(subject, encode(output), msg_id=f"{delivery.seq}:{kind}")

    async def answer_liveness(self, query: LiveMessage) -> bytes:
        """Reply to a session that holds a caller whether the transfer is live."""
        return await self._liveness.answer_liveness(query)


def _log_end(applied: Applied) -> None:
    """Log the outcome of a transfer once: with the record that publishes its result."""
    for output in applied.outbox:
        if isinstance(output, WarmTransferResult):
            log.info("transfer_ended", transfer_id=applied.state.id, outcome=output.outcome.value)


def _record_id(delivery: Delivery) -> str:
    """Return the message id of the one record that this trigger causes."""
    return f"{delivery.transfer_id}:{delivery.seq}"
