"""The coordinator: one trigger in, one record written, its outbox sent.

    1. a worker pulls a trigger (request, cancel, event, timeout); one at a time per transfer
    2. the newest record is loaded; what is missing of an outbox that may not have gone out goes out first
    3. `step(state, event, now)` decides; `now` is when the broker stored the trigger
    4. the new record is appended: the commit, guarded against every other writer
    5. its outbox is sent, every piece under a name that makes a repeat harmless
    6. the trigger is acknowledged

A crash anywhere before 6 brings the trigger back, and step 2 finds what was done; a trigger that comes back
when others have been applied since is known by the name under which its record was written.

What is written on an old record is refused, so a memory of one is good enough to try. What is ignored is gone
for good: that is decided on the newest record alone, as the stream's leader has it.
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
    encode,
)

from .admission import Admission
from .caller_lock import lock_caller
from .inbound_events import decode_trigger
from .liveness import TransferLiveness
from .outbox import TIMER, outgoing
from .record_cache import CachedRecord, RecordCache
from .settings import DEFAULT_MAX_TRANSFERS
from .state_machine import Applied, Record, decode_record, encode_record, step

MAX_RACES = 25
EARLY_TRIES = 4
EARLY_RETRY_S = 0.25
"""An event may overtake the request it belongs to: it is tried again a few times, then dropped."""
PAUSED_PROCESS_S = 30.0
"""A commit that took longer than this was frozen on the way, and others may have gone on from its record. Far
shorter than the two minutes for which the broker knows the names of what was sent."""

log = structlog.get_logger(__name__)


class Coordinator:
    """Moves transfers. Any number of processes may run one; the log decides between them."""

    def __init__(self, bus: Bus, *, max_transfers: int = DEFAULT_MAX_TRANSFERS) -> None:
        self._bus = bus
        self._clock = BrokerClock()
        self._admission = Admission(bus, max_transfers, self._clock)
        self._charge = TransferLiveness(bus, self._clock)
        self._log = TransferLog(bus)
        self._memory = RecordCache()

    async def handle(self, delivery: Delivery) -> None:
        """Let one trigger take effect, exactly once however often it is delivered."""
        self._clock.observe(delivery.at)
        await self._apply(decode_trigger(delivery), delivery)

    async def on_dead_letter(self, delivery: Delivery, cause: str) -> None:
        """A trigger became a dead letter: its transfer ends at once, and does not wait for its deadlines.

        What nobody can read is let go: it tells of nothing, and whoever writes it shall not end a transfer.
        """
        try:
            decode_trigger(delivery)
        except DeadLetter:
            return
        id, kind = delivery.transfer_id, delivery.kind
        if kind == "request" or await self._charge.is_live(id):
            await self._apply(TransferBroken(transfer_id=id, kind=kind, cause=cause), delivery)

    async def _apply(self, event: AnyEvent, delivery: Delivery) -> None:
        """Move the transfer by `event`; its record bears the delivery's name, whatever it was read as."""
        again = delivery.delivery_count > 1
        # What was done the first time is not in the memory of whoever did not do it.
        known = await (self._read if again else self._load)(delivery.transfer_id)
        for _ in range(MAX_RACES):
            if known is not None and not known.sent:
                await self._send_missing(known)
            if known is not None and known.record.trigger == delivery.seq:
                return
            if known is None:
                event = await self._first_event(event, delivery)
            outcome = step(known.record.state if known else None, event, delivery.at)
            if isinstance(outcome, Applied):
                if again and await self._log.contains(delivery.transfer_id, _record_id(delivery)):
                    return
                if await self._commit(known, outcome, event, delivery):
                    return
                again = True
                known = await self._read(delivery.transfer_id)
            elif known is None or known.fresh:
                log.debug("ignored", transfer_id=delivery.transfer_id, seq=delivery.seq, why=outcome.why)
                return
            else:
                # Nothing is ignored on the strength of a memory.
                known = await self._read(delivery.transfer_id)
        raise RetryableError(f"{MAX_RACES} races were lost in a row", after_s=0.5)

    async def answer_liveness(self, question: LiveMessage) -> bytes:
        """To a session that holds a caller: is anybody in charge of them?"""
        return await self._charge.answer_liveness(question)

    async def reject_invalid_id(self, delivery: Delivery, cause: str) -> None:
        """A request under an id that cannot be worked with is refused where its author listens."""
        detail = cause.partition(": ")[2] or cause
        outcome = step(None, TransferRefused(transfer_id=subjects.INVALID_ID, detail=detail), delivery.at)
        for output in outcome.outbox if isinstance(outcome, Applied) else ():
            kind = "phase" if isinstance(output, PhaseChanged) else "result"
            subject = subjects.sibling_subject(delivery.subject, kind)
            if subject is not None:
                await self._bus.publish(subject, encode(output), msg_id=f"{delivery.seq}:{kind}")

    # ── one trigger ──────────────────────────────────────────────────────────────────────────────

    async def _load(self, id: str) -> CachedRecord | None:
        return self._memory.get(id) or await self._read(id)

    async def _read(self, id: str) -> CachedRecord | None:
        entry = await self._log.get_last_from_leader(id)
        if entry is None:
            return None
        sent = self._memory.mark_sent(id, entry.seq)
        known = CachedRecord(decode_record(entry.data), entry.seq, sent, fresh=True)
        self._memory.put(id, known)
        return known

    async def _first_event(self, event: AnyEvent, delivery: Delivery) -> AnyEvent:
        """The first event of a transfer, which has to be its request."""
        if isinstance(event, TransferRequested):
            refusal = await self._admission.rejection(event.transfer_id, delivery.at)
            if refusal is not None:
                return refusal
            held_by = await lock_caller(
                self._bus, event.request.session_name, event.transfer_id, delivery.at, self._charge.is_live
            )
            return TransferRequested(
                transfer_id=event.transfer_id, request=event.request, conflicting_transfer_id=held_by
            )
        if delivery.kind == "request":
            return event
        asked_for = await self._bus.get_last_from_leader(subjects.request(delivery.transfer_id)) is not None
        if asked_for or delivery.delivery_count < EARLY_TRIES:
            # Who was to begin it may have died, and then it is begun when the request comes again.
            raise RetryableError(f"No transfer {delivery.transfer_id} yet", after_s=EARLY_RETRY_S)
        raise DeadLetter(f"there is no transfer {delivery.transfer_id}")

    async def _commit(
        self, known: CachedRecord | None, moved: Applied, event: AnyEvent, delivery: Delivery
    ) -> bool:
        """Append the record and send its outbox; False when somebody else wrote first."""
        state = moved.state
        record = Record(trigger=delivery.seq, at=delivery.at, event=event, state=state, outbox=moved.outbox)
        was_armed = known is not None and known.record.state.timer_due_at is not None
        cancel = subjects.timer(state.id, TIMER) if was_armed and state.timer_due_at is None else None
        clock = asyncio.get_running_loop().time
        frozen_at = clock() + PAUSED_PROCESS_S
        try:
            seq = await self._log.append(
                state.id, encode_record(record), known.seq if known else 0, _record_id(delivery), cancel
            )
        except StaleWrite:
            self._memory.drop(state.id)
            return False
        committed = CachedRecord(record, seq, sent=False, fresh=False)
        self._memory.put(state.id, committed)
        await (self._send if clock() < frozen_at else self._send_missing)(committed)
        if state.stage.ended and state.decision is not None:
            log.info("transfer_ended", transfer_id=state.id, outcome=state.decision.outcome.value)
        return True

    async def _send_missing(self, known: CachedRecord) -> None:
        """Send what is not in the stream yet of an outbox that somebody may have sent.

        Its names alone do not keep a repeat away: the broker knows them for two minutes, and a transfer
        stands still for longer while a phone rings, or after its end. Where another record follows, its
        writer has sent all of it; what is not there of it any more, as a timer that was replaced, is over.
        """
        since = await self._log.since(known.record.state.id, known.seq) if known.record.outbox else None
        if since is not None and since.followed:
            known.sent = True
        else:
            await self._send(known, since.ids if since else ())

    async def _send(self, known: CachedRecord, stored: Collection[str] = ()) -> None:
        messages = [each for each in outgoing(known.record) if each.msg_id not in stored]
        if messages:
            await self._bus.publish_all(messages)
        known.sent = True


def _record_id(delivery: Delivery) -> str:
    """The name of the one record that this trigger causes, however often it is delivered."""
    return f"{delivery.transfer_id}:{delivery.seq}"
