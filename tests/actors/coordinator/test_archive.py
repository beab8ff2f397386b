"""Archiving: a transfer that is over leaves the working streams, and its id stays known.

Each test runs against a real broker. Reverted fixes that fail here: a removal before the archive is written;
a log that is removed without the guard of its newest record; an id that the archive has and that starts a
transfer; commands of another transfer that are removed with those of an archived one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.testkit.stored import stored_of
from warmxfer.actors.coordinator import Coordinator, CoordinatorSettings, run
from warmxfer.actors.coordinator.state_machine import Stage, decode_record, last_record
from warmxfer.bus import Bus, BusSettings, Delivery, RetryableError, Stored, claim_effect, subjects
from warmxfer.bus.archive import line_of, log_of, read_archived
from warmxfer.bus.transfer_log import LAST_RECORD_S
from warmxfer.schemas import (
    CallEnded,
    NoticeKind,
    Outcome,
    SupervisorReady,
    WarmTransferPhase,
    decode_as,
    decode_notice,
    encode,
)
from warmxfer.schemas.archived import ArchivedTransfer

from .coordinator_fixture import (
    PATIENCE_S,
    delivery_of,
    last_delivery,
    let_archive_timer_fire,
    records,
    request,
    until_all_handled,
    until_stored,
)
from .fake_actors import FakeActors

ID = "t-archived"
AFTER_S = 0.1
SESSION = "room-a"
COMMAND_TIMEOUT_S = 15
"""The shortest wait for the archive is two command timeouts. No test waits for its end."""
BODY = request(SESSION, command_timeout_s=COMMAND_TIMEOUT_S, bridge_guard_s=0)


def coordinator(bus: Bus) -> Coordinator:
    return Coordinator(bus, archive_after_s=AFTER_S)


async def run_transfer(bus: Bus, id: str = ID, body: bytes = BODY) -> None:
    """Run a transfer to its end, with a coordinator that then stops."""
    ready = asyncio.Event()
    task = asyncio.create_task(run(bus, CoordinatorSettings(archive_after_s=AFTER_S), ready=ready.set))
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE_S)
        result = await asyncio.wait_for(FakeActors(bus, id).run_transfer(body), PATIENCE_S)
        assert result.outcome is Outcome.COMPLETE
        await until_all_handled(bus)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def archiving_trigger(bus: Bus, id: str = ID) -> Delivery:
    """Let the timer that archives transfer `id` fire, and return its delivery."""
    await let_archive_timer_fire(bus, id)
    return await last_delivery(bus, subjects.timeout(id), 1)


async def archive(bus: Bus, id: str = ID) -> list[bytes]:
    """Run and archive a transfer. Return its log as it was before."""
    await run_transfer(bus, id)
    before = [each.data for each in await bus.history(subjects.log(id), 100)]
    await coordinator(bus).handle(await archiving_trigger(bus, id))
    return before


async def left_of(bus: Bus, id: str = ID) -> list[str]:
    """Return the subjects of what the working streams hold of a transfer and its session."""
    return [each.subject for each in await stored_of(bus, id, SESSION)] + [
        each.subject for each in await bus.history(subjects.caller_lock(SESSION), 10)
    ]


async def archived(bus: Bus, id: str = ID) -> Stored:
    found = await read_archived(bus, id)
    assert found is not None
    return found


async def test_only_the_archived_record_and_a_last_record_that_expires_stay(fresh_bus: Bus) -> None:
    before = await archive(fresh_bus)
    assert await left_of(fresh_bus) == [subjects.log(ID)]
    (last,) = await fresh_bus.history(subjects.log(ID), 10)
    assert last.headers["Nats-TTL"] == f"{LAST_RECORD_S}s"
    assert decode_record(last.data).state.archived
    found = await archived(fresh_bus)
    summary = decode_as(ArchivedTransfer, line_of(found.data))
    assert summary.phase is WarmTransferPhase.TRANSFER_COMPLETE
    assert summary.result is not None
    assert summary.result.outcome is Outcome.COMPLETE
    assert (summary.records, summary.left_out) == (len(before) + 1, 0)
    log = log_of(found.data)
    *stored, whole = log.stored_records()
    assert [each.data for each in stored] == before
    # The archive has the last record whole. What stays in the stream, where it expires, has no personal data.
    assert decode_record(whole.data).state.request is not None
    assert decode_record(last.data) == last_record(decode_record(whole.data))
    assert b"+1415" in whole.data
    assert b"+1415" not in last.data
    assert log.request == BODY


async def test_an_ended_transfer_does_not_count_as_running_while_it_waits_for_the_archive(
    fresh_bus: Bus,
) -> None:
    await run_transfer(fresh_bus)
    await until_stored(fresh_bus, subjects.timer(ID, "archive"))
    assert await fresh_bus.count(subjects.any_timer("deadline")) == 0


@pytest.mark.parametrize("last_record", ["kept", "expired"])
@pytest.mark.parametrize("delivery_count", [1, 2])
async def test_the_same_request_again_has_no_effect(
    fresh_bus: Bus, last_record: str, delivery_count: int
) -> None:
    await archive(fresh_bus)
    await expire(fresh_bus, last_record)
    await fresh_bus.publish(subjects.request(ID), BODY)
    again = await last_delivery(fresh_bus, subjects.request(ID), delivery_count)
    await coordinator(fresh_bus).handle(again)
    assert await left_of(fresh_bus) == ([subjects.log(ID)] if last_record == "kept" else [])


@pytest.mark.parametrize("last_record", ["kept", "expired"])
async def test_another_request_with_the_id_is_refused_with_the_final_phase(
    fresh_bus: Bus, last_record: str
) -> None:
    await archive(fresh_bus)
    await expire(fresh_bus, last_record)
    await fresh_bus.publish(subjects.request(ID), request("room-b"))
    other = await last_delivery(fresh_bus, subjects.request(ID), 1)
    await coordinator(fresh_bus).handle(other)
    stored = await until_stored(fresh_bus, subjects.notice(ID))
    notice = decode_notice(stored.data)
    assert notice.notice is NoticeKind.ID_IN_USE
    assert notice.data == {"phase": "transfer_complete"}
    assert "Nats-TTL" in stored.headers
    assert await fresh_bus.get_last(subjects.request(ID)) is None
    assert await fresh_bus.get_last(subjects.caller_lock("room-b")) is None


@pytest.mark.parametrize("last_record", ["kept", "expired"])
@pytest.mark.parametrize("kind", ["event", "cancel", "timeout"])
async def test_a_late_message_has_no_effect_and_is_removed(
    fresh_bus: Bus, kind: str, last_record: str
) -> None:
    await archive(fresh_bus)
    await expire(fresh_bus, last_record)
    subject, body = {
        "event": (subjects.event(ID, "briefing"), encode(SupervisorReady())),
        "cancel": (subjects.cancel(ID), b"{}"),
        "timeout": (subjects.timeout(ID), b'{"type":"deadline_passed","due_at":1}'),
    }[kind]
    await fresh_bus.publish(subject, body)
    await coordinator(fresh_bus).handle(await last_delivery(fresh_bus, subject, 1))
    assert await left_of(fresh_bus) == ([subjects.log(ID)] if last_record == "kept" else [])


async def test_a_late_claim_is_removed_with_the_reply_after_it(fresh_bus: Bus) -> None:
    """A gateway was stopped before its claim, until the transfer was archived."""
    await archive(fresh_bus)
    replied = subjects.event(ID, "gateway")
    await claim_effect(fresh_bus, ID, "dial-1", b'{"token":"t"}')
    await fresh_bus.publish(replied, encode(CallEnded(command_id="x-1", attempt=1, existed=False)))
    delivery = await last_delivery(fresh_bus, replied, 1)
    await claim_effect(fresh_bus, ID, "dial-2", b'{"token":"t"}')
    await coordinator(fresh_bus).handle(delivery)
    assert await left_of(fresh_bus) == [subjects.log(ID), subjects.effect_claim(ID, "dial-2")]


async def test_a_late_event_of_another_role_removes_no_claim(fresh_bus: Bus) -> None:
    await archive(fresh_bus)
    await claim_effect(fresh_bus, ID, "dial-1", b'{"token":"t"}')
    await fresh_bus.publish(subjects.event(ID, "briefing"), encode(SupervisorReady()))
    await coordinator(fresh_bus).handle(await last_delivery(fresh_bus, subjects.event(ID, "briefing"), 1))
    assert await left_of(fresh_bus) == [subjects.log(ID), subjects.effect_claim(ID, "dial-1")]


async def test_the_archive_keeps_the_first_request_and_a_redelivery_of_it_starts_nothing(
    fresh_bus: Bus,
) -> None:
    """The request was delivered before its removal, and its coordinator was stopped meanwhile."""
    await run_transfer(fresh_bus)
    first = await last_delivery(fresh_bus, subjects.request(ID), 2)
    await coordinator(fresh_bus).handle(await archiving_trigger(fresh_bus))
    await expire(fresh_bus, "expired")
    await coordinator(fresh_bus).handle(first)
    assert await left_of(fresh_bus) == []


async def expire(bus: Bus, last_record: str) -> None:
    """Remove the last record of the log, as the broker does after `LAST_RECORD_S`."""
    if last_record == "expired":
        await bus.purge(subjects.CORE, subjects.log(ID))


# ── crashes and races ────────────────────────────────────────────────────────────────────────────


async def test_a_record_that_is_appended_before_the_commit_keeps_the_transfer(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive has the log without that record. The transfer goes on, and is archived again later."""
    await run_transfer(fresh_bus)
    trigger = await archiving_trigger(fresh_bus)
    slow = coordinator(fresh_bus)
    store = slow._archive.store

    async def store_and_lose(id: str, newest_seq: int, last: Stored) -> None:
        await store(id, newest_seq, last)
        newest = (await fresh_bus.history(subjects.log(id), 100))[-1]
        await fresh_bus.publish(subjects.log(id), newest.data, expect_last=newest.seq)
        monkeypatch.setattr(slow._archive, "store", store)

    monkeypatch.setattr(slow._archive, "store", store_and_lose)
    before = len(await fresh_bus.history(subjects.log(ID), 100))
    await slow.handle(trigger)
    assert await left_of(fresh_bus) == [subjects.log(ID)]
    assert len(log_of((await archived(fresh_bus)).data).records) == before + 2


@pytest.mark.parametrize("body", [BODY, request("room-b")], ids=["the same", "another"])
async def test_a_request_does_not_meet_the_archive_while_the_log_goes_on(fresh_bus: Bus, body: bytes) -> None:
    """The archived record was written, and another coordinator appended a record before the commit."""
    await run_transfer(fresh_bus)
    log = await fresh_bus.history(subjects.log(ID), 100)
    await coordinator(fresh_bus)._archive.store(ID, log[-1].seq, log[-1])
    await fresh_bus.publish(subjects.request(ID), body)
    first, again = await fresh_bus.history(subjects.request(ID), 10)
    await coordinator(fresh_bus).handle(delivery_of(again, 1))
    assert await fresh_bus.history(subjects.log(ID), 100) == log
    left = await fresh_bus.history(subjects.request(ID), 10)
    is_same = body == BODY
    assert left == ([first, again] if is_same else [first])
    notices = [decode_notice(each.data) for each in await fresh_bus.history(subjects.notice(ID), 10)]
    assert [each.notice for each in notices] == ([] if is_same else [NoticeKind.ID_IN_USE])


async def test_a_coordinator_that_was_stopped_before_its_first_record_takes_it_back(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read that the id is unknown, and was stopped. The transfer ran, ended and was archived meanwhile."""
    await fresh_bus.publish(subjects.request(ID), BODY)
    request_delivery = await last_delivery(fresh_bus, subjects.request(ID), 1)
    await fresh_bus.purge(subjects.IN, subjects.stored_request(ID, "request"))
    stopped = coordinator(fresh_bus)
    lock_read = stopped._start.first_event

    async def archived_meanwhile(*args: Any) -> Any:
        event = await lock_read(*args)
        await archive(fresh_bus)
        await expire(fresh_bus, "expired")
        return event

    monkeypatch.setattr("warmxfer.actors.coordinator.coordinator.PAUSED_PROCESS_S", 0.0)
    monkeypatch.setattr(stopped._start, "first_event", archived_meanwhile)
    await stopped.handle(request_delivery)
    assert await left_of(fresh_bus) == []


async def test_a_lost_archive_is_created_again_and_forgets_its_ids(fresh_bus: Bus) -> None:
    await fresh_bus._connection.api(f"STREAM.DELETE.{subjects.ARCHIVE}")
    await archive(fresh_bus)
    assert decode_as(ArchivedTransfer, line_of((await archived(fresh_bus)).data)).id == ID


# ── what stays ───────────────────────────────────────────────────────────────────────────────────


async def test_commands_and_lock_of_the_next_transfer_of_the_session_stay(fresh_bus: Bus) -> None:
    await run_transfer(fresh_bus)
    await fresh_bus.publish(subjects.request("t-next"), BODY)
    await coordinator(fresh_bus).handle(await last_delivery(fresh_bus, subjects.request("t-next"), 1))
    held = await fresh_bus.get_last(subjects.session_commands(SESSION))
    lock = await fresh_bus.get_last(subjects.caller_lock(SESSION))
    await coordinator(fresh_bus).handle(await archiving_trigger(fresh_bus))
    assert await fresh_bus.history(subjects.session_commands(SESSION), 10) == [held]
    assert await fresh_bus.history(subjects.caller_lock(SESSION), 10) == [lock]


async def test_commands_between_those_of_another_transfer_are_removed_one_by_one(fresh_bus: Bus) -> None:
    await run_transfer(fresh_bus)
    other = b'{"type":"hold_caller","command_id":"t-x-1","deadline_at":1,"transfer_id":"t-x"}'
    own = await fresh_bus.get_last(subjects.session_commands(SESSION))
    assert own is not None
    await fresh_bus.publish(subjects.session_commands(SESSION), other)
    await fresh_bus.publish(subjects.session_commands(SESSION), own.data)
    await coordinator(fresh_bus).handle(await archiving_trigger(fresh_bus))
    kept = await fresh_bus.history(subjects.session_commands(SESSION), 10)
    assert [each.data for each in kept] == [other]


async def test_an_archive_that_cannot_be_written_removes_nothing(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_transfer(fresh_bus)
    trigger = await archiving_trigger(fresh_bus)
    failing = coordinator(fresh_bus)

    async def refuse(*_: object) -> None:
        raise RetryableError("the archive is full")

    monkeypatch.setattr(failing._archive, "store", refuse)
    before = await left_of(fresh_bus)
    with pytest.raises(RetryableError):
        await failing.handle(trigger)
    assert await left_of(fresh_bus) == before


async def test_a_transfer_that_another_version_began_is_not_archived(fresh_bus: Bus) -> None:
    """Its first event does not say when. So a log of that version replays as before."""
    await fresh_bus.publish(subjects.request(ID), b"{}")
    older = Coordinator(fresh_bus, archive_after_s=None)
    await older.handle(await last_delivery(fresh_bus, subjects.request(ID), 1))
    (record,) = await records(fresh_bus, ID)
    assert record.state.stage is Stage.FAILED
    assert record.state.timer_due_at is None
    assert await fresh_bus.get_last(subjects.timer(ID, "archive")) is None


# ── reads ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_live_transfer_is_read_by_literal_subjects(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    async with await Bus.connect(BusSettings(url=fresh_bus.settings.url), name="read") as bus:
        for name in ("get_last", "get_last_from_leader", "history"):
            monkeypatch.setattr(bus, name, _listed(getattr(bus, name), reads))
        ready = asyncio.Event()
        task = asyncio.create_task(run(bus, CoordinatorSettings(archive_after_s=600), ready=ready.set))
        await asyncio.wait_for(ready.wait(), PATIENCE_S)
        await asyncio.wait_for(FakeActors(fresh_bus, ID).run_transfer(BODY), PATIENCE_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [each for each in reads if "*" in each or ">" in each] == []
    # The append of the first record proves that there was none.
    assert reads[0] == subjects.archived(ID)
    assert 2 <= len(reads) <= 8


def _listed(method: Callable[..., Awaitable[Any]], reads: list[str]) -> Callable[..., Awaitable[Any]]:
    async def read(subject: str, *args: Any, **options: Any) -> Any:
        reads.append(subject)
        return await method(subject, *args, **options)

    return read


async def test_the_working_streams_do_not_grow_with_ended_transfers(fresh_bus: Bus) -> None:
    """Each transfer has a session of its own. What is left are last records, which expire."""
    ready, archived_of, stored = asyncio.Event(), [0], [0]
    task = asyncio.create_task(run(fresh_bus, CoordinatorSettings(archive_after_s=AFTER_S), ready=ready.set))
    await asyncio.wait_for(ready.wait(), PATIENCE_S)
    for count in (1, 5):
        for number in range(archived_of[-1], count):
            id = f"t-{number}"
            body = request(f"room-{number}", command_timeout_s=COMMAND_TIMEOUT_S, bridge_guard_s=0)
            await asyncio.wait_for(FakeActors(fresh_bus, id).run_transfer(body), PATIENCE_S)
            await until_all_handled(fresh_bus)
            await let_archive_timer_fire(fresh_bus, id)
        async with asyncio.timeout(PATIENCE_S):
            while await messages(fresh_bus, *subjects.WORKING_STREAMS) > count:
                await asyncio.sleep(0.05)
        archived_of.append(await messages(fresh_bus, subjects.ARCHIVE))
        for number in range(count):
            await fresh_bus.purge(subjects.CORE, subjects.log(f"t-{number}"))
        stored.append(await messages(fresh_bus, *subjects.WORKING_STREAMS))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert archived_of == [0, 1, 5]
    assert stored == [0, 0, 0]


async def messages(bus: Bus, *streams: str) -> int:
    infos = [await bus._connection.api(f"STREAM.INFO.{name}") for name in streams]
    return sum(each["state"]["messages"] for each in infos)
