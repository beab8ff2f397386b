"""The transfer log: one writer wins, the others get StaleWrite, and a cancelled timer does not fire."""

from __future__ import annotations

import asyncio
import time

import pytest

from warmxfer.bus import Bus, RetryableError, StaleWrite, TransferLog, subjects, timers, transfer_log
from warmxfer.bus.transfer_log import record_id, trigger_ids


async def test_a_record_is_appended_after_its_predecessor(bus: Bus, transfer_id: str) -> None:
    log = TransferLog(bus)
    assert await log.get_last_from_leader(transfer_id) is None
    first = await log.append(transfer_id, b"one", 0, f"{transfer_id}.1")
    second = await log.append(transfer_id, b"two", first, f"{transfer_id}.2")
    newest = await log.get_last_from_leader(transfer_id)
    assert newest is not None
    assert (newest.seq, newest.data, newest.msg_id) == (second, b"two", f"{transfer_id}.2")
    assert abs(newest.at - time.time()) < 5


async def test_one_of_many_concurrent_writers_wins(bus: Bus, transfer_id: str) -> None:
    log = TransferLog(bus)
    results = await asyncio.gather(
        *(log.append(transfer_id, b"%d" % n, 0, f"{transfer_id}.{n}") for n in range(10)),
        return_exceptions=True,
    )
    winners = [n for n, result in enumerate(results) if isinstance(result, int)]
    assert len(winners) == 1
    assert all(isinstance(result, StaleWrite) for n, result in enumerate(results) if n not in winners)
    newest = await log.get_last_from_leader(transfer_id)
    assert newest is not None
    assert newest.data == b"%d" % winners[0]


async def test_a_write_after_an_older_record_is_stale_and_changes_nothing(bus: Bus, transfer_id: str) -> None:
    log = TransferLog(bus)
    first = await log.append(transfer_id, b"one", 0, f"{transfer_id}.1")
    second = await log.append(transfer_id, b"two", first, f"{transfer_id}.2")
    with pytest.raises(StaleWrite, match=r"Another writer was first on "):
        await log.append(transfer_id, b"late", first, f"{transfer_id}.3")
    newest = await log.get_last_from_leader(transfer_id)
    assert newest is not None
    assert newest.seq == second


async def test_appending_cancels_a_pending_timer(bus: Bus, transfer_id: str) -> None:
    timer = timers.schedule(transfer_id, "deadline", time.time() + 60, b"due")
    await bus.publish_all([timer])
    await TransferLog(bus).append(transfer_id, b"one", 0, f"{transfer_id}.1", cancel_timer=timer.subject)
    assert await bus.get_last(timer.subject) is None
    assert await bus.get_last(subjects.timeout(transfer_id)) is None


async def test_cancelling_a_timer_that_is_not_pending_is_no_error(bus: Bus, transfer_id: str) -> None:
    seq = await TransferLog(bus).append(
        transfer_id, b"one", 0, f"{transfer_id}.1", cancel_timer=subjects.timer(transfer_id, "never")
    )
    newest = await TransferLog(bus).get_last_from_leader(transfer_id)
    assert newest is not None
    assert newest.seq == seq


async def test_a_rejected_append_does_not_cancel_the_timer(bus: Bus, transfer_id: str) -> None:
    timer = timers.schedule(transfer_id, "deadline", time.time() + 30, b"due")
    await bus.publish_all([timer])
    log = TransferLog(bus)
    await log.append(transfer_id, b"one", 0, f"{transfer_id}.1")
    with pytest.raises(StaleWrite):
        await log.append(transfer_id, b"late", 0, f"{transfer_id}.2", cancel_timer=timer.subject)
    assert await bus.get_last(timer.subject) is not None


async def test_a_record_is_found_by_each_of_its_triggers(bus: Bus, transfer_id: str) -> None:
    log = TransferLog(bus)
    first = await log.append(transfer_id, b"one", 0, record_id(transfer_id, "request", [5]))
    newest = await log.append(transfer_id, b"two", first, record_id(transfer_id, "event", [6, 17, 9]))
    found = {
        (kind, number)
        for kind in ("request", "event")
        for number in (1, 5, 6, 7, 9, 17, 617)
        if await log.contains(transfer_id, f"{transfer_id}:{kind}:{number}", newest)
    }
    assert found == {("request", 5), ("event", 6), ("event", 17), ("event", 9)}


async def test_a_log_without_its_newest_record_does_not_say_what_it_lacks(bus: Bus, transfer_id: str) -> None:
    """A replica may be behind. The broker knows the id of a record, but not that of each of its triggers."""
    log = TransferLog(bus)
    newest = await log.append(transfer_id, b"one", 0, record_id(transfer_id, "event", [6]))
    with pytest.raises(RetryableError, match="whole log"):
        await log.contains(transfer_id, f"{transfer_id}:event:7", newest + 1)


async def test_a_log_with_more_records_than_are_read_does_not_count_as_behind(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be read again for ever."""
    log = TransferLog(bus)
    first = await log.append(transfer_id, b"one", 0, record_id(transfer_id, "event", [6]))
    newest = await log.append(transfer_id, b"two", first, record_id(transfer_id, "event", [7]))
    monkeypatch.setattr(transfer_log, "MAX_RECORDS", 1)
    found = [n for n in (6, 7) if await log.contains(transfer_id, f"{transfer_id}:event:{n}", newest + 1)]
    assert len(found) == 1


def test_the_message_id_of_a_record_names_its_triggers() -> None:
    assert record_id("t", "event", [4]) == "t:event:4"
    assert trigger_ids("t:event:4") == ["t:event:4"]
    assert trigger_ids(record_id("a+b", "event", [4])) == ["a+b:event:4"]
    assert trigger_ids(record_id("a+b", "event", [4, 5])) == ["a+b:event:4", "a+b:event:5"]
    assert trigger_ids(None) == []


async def test_the_end_of_a_log_has_what_was_published_for_users_only_if_it_was_asked_for(
    bus: Bus, transfer_id: str
) -> None:
    log = TransferLog(bus)
    first = await log.append(transfer_id, b"one", 0, "record-1")
    await bus.publish(subjects.phase(transfer_id), b"{}", msg_id=f"{transfer_id}:phase")
    await bus.publish(subjects.work_queue(transfer_id, "gateway"), b"{}", msg_id=f"{transfer_id}:do")
    command = subjects.work_queue(transfer_id, "gateway")
    for_users = await log.since(transfer_id, first, [command, subjects.phase(transfer_id)])
    assert for_users.ids == {f"{transfer_id}:phase", f"{transfer_id}:do"}
    without = await log.since(transfer_id, first, [command])
    assert without.ids == {f"{transfer_id}:do"}
