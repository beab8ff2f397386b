"""Positive liveness replies from records that a coordinator knows: never of a stream that was lost."""

from __future__ import annotations

import pytest

from warmxfer.actors.coordinator import liveness as coordinator_liveness
from warmxfer.actors.coordinator import liveness_cache
from warmxfer.actors.coordinator.liveness_cache import MAX_AGE_S, LivenessCache, LiveRecord
from warmxfer.bus import Bus, LogEntry, StreamSpan, TransferLog, subjects
from warmxfer.schemas import (
    MAX_LIVENESS_QUERY,
    InvalidRequest,
    LivenessQuery,
    LivenessReply,
    decode_as,
    encode,
)

from .coordinator_fixture import request, running_coordinators, until_stored

SPAN = StreamSpan("2026-11-29", 1, 100)


def cached(seq: int = 50, overdue_at: float = 1_000.0, read_at: float = 0.0) -> LivenessCache:
    cache = LivenessCache()
    cache.check_stream(SPAN)
    cache.put("t", LiveRecord(seq, "ringing", overdue_at, read_at))
    return cache


def test_a_known_record_makes_its_transfer_live() -> None:
    assert cached().live_stage("t", SPAN, now=0.0, clock=MAX_AGE_S) == "ringing"
    assert cached().live_stage("other", SPAN, now=0.0, clock=0.0) is None


@pytest.mark.parametrize(
    ("span", "now", "clock"),
    [
        (StreamSpan("2026-11-29", 51, 100), 0.0, 0.0),
        (StreamSpan("2026-11-29", 1, 49), 0.0, 0.0),
        (SPAN, 1_000.1, 0.0),
        (SPAN, 0.0, MAX_AGE_S + 0.1),
    ],
    ids=["purged", "an old copy", "timer overdue", "too old"],
)
def test_a_record_is_not_used_when_it_may_be_wrong(span: StreamSpan, now: float, clock: float) -> None:
    assert cached().live_stage("t", span, now, clock) is None


def test_the_cache_keeps_the_newest_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness_cache, "MAX_ENTRIES", 2)
    cache = LivenessCache()
    cache.check_stream(SPAN)

    def live() -> list[str]:
        ids = ("t1", "t2", "t3")
        return [id for id in ids if cache.live_stage(id, SPAN, now=0.0, clock=0.0) == "ringing"]

    for id in ("t1", "t2"):
        cache.put(id, LiveRecord(50, "ringing", 1_000.0, 0.0))
    assert live() == ["t1", "t2"]
    cache.put("t3", LiveRecord(50, "ringing", 1_000.0, 0.0))
    assert live() == ["t2", "t3"]


def test_another_stream_empties_the_cache() -> None:
    cache = cached()
    cache.check_stream(StreamSpan("2026-11-30", 1, 100))
    assert cache.live_stage("t", SPAN, now=0.0, clock=0.0) is None


def test_a_stale_read_replaces_no_newer_record() -> None:
    cache = cached()
    cache.put("t", LiveRecord(40, "preparing", 1_000.0, 0.0))
    assert cache.live_stage("t", SPAN, now=0.0, clock=0.0) == "ringing"


async def ask(bus: Bus, *ids: str) -> LivenessReply:
    query = LivenessQuery(ids[0], list(ids[1:]))
    return decode_as(LivenessReply, await bus.request(subjects.ASK_LIVENESS, encode(query), 5))


async def test_one_query_answers_about_many_without_reads(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the transfers without a known record are read, each once, and every answer has its place."""
    ids, read, real_get_last = [f"t-{n}" for n in range(5)], list[str](), TransferLog.get_last

    async def get_last(self: TransferLog, id: str) -> LogEntry | None:
        read.append(id)
        return await real_get_last(self, id)

    monkeypatch.setattr(TransferLog, "get_last", get_last)
    monkeypatch.setattr(coordinator_liveness, "SPAN_AGE_S", 0.0)
    async with running_coordinators(fresh_bus):
        for id in ids:
            await fresh_bus.publish(subjects.request(id), request(f"room-{id}"))
        for id in ids:
            await until_stored(fresh_bus, subjects.log(id))
        await ask(fresh_bus, *ids)
        read.clear()
        reply = await ask(fresh_bus, "t-never", *ids[:3], "t-never", *ids[3:])
    assert [reply.live, *(each.live for each in reply.more)] == [False, *([True] * 3), False, True, True]
    assert {each.stage for each in reply.more} == {"preparing", ""}
    assert read == ["t-never"]


@pytest.mark.parametrize("loss", ["STREAM.PURGE.WARMXFER_CORE", "STREAM.DELETE.WARMXFER_CORE"])
async def test_a_lost_stream_makes_no_transfer_live(
    fresh_bus: Bus, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator_liveness, "SPAN_AGE_S", 0.0)
    async with running_coordinators(fresh_bus):
        await fresh_bus.publish(subjects.request("t-lost"), request("room-a"))
        await until_stored(fresh_bus, subjects.log("t-lost"))
        assert (await ask(fresh_bus, "t-lost")).live
        await fresh_bus._connection.api(loss)
        await fresh_bus.ensure()
        assert not (await ask(fresh_bus, "t-lost")).live


async def test_a_query_about_too_many_is_refused(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        with pytest.raises(InvalidRequest, match="more has 256 transfers; ask about 256 at most in all"):
            await ask(fresh_bus, *(f"t-{n}" for n in range(MAX_LIVENESS_QUERY + 1)))
