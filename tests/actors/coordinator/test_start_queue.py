"""Requests wait in order, and each is started or refused in time. On a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.simulation.loop import SimLoop
from warmxfer.actors.common.capacity import RoleCapacity
from warmxfer.actors.coordinator import start_queue
from warmxfer.actors.coordinator.admission_limits import BRIEFING, RATE_WINDOW_S, StartLimits
from warmxfer.actors.coordinator.start_queue import Refusal, StartQueue
from warmxfer.bus import RetryableError

MAX_WAIT_S = 15.0


@pytest.fixture
def short_listening() -> None:
    """Let a coordinator that starts listen as long as it does: the clock is virtual."""


class Desk:
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

    def request(self, *ids: str, age_s: float = 0.0, needs_briefing: bool = True) -> None:
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
    desk = Desk(places=2)
    desk.request("a", "b")
    await asyncio.sleep(0)
    assert (desk.started, len(desk.queue)) == (["a", "b"], 0)


@virtually
async def test_requests_start_in_their_order_when_places_become_free() -> None:
    desk = Desk(places=1)
    desk.request("a", "b", "c")
    await asyncio.sleep(0)
    desk.end("a")
    await asyncio.sleep(0)
    assert desk.started == ["a", "b"]
    desk.end("b")
    await asyncio.sleep(0)
    assert desk.started == ["a", "b", "c"]


@virtually
async def test_a_request_without_a_briefing_passes_those_that_wait_for_a_place() -> None:
    desk = Desk(places=1)
    desk.request("a", "b")
    await asyncio.sleep(0)
    desk.request("session", needs_briefing=False)
    await asyncio.sleep(0)
    assert desk.started == ["a", "session"]


@virtually
async def test_a_request_that_cannot_start_is_refused_within_its_time() -> None:
    desk = Desk(places=1)
    desk.request("a", "b")
    for _ in range(200):
        desk.announce()
        await asyncio.sleep(0.1)
    assert desk.started == ["a"]
    at, refusal = desk.refused["b"]
    assert at <= MAX_WAIT_S + 0.2
    assert refusal.hindrance.limit == "briefings"
    assert start_queue.MIN_RETRY_AFTER_S <= refusal.retry_after_s <= start_queue.MAX_RETRY_AFTER_S


@virtually
async def test_the_time_counts_from_the_storing_of_the_request() -> None:
    desk = Desk(places=1)
    desk.request("a")
    desk.request("old", age_s=MAX_WAIT_S - 1.0)
    desk.request("older", age_s=MAX_WAIT_S + 1.0)
    await asyncio.sleep(0)
    assert list(desk.refused) == ["older"]
    for _ in range(13):
        desk.announce()
        await asyncio.sleep(0.1)
    assert 1.0 <= desk.refused["old"][0] <= 1.2


@virtually
async def test_an_old_request_starts_if_nothing_hinders_it() -> None:
    """After an outage of all coordinators, requests wait in the stream."""
    desk = Desk(places=1)
    desk.request("old", age_s=50.0)
    await asyncio.sleep(0)
    assert desk.started == ["old"]


@virtually
async def test_a_burst_is_started_or_refused_and_the_refused_are_told_different_times() -> None:
    """5,000 requests at once, 50 places, 20 transfers end a second."""
    desk = Desk(places=50)
    desk.request(*(f"t{n}" for n in range(5_000)))
    await desk.turn_over(per_s=20, for_s=MAX_WAIT_S + 2)
    assert len(desk.started) + len(desk.refused) == 5_000
    assert 50 + 20 * (MAX_WAIT_S - 3) <= len(desk.started) <= 50 + 20 * (MAX_WAIT_S + 1)
    assert desk.started == sorted(desk.started, key=lambda id: int(id[1:])), "not in the order of arrival"
    assert max(at for at, _ in desk.refused.values()) <= MAX_WAIT_S + 0.2
    early = [at for at, _ in desk.refused.values() if at <= RATE_WINDOW_S + 1.0]
    assert len(early) > 3_000, "hopeless requests were not refused at once"
    assert len({refusal.retry_after_s for _, refusal in desk.refused.values()}) > 5


@virtually
async def test_when_no_transfer_ends_the_burst_is_refused_soon() -> None:
    desk = Desk(places=50)
    desk.request(*(f"t{n}" for n in range(500)))
    for _ in range(int(RATE_WINDOW_S * 10) + 2):
        await asyncio.sleep(0.1)
        desk.announce()
    assert len(desk.started) == 50
    assert len(desk.refused) >= 440
    assert max(refusal.retry_after_s for _, refusal in desk.refused.values()) == start_queue.MAX_RETRY_AFTER_S


@virtually
async def test_no_request_is_refused_before_a_place_could_be_free() -> None:
    """A broker that syncs each message: 50 transfers begin at once, and the first ends after 2 s."""
    desk = Desk(places=50)
    desk.request(*(f"t{n}" for n in range(100)))
    for _ in range(20):
        await asyncio.sleep(0.1)
        desk.announce()
    assert (len(desk.started), desk.refused) == (50, {})
    await desk.turn_over(per_s=50, for_s=3.0)
    assert (len(desk.started), desk.refused) == (100, {})


@virtually
async def test_requests_start_when_the_role_that_hindered_them_is_silent() -> None:
    desk = Desk(places=1)
    desk.request("a", "b")
    await asyncio.sleep(8.0)
    assert desk.started == ["a", "b"]


@virtually
async def test_a_stopping_coordinator_gives_its_requests_back() -> None:
    desk = Desk(places=1)
    desk.request("a", "b")
    await asyncio.sleep(0)
    desk.queue.close()
    desk.request("late")
    await asyncio.sleep(0)
    assert desk.started == ["a"]
    for task in desk.tasks[1:]:
        with pytest.raises(RetryableError, match="stops"):
            await task


@virtually
async def test_a_request_that_was_delivered_twice_takes_one_place() -> None:
    desk = Desk(places=1)
    desk.request("a", "a")
    await asyncio.sleep(0)
    assert desk.started == ["a", "a"]
    desk.end("a")
    desk.request("b")
    await asyncio.sleep(0)
    assert desk.started == ["a", "a", "b"]


@virtually
async def test_a_cancelled_request_takes_no_place() -> None:
    desk = Desk(places=1)
    desk.request("a", "b", "c")
    await asyncio.sleep(0)
    desk.tasks[1].cancel()
    await asyncio.sleep(0)
    desk.end("a")
    await asyncio.sleep(0)
    assert desk.started == ["a", "c"]


@virtually
async def test_a_coordinator_that_starts_in_a_burst_listens_for_the_agents_first() -> None:
    """A request is not refused for the rate of starts meanwhile, and not started as if no agent were live."""
    desk = Desk(places=1)
    desk.limits.heard(BRIEFING, RoleCapacity("a", 1, live=False), now())
    desk.limits.listen(now())
    desk.request(*(f"t{n}" for n in range(400)))
    await asyncio.sleep(2.0)
    assert (desk.started, desk.refused) == ([], {})
    desk.places = 30
    desk.announce()
    desk.queue.start_ready()
    await asyncio.sleep(0.05)
    assert (len(desk.started), len(desk.refused)) == (30, 0)


@virtually
async def test_with_no_time_to_wait_a_request_is_refused_at_once() -> None:
    desk = Desk(places=1, max_wait_s=0.0)
    desk.request("a", "b")
    await asyncio.sleep(0)
    assert desk.started == ["a"]
    assert list(desk.refused) == ["b"]
