"""Gives up a transfer whose newest record this version cannot continue, after no newer version did.

The log is read as plain JSON, so that no record can prevent the end: a stage, a command or a type of a newer
version, or bytes that are no record at all.

- Invariant: the caller is released first, and the record that ends the transfer is readable by every version.
- Invariant: a result that is published, or that the newest record orders to publish, stands.

Test: `tests/actors/coordinator/test_give_up.py`.
"""

from __future__ import annotations

from typing import Any, cast

import structlog

from warmxfer.bus import Bus, Delivery, LogEntry, Outgoing, TransferLog, subjects
from warmxfer.bus.transfer_log import MAX_RECORDS
from warmxfer.schemas import (
    DecodeError,
    InvalidRequest,
    TransferBroken,
    WarmTransferResult,
    decode_phase,
    decode_result,
    encode,
)

from .outbox import TIMERS, message_id, outgoing, pending_timer, plain_timer
from .state_machine import (
    LAST_STAGES,
    Applied,
    Record,
    UnreadableRecord,
    close_log,
    decode_record,
    encode_record,
    give_up,
    is_of_another,
    plain_first_event,
    plain_record,
    plain_stage,
    salvage,
)

GIVEN_UP = (
    "This version of warmxfer cannot continue the transfer, and no newer version did; see docs/operations.md."
)
PUBLISHED_KINDS = {
    "phase_changed": subjects.phase,
    "warm_transfer_result": subjects.result,
    "transfer_notice": subjects.notice,
}
"""The outputs of a record that users have to get, by their type."""

log = structlog.get_logger(__name__)


async def give_up_transfer(
    bus: Bus, transfer_log: TransferLog, newest: LogEntry, delivery: Delivery, msg_id: str, why: str
) -> tuple[Record, int]:
    """Append the record that ends the transfer of `delivery` after `newest`; return it with its sequence.

    Its outputs are not published yet. Raises `StaleWrite` if another coordinator has appended a record.
    """
    id = delivery.transfer_id
    if is_of_another(id, newest.data):
        newest = newest._replace(data=b"")  # Nothing that it orders is this transfer's.
    await _publish_for_users(bus, transfer_log, id, newest)
    await _publish_last_commands(bus, transfer_log, id, newest)
    applied = await _end(bus, id, newest, delivery.at)
    event = TransferBroken(transfer_id=id, kind=delivery.kind, cause=why)
    record = Record(
        trigger=delivery.seq,
        at=delivery.at,
        event=event,
        state=applied.state,
        outbox=[*applied.outbox],
        newest_at=newest.at if newest.at > delivery.at else 0.0,
        first_event=plain_first_event(newest.data),
    )
    timer = plain_timer(id, newest.data)
    cancel_timer = None if timer == pending_timer(applied.state) else timer
    seq = await transfer_log.append(id, encode_record(record), newest.seq, msg_id, cancel_timer)
    log.error("transfer_given_up", transfer_id=id, why=why)
    return record, seq


async def _publish_for_users(bus: Bus, transfer_log: TransferLog, id: str, newest: LogEntry) -> None:
    """Publish the phases and the result of the newest record that are not in the stream yet."""
    written = plain_record(newest.data)
    state, outbox = written.get("state"), written.get("outbox")
    if not isinstance(state, dict) or not isinstance(outbox, list):
        return
    stored = await transfer_log.since(id, newest.seq, [subject(id) for subject in PUBLISHED_KINDS.values()])
    for index, each in enumerate(cast("list[Any]", outbox)):
        kind = cast("dict[str, Any]", each).get("type") if isinstance(each, dict) else None
        msg_id = message_id(id, cast("dict[str, Any]", state).get("seq"), index)
        if isinstance(kind, str) and kind in PUBLISHED_KINDS and msg_id not in stored.ids:
            subject = PUBLISHED_KINDS[kind](id)
            await bus.publish_all([Outgoing(subject, encode(each), msg_id)])


async def _publish_last_commands(bus: Bus, transfer_log: TransferLog, id: str, newest: LogEntry) -> None:
    """Publish the commands of a final record that a crash left unpublished. Its timer is not set any more."""
    if plain_stage(newest.data) not in LAST_STAGES:
        return
    try:
        record = decode_record(newest.data)
        messages = outgoing(record)
    except (UnreadableRecord, InvalidRequest) as error:
        log.warning("last_commands_unreadable", transfer_id=id, cause=str(error))
        return
    stored = await transfer_log.since(id, newest.seq, [each.subject for each in messages])
    timers = {subjects.timer(id, name) for name in TIMERS}
    unsent = [each for each in messages if each.msg_id not in stored.ids and each.subject not in timers]
    if unsent:
        await bus.publish_all(unsent)


async def _end(bus: Bus, id: str, newest: LogEntry, now: float) -> Applied:
    stored = await bus.history(subjects.log(id), MAX_RECORDS)
    records = [each.data for each in stored if each.seq < newest.seq] + [newest.data]
    request = await bus.get_last_from_leader(subjects.request(id))
    state = salvage(id, records, request.data if request else b"", now)
    state.phases = max(state.phases, await _phases(bus, id))
    result = await _result(bus, id)
    return give_up(state, GIVEN_UP, now) if result is None else close_log(state, result, newest.data, now)


async def _phases(bus: Bus, id: str) -> int:
    """Return the number of the newest phase in the stream, 0 if there is none."""
    stored = await bus.get_last_from_leader(subjects.phase(id))
    try:
        return 0 if stored is None else decode_phase(stored.data).seq
    except DecodeError:
        return 0


async def _result(bus: Bus, id: str) -> WarmTransferResult | None:
    stored = await bus.get_last_from_leader(subjects.result(id))
    try:
        return None if stored is None else decode_result(stored.data)
    except DecodeError:
        return None
