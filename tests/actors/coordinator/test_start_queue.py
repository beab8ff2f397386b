"""Requests wait in order, and each is started or refused in time. On a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.simulation.loop import SimLoop
from warmxfer.actors.common.capacity import RoleCapacity
from warmxfer.actors.coordinator import start_queue
from warmxfer.actors.coordinator.admission_limits import (
    BRIEFING,
    LISTEN_S,
    RATE_WINDOW_S,
    WISH_WAIT_S,
    StartLimits,
)
from warmxfer.actors.coordinator.briefing_places import HeldPlaces
from warmxfer.actors.coordinator.start_queue import Refusal, StartQueue
from warmxfer.bus import RetryableError

MAX_WAIT_S = 15.0


@pytest.fixture
def short_listening() -> None:
    """Let a coordinator that starts listen as long as it does: the clock is virtual."""


class Requests:
    """A start queue with a number of places, and what became of each request."""

    def __init__(self, places: int, max_wait_s: float = MAX_WAIT_S) -> None:
        self.limits = StartLimits()
        self.places = places
        self.queue = StartQueue(self.limits, max_wait_s)
        self.started: list[str] = []
        self.refused: dict[str, tuple[float, Refusal]] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.announce()

    def announce(self) -> None:
        self.limits.heard(BRIEFING, RoleCapacity("a", self.places), now())

    def add(self, *ids: str, age_s: float = 0.0, needs_briefing: bool = True) -> None:
        for id in ids:
            self.tasks.append(asyncio.create_task(self._request(id, age_s, needs_briefing)))

    async def _request(self, id: str, age_s: float, needs_briefing: bool) -> None:
        refusal = await self.queue.wait(id, age_s, needs_briefing=needs_briefing)
        if refusal is None:
            self.started.append(id)
        else:
            self.refused[id] = now(), refusal

    def end(self, *ids: str) -> None:
        for id in ids:
            self.limits.drop(id)
        self.queue.start_ready()

    async def turn_over(self, per_s: float, for_s: float) -> None:
        """End the oldest transfers at a steady rate. The agents go on announcing their places."""
        ended = 0
        for step in range(int(for_s * 10)):
            await asyncio.sleep(0.1)
            self.announce()
            while ended < min(len(self.started), per_s * (step + 1) / 10):
                self.end(self.started[ended])
                ended += 1


def now() -> float:
    return asyncio.get_running_loop().time()


def virtually(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run an async test on a loop whose time is virtual."""

    def run() -> None:
        async def whole() -> None:
            await test()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        loop = SimLoop()
        try:
            loop.run_until_complete(whole())
            loop.run_until_complete(asyncio.sleep(1.0))
        finally:
            loop.close()

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@virtually
async def test_a_request_starts_at_once_while_places_are_free() -> None:
    requests = Requests(places=2)
    requests.add("a", "b")
    await asyncio.sleep(0)
    assert (requests.started, len(requests.queue)) == (["a", "b"], 0)


@virtually
async def test_requests_start_in_their_order_when_places_become_free() -> None:
    requests = Requests(places=1)
    requests.add("a", "b", "c")
    await asyncio.sleep(0)
    requests.end("a")
    await asyncio.sleep(0)
    assert requests.started == ["a", "b"]
    requests.end("b")
    await asyncio.sleep(0)
    assert requests.started == ["a", "b", "c"]


@virtually
async def test_a_request_without_a_briefing_passes_those_that_wait_for_a_place() -> None:
    requests = Requests(places=1)
    requests.add("a", "b")
    await asyncio.sleep(0)
    requests.add("session", needs_briefing=False)
    await asyncio.sleep(0)
    assert requests.started == ["a", "session"]


@virtually
async def test_a_request_that_cannot_start_is_refused_within_its_time() -> None:
    requests = Requests(places=1)
    requests.add("a", "b")
    for _ in range(200):
        requests.announce()
        await asyncio.sleep(0.1)
    assert requests.started == ["a"]
    at, refusal = requests.refused["b"]
    assert at <= MAX_WAIT_S + 0.2
    assert refusal.hindrance.limit == "briefings"
    assert start_queue.MIN_RETRY_AFTER_S <= refusal.retry_after_s <= start_queue.MAX_RETRY_AFTER_S


@virtually
async def test_the_time_counts_from_the_storing_of_the_request() -> None:
    requests = Requests(places=1)
    requests.add("a")
    requests.add("old", age_s=MAX_WAIT_S - 1.0)
    requests.add("older", age_s=MAX_WAIT_S + 1.0)
    await asyncio.sleep(0)
    assert list(requests.refused) == ["older"]
    for _ in range(13):
        requests.announce()
        await asyncio.sleep(0.1)
    assert 1.0 <= requests.refused["old"][0] <= 1.2


@virtually
async def test_an_old_request_starts_if_nothing_hinders_it() -> None:
    """After an outage of all coordinators, requests wait in the stream."""
    requests = Requests(places=1)
    requests.add("old", age_s=50.0)
    await asyncio.sleep(0)
    assert requests.started == ["old"]


@virtually
async def test_a_burst_is_started_or_refused_and_the_refused_are_told_different_times() -> None:
    """5,000 requests at once, 50 places, 20 transfers end a second."""
    requests = Requests(places=50)
    requests.add(*(f"t{n}" for n in range(5_000)))
    await requests.turn_over(per_s=20, for_s=MAX_WAIT_S + 2)
    assert len(requests.started) + len(requests.refused) == 5_000
    assert 50 + 20 * (MAX_WAIT_S - 3) <= len(requests.started) <= 50 + 20 * (MAX_WAIT_S + 1)
    assert requests.started == sorted(requests.started, key=lambda id: int(id[1:])), (
        "not in the order of arrival"
    )
    assert max(at for at, _ in requests.refused.values()) <= MAX_WAIT_S + 0.2
    early = [at for at, _ in requests.refused.values() if at <= RATE_WINDOW_S + 1.0]
    assert len(early) > 3_000, "hopeless requests were not refused at once"
    assert len({refusal.retry_after_s for _, refusal in requests.refused.values()}) > 5


@virtually
async def test_when_no_transfer_ends_the_burst_is_refused_soon() -> None:
    requests = Requests(places=50)
    requests.add(*(f"t{n}" for n in range(500)))
    for _ in range(int(RATE_WINDOW_S * 10) + 2):
        await asyncio.sleep(0.1)
        requests.announce()
    assert len(requests.started) == 50
    assert len(requests.refused) >= 440
    assert (
        max(refusal.retry_after_s for _, refusal in requests.refused.values())
        == start_queue.MAX_RETRY_AFTER_S
    )


@virtually
async def test_no_request_is_refused_before_a_place_could_be_free() -> None:
    """A broker that syncs each message: 50 transfers begin at once, and the first ends after 2 s."""
    requests = Requests(places=50)
    requests.add(*(f"t{n}" for n in range(100)))
    for _ in range(20):
        await asyncio.sleep(0.1)
        requests.announce()
    assert (len(requests.started), requests.refused) == (50, {})
    await requests.turn_over(per_s=50, for_s=3.0)
    assert (len(requests.started), requests.refused) == (100, {})


@virtually
async def test_requests_start_when_the_role_that_hindered_them_is_silent() -> None:
    requests = Requests(places=1)
    requests.add("a", "b")
    await asyncio.sleep(8.0)
    assert requests.started == ["a", "b"]


@virtually
async def test_a_stopping_coordinator_gives_its_requests_back() -> None:
    requests = Requests(places=1)
    requests.add("a", "b")
    await asyncio.sleep(0)
    requests.queue.close()
    requests.add("late")
    await asyncio.sleep(0)
    assert requests.started == ["a"]
    for task in requests.tasks[1:]:
        with pytest.raises(RetryableError, match="stops"):
            await task


@virtually
async def test_a_request_that_was_delivered_twice_takes_one_place() -> None:
    requests = Requests(places=1)
    requests.add("a", "a")
    await asyncio.sleep(0)
    assert requests.started == ["a", "a"]
    requests.end("a")
    requests.add("b")
    await asyncio.sleep(0)
    assert requests.started == ["a", "a", "b"]


@virtually
async def test_a_cancelled_request_takes_no_place() -> None:
    requests = Requests(places=1)
    requests.add("a", "b", "c")
    await asyncio.sleep(0)
    requests.tasks[1].cancel()
    await asyncio.sleep(0)
    requests.end("a")
    await asyncio.sleep(0)
    assert requests.started == ["a", "c"]


@virtually
async def test_a_coordinator_that_starts_in_a_burst_listens_for_the_agents_first() -> None:
    """A request is not refused for the rate of starts meanwhile, and not started as if no agent were live."""
    requests = Requests(places=1)
    requests.limits.heard(BRIEFING, RoleCapacity("a", 1, live=False), now())
    requests.limits.listen(now())
    requests.add(*(f"t{n}" for n in range(400)))
    await asyncio.sleep(2.0)
    assert (requests.started, requests.refused) == ([], {})
    requests.places = 30
    requests.announce()
    requests.queue.start_ready()
    await asyncio.sleep(0.05)
    assert (len(requests.started), len(requests.refused)) == (30, 0)


@virtually
async def test_with_no_time_to_wait_a_request_is_refused_at_once() -> None:
    requests = Requests(places=1, max_wait_s=0.0)
    requests.add("a", "b")
    await asyncio.sleep(0)
    assert requests.started == ["a"]
    assert list(requests.refused) == ["b"]


@pytest.mark.parametrize("max_wait_s", [0.0, 0.1, 0.4])
def test_a_free_place_of_another_coordinator_is_taken_with_little_time_to_wait(max_wait_s: float) -> None:
    """Such a place is taken after a wish, and the wish takes longer than the request may wait."""

    @virtually
    async def scenario() -> None:
        requests = Requests(places=2, max_wait_s=max_wait_s)
        requests.limits.take_partitions(frozenset(), now())
        requests.limits.heard_coordinator("other", HeldPlaces(), now())
        requests.add("a")
        await asyncio.sleep(WISH_WAIT_S)
        assert (requests.started, requests.refused) == (["a"], {})

    scenario()


@pytest.mark.parametrize(("max_wait_s", "age_s"), [(0.0, 0.0), (0.4, 0.0), (2.0, 0.0), (15.0, 20.0)])
def test_after_listening_a_free_place_of_another_coordinator_is_taken(
    max_wait_s: float, age_s: float
) -> None:
    """After a restart a request may be old. Its coordinator listens first, and then wishes for a place."""

    @virtually
    async def scenario() -> None:
        requests = Requests(places=2, max_wait_s=max_wait_s)
        requests.limits.heard(BRIEFING, RoleCapacity("a", 2, live=False), now())
        requests.limits.take_partitions(frozenset(), now())
        requests.limits.listen(now())
        requests.add("a", age_s=age_s)
        await asyncio.sleep(LISTEN_S - start_queue.TICK_S)
        requests.limits.heard_coordinator("other", HeldPlaces(), now())
        requests.announce()
        await asyncio.sleep(WISH_WAIT_S - LISTEN_S)
        assert (requests.started, requests.refused) == (["a"], {})

    scenario()


@pytest.mark.parametrize("max_wait_s", [0.0, 0.4, 2.0])
def test_a_coordinator_that_listens_refuses_no_request_for_that(max_wait_s: float) -> None:
    @virtually
    async def scenario() -> None:
        requests = Requests(places=1, max_wait_s=max_wait_s)
        requests.limits.heard(BRIEFING, RoleCapacity("a", 1, live=False), now())
        requests.limits.listen(now())
        requests.add("a", "b")
        await asyncio.sleep(LISTEN_S - 2 * start_queue.TICK_S)
        assert (requests.started, requests.refused) == ([], {})
        requests.announce()
        requests.queue.start_ready()
        await asyncio.sleep(3 * start_queue.TICK_S)
        assert requests.started == ["a"]

    scenario()
