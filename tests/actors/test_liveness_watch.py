"""One liveness query per process and interval, whatever the number of transfers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from warmxfer.actors.common import liveness, liveness_watch
from warmxfer.actors.common.liveness_watch import LivenessAnswer, StageChanges, watching
from warmxfer.bus import Bus, LiveMessage, subjects
from warmxfer.schemas import (
    MAX_LIVENESS_QUERY,
    Liveness,
    LivenessQuery,
    LivenessReply,
    decode_as,
    encode,
)

INTERVAL_S = 0.1
TIMEOUT_S = 2.0


class FakeCoordinator:
    """Replies about transfers; with `old` as a version that reads one transfer of a query."""

    def __init__(self, *, old: bool = False) -> None:
        self.old = old
        self.queries: list[list[str]] = []
        self.over: set[str] = set()

    async def answer(self, message: LiveMessage) -> bytes:
        query = decode_as(LivenessQuery, message.data)
        self.queries.append([query.transfer_id, *query.more])
        first, *more = (Liveness(id not in self.over, "ringing") for id in self.queries[-1])
        return encode(LivenessReply(first.live) if self.old else LivenessReply(first.live, first.stage, more))


class Answers:
    """The answers that the watchers of some transfers got."""

    def __init__(self, bus: Bus, stack: ExitStack, ids: list[str]) -> None:
        self.by_id: dict[str, list[LivenessAnswer]] = {id: [] for id in ids}
        for id in ids:
            stack.enter_context(watching(bus, id, INTERVAL_S, TIMEOUT_S, self.by_id[id].append))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)

    async def all_have(self, count: int) -> None:
        await self.until(lambda: all(len(each) >= count for each in self.by_id.values()))


async def test_one_query_asks_for_all_transfers_of_the_process(bus: Bus) -> None:
    coordinator, ids = FakeCoordinator(), [f"t-{n}" for n in range(40)]
    coordinator.over = {"t-7"}
    with ExitStack() as stack:
        async with bus.serve(subjects.ASK_LIVENESS, coordinator.answer):
            answers = Answers(bus, stack, ids)
            await answers.all_have(2)
    rounds = min(len(each) for each in answers.by_id.values())
    assert rounds <= len(coordinator.queries) <= rounds + 1, "one query a round"
    assert all(sorted(query) == sorted(ids) for query in coordinator.queries)
    assert {id for id, each in answers.by_id.items() if each[0].live is False} == {"t-7"}
    assert {each[0].stage for each in answers.by_id.values()} == {"ringing"}
    assert not liveness_watch._watches, "the task ends with the last transfer"


async def test_a_coordinator_of_an_older_version_is_asked_for_one_transfer_at_a_time(bus: Bus) -> None:
    coordinator, ids = FakeCoordinator(old=True), ["t-1", "t-2", "t-3"]
    coordinator.over = {"t-2"}
    with ExitStack() as stack:
        async with bus.serve(subjects.ASK_LIVENESS, coordinator.answer):
            answers = Answers(bus, stack, ids)
            await answers.all_have(1)
    assert {id: each[0].live for id, each in answers.by_id.items()} == {
        "t-1": True,
        "t-2": False,
        "t-3": True,
    }


async def test_many_transfers_are_asked_for_in_several_queries(bus: Bus) -> None:
    coordinator, ids = FakeCoordinator(), [f"t-{n}" for n in range(MAX_LIVENESS_QUERY + 1)]
    with ExitStack() as stack:
        async with bus.serve(subjects.ASK_LIVENESS, coordinator.answer):
            answers = Answers(bus, stack, ids)
            await answers.all_have(1)
    assert sorted(len(query) for query in coordinator.queries[:2]) == [1, MAX_LIVENESS_QUERY]


async def test_a_transfer_without_a_reply_is_told_so(bus: Bus) -> None:
    with ExitStack() as stack:
        answers = Answers(bus, stack, ["t-1"])
        await answers.all_have(2)
    assert {each.live for each in answers.by_id["t-1"]} == {None}


async def test_a_failure_ends_no_watch(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold whose lease is not watched any more would never end."""

    async def break_down(*_: object) -> dict[str, Liveness]:
        raise LookupError("an unexpected failure")

    def fail(_: LivenessAnswer) -> None:
        raise LookupError("a handler that fails")

    monkeypatch.setattr(liveness_watch, "ask", break_down)
    with ExitStack() as stack:
        stack.enter_context(watching(bus, "t-0", INTERVAL_S, TIMEOUT_S, fail))
        answers = Answers(bus, stack, ["t-1"])
        await answers.all_have(1)
        monkeypatch.setattr(liveness_watch, "ask", liveness.ask)
        async with bus.serve(subjects.ASK_LIVENESS, FakeCoordinator().answer):
            await answers.until(lambda: answers.by_id["t-1"][-1].live is True)
    assert answers.by_id["t-1"][0].live is None


def test_a_stage_counts_as_new_once() -> None:
    stages = StageChanges()
    seen = ["", "preparing", "", "preparing", "ringing", "preparing"]
    assert [stages.changed(each) for each in seen] == [False, True, False, False, True, True]
