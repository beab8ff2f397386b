"""The cache of records: what it may be trusted with, and an outbox that could not be published."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from msgspec.structs import replace

from warmxfer.actors.coordinator import Coordinator, record_cache
from warmxfer.actors.coordinator.outbox import outgoing
from warmxfer.actors.coordinator.record_cache import CachedRecord, RecordCache
from warmxfer.actors.coordinator.state_machine import Applied, Record, Stage, step
from warmxfer.bus import Bus, Outgoing, Stored, Unavailable, subjects
from warmxfer.schemas import TransferRequested, WarmTransferRequest, decode_as

from .coordinator_fixture import deliver, records, request


def cached(id: str = "t", *, seq: int = 7, sent: bool = False, stage: Stage | None = None) -> CachedRecord:
    event = TransferRequested(transfer_id=id, request=decode_as(WarmTransferRequest, request("room-a")))
    outcome = step(None, event, 1_000.0)
    assert isinstance(outcome, Applied)
    state = outcome.state if stage is None else replace(outcome.state, stage=stage)
    record = Record(trigger=seq - 1, at=1_000.0, event=event, state=state, outbox=outcome.outbox)
    return CachedRecord(record, seq, sent, fresh=True)


class TestRecordCache:
    def test_a_record_is_known_until_it_is_dropped(self) -> None:
        cache, record = RecordCache(), cached()
        assert cache.get("t") is None
        cache.put("t", record)
        assert cache.get("t") is record
        assert cache.get("u") is None
        cache.drop("u")
        cache.drop("t")
        assert cache.get("t") is None

    def test_a_cached_record_is_not_fresh(self) -> None:
        """No trigger may be ignored because of it."""
        cache, record = RecordCache(), cached()
        cache.put("t", record)
        assert record.fresh
        assert cache.get("t") is record
        assert not record.fresh

    def test_only_a_record_whose_outputs_were_published_is_taken_for_sent(self) -> None:
        """Regression: a failed outbox counted as sent."""
        cache, record = RecordCache(), cached(sent=False)
        assert not cache.mark_sent("t", 7)
        cache.put("t", record)
        assert not cache.mark_sent("t", 7)
        record.sent = True
        assert cache.mark_sent("t", 7)

    async def test_everything_is_dropped_after_a_reconnect(self) -> None:
        cache = RecordCache()
        for id in ("a", "b"):
            cache.put(id, cached(id, sent=True))
        await cache.clear()
        assert [cache.get(id) for id in ("a", "b")] == [None, None]
        assert not cache.mark_sent("a", 7)

    @pytest.mark.parametrize("seq", [6, 8])
    def test_another_record_of_the_transfer_is_not_taken_for_sent(self, seq: int) -> None:
        cache = RecordCache()
        cache.put("t", cached(seq=7, sent=True))
        assert not cache.mark_sent("t", seq)
        assert not cache.mark_sent("u", 7)

    def test_an_ended_transfer_is_forgotten(self) -> None:
        cache = RecordCache()
        cache.put("t", cached(stage=Stage.CANCELLED))
        assert cache.get("t") is None
        cache.put("t", cached())
        cache.put("t", cached(seq=8, stage=Stage.COMPLETED))
        assert cache.get("t") is None

    def test_the_transfers_that_changed_or_were_read_last_are_kept(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(record_cache, "MAX_CACHED", 3)
        cache = RecordCache()
        for id in ("a", "b", "c"):
            cache.put(id, cached(id))
        assert cache.get("a") is not None
        cache.put("b", cached("b", seq=8))
        cache.put("d", cached("d"))
        known = {id for id in "abcd" if cache.get(id) is not None}
        assert known == {"a", "b", "d"}


class TestKnownTriggers:
    """Which messages are certain to have caused no record, so that the log is not read for them."""

    def test_a_message_before_the_only_known_record_may_have_caused_one(self) -> None:
        read = cached(seq=7)
        assert [read.rules_out(trigger) for trigger in (5, 6, 7, 8)] == [False, False, False, True]

    def test_a_message_that_was_stored_between_records_of_this_process_caused_none(self) -> None:
        read, appended = cached(seq=7), cached(seq=20)
        read.pass_on(appended)
        (trigger,) = appended.triggers
        assert trigger == 19
        assert not appended.rules_out(trigger)
        assert appended.rules_out(8)
        assert not appended.rules_out(7)

    def test_the_knowledge_grows_with_each_record_up_to_a_limit(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(record_cache, "MAX_TRIGGERS", 2)
        chain = [cached(seq=seq) for seq in (10, 20, 30, 40)]
        for before, after in pairwise(chain):
            before.pass_on(after)
        assert chain[2].triggers == (19, 29)
        assert chain[2].rules_out(15)
        assert not chain[3].rules_out(35)

    def test_reading_the_newest_record_again_keeps_the_knowledge(self) -> None:
        cache, read, appended = RecordCache(), cached(seq=7), cached(seq=20)
        read.pass_on(appended)
        cache.put("t", appended)
        again, other = cached(seq=20), cached(seq=30)
        cache.put_read("t", again)
        assert again.rules_out(8)
        cache.put_read("t", other)
        assert not other.rules_out(8)


class UnreachableBus(Bus):
    """A bus that publishes no outbox while `down`. It counts the outboxes that were tried, and the histories
    that were read to find out what is missing.
    """

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus._connection)
        self.down = True
        self.tried = 0
        self.histories = 0

    async def publish_all(self, messages: Sequence[Outgoing], *, deadline_s: float = 5.0) -> list[int]:
        self.tried += 1
        if self.down:
            raise Unavailable("the broker does not answer")
        return await super().publish_all(messages, deadline_s=deadline_s)

    async def history(
        self, subject: str, limit: int, *, after: int = 0, deadline_s: float = 5.0
    ) -> list[Stored]:
        self.histories += 1
        return await super().history(subject, limit, after=after, deadline_s=deadline_s)


async def published(bus: Bus, id: str) -> set[str | None]:
    return {each.msg_id for each in await bus.history(subjects.all_of(id), 500)}


async def ordered(bus: Bus, id: str) -> set[str | None]:
    """Return the message ids that the records of transfer `id` order, without timers, which are replaced."""
    return {
        each.msg_id
        for record in await records(bus, id)
        for each in outgoing(record)
        if ".timer." not in each.subject
    }


async def failed_request(bus: UnreachableBus, id: str) -> Coordinator:
    """Return a coordinator that has appended the record of a request and could not publish its outputs."""
    coordinator = Coordinator(bus)
    await bus.publish(subjects.request(id), request("room-a"))
    with pytest.raises(Unavailable):
        await deliver(bus, coordinator, subjects.request(id), 1)
    assert len(await records(bus, id)) == 1
    assert bus.tried == 1
    assert not await ordered(bus, id) & await published(bus, id)
    return coordinator


async def test_an_outbox_that_could_not_be_published_is_published_on_redelivery(fresh_bus: Bus) -> None:
    """The same coordinator gets the trigger again. It has the record in its cache, and the record is the
    newest one.
    """
    bus = UnreachableBus(fresh_bus)
    coordinator = await failed_request(bus, "t-again")
    with pytest.raises(Unavailable):
        await deliver(bus, coordinator, subjects.request("t-again"), 2)
    bus.down = False
    await deliver(bus, coordinator, subjects.request("t-again"), 3)
    assert len(await records(bus, "t-again")) == 1
    assert await ordered(bus, "t-again") <= await published(bus, "t-again")


async def test_an_outbox_that_could_not_be_published_is_published_before_the_next_record(
    fresh_bus: Bus,
) -> None:
    """Another trigger comes first, and finds the record in the cache."""
    bus = UnreachableBus(fresh_bus)
    coordinator = await failed_request(bus, "t-next")
    await bus.publish(subjects.cancel("t-next"), b"{}")
    with pytest.raises(Unavailable):
        await deliver(bus, coordinator, subjects.cancel("t-next"), 1)
    assert len(await records(bus, "t-next")) == 1
    bus.down = False
    await deliver(bus, coordinator, subjects.cancel("t-next"), 1)
    assert len(await records(bus, "t-next")) == 2
    assert await ordered(bus, "t-next") <= await published(bus, "t-next")


async def test_an_outbox_that_was_published_is_neither_published_nor_searched_again(fresh_bus: Bus) -> None:
    bus = UnreachableBus(fresh_bus)
    bus.down = False
    coordinator = Coordinator(bus)
    await bus.publish(subjects.request("t-once"), request("room-a"))
    await deliver(bus, coordinator, subjects.request("t-once"), 1)
    bus.histories = 0  # the first delivery asked which request owns the id
    await deliver(bus, coordinator, subjects.request("t-once"), 2)
    await deliver(bus, coordinator, subjects.request("t-once"), 3)
    assert (bus.tried, bus.histories) == (1, 0)
