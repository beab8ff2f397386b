"""The one timer of all pull consumers: it looks after what is due, and after nothing twice at a time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from tests.testkit.waiting import until
from warmxfer.bus import pull_watch
from warmxfer.bus.connection import Connection
from warmxfer.bus.pull_watch import PullWatch


class Consumer:
    """A pull consumer that counts its looks. A look lasts until `release` is set."""

    def __init__(self, *, due: bool = True, lasts: bool = False) -> None:
        self.due = due
        self.asked = 0
        self.looks = 0
        self.cancelled = False
        self.release = asyncio.Event()
        if not lasts:
            self.release.set()

    def is_due(self, now: float) -> bool:
        self.asked += 1
        assert abs(now - asyncio.get_running_loop().time()) < 5.0
        return self.due

    async def look(self) -> None:
        self.looks += 1
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setattr(pull_watch, "WATCH_EVERY_S", 0.005)
    return SimpleNamespace(connected=True)


@pytest.fixture
def watch(connection: SimpleNamespace) -> PullWatch:
    return PullWatch(cast("Connection", connection))


async def test_each_consumer_is_looked_after_again_and_again(watch: PullWatch) -> None:
    consumers = [Consumer(), Consumer()]
    removals = [watch.add(each) for each in consumers]
    await until(lambda: min(each.looks for each in consumers) >= 3)
    for remove in removals:
        await remove()


async def test_one_look_at_a_time_and_the_others_go_on(watch: PullWatch) -> None:
    slow, quick = Consumer(lasts=True), Consumer()
    removals = watch.add(slow), watch.add(quick)
    await until(lambda: quick.looks >= 5)
    assert slow.looks == 1
    slow.release.set()
    await until(lambda: slow.looks >= 2)
    for remove in removals:
        await remove()


async def test_what_is_not_due_is_only_asked(watch: PullWatch) -> None:
    consumer = Consumer(due=False)
    remove = watch.add(consumer)
    await until(lambda: consumer.asked >= 3)
    assert consumer.looks == 0
    await remove()


async def test_nothing_is_looked_after_while_the_connection_is_down(
    watch: PullWatch, connection: SimpleNamespace
) -> None:
    connection.connected = False
    consumer = Consumer()
    remove = watch.add(consumer)
    await asyncio.sleep(0.05)
    assert consumer.asked == 0
    assert watch.running
    connection.connected = True
    await until(lambda: consumer.looks >= 1)
    await remove()


async def test_a_removed_consumer_has_no_look_that_runs_and_none_that_begins(watch: PullWatch) -> None:
    removed, other = Consumer(lasts=True), Consumer()
    remove, remove_other = watch.add(removed), watch.add(other)
    await until(lambda: removed.looks == 1)
    await remove()
    assert removed.cancelled
    before = other.looks
    await until(lambda: other.looks > before + 2)
    assert (removed.looks, watch.running) == (1, True)
    await remove_other()


async def test_the_timer_runs_only_while_something_is_watched(watch: PullWatch) -> None:
    assert not watch.running
    for _ in range(2):
        consumer = Consumer()
        remove = watch.add(consumer)
        assert watch.running
        await until(lambda consumer=consumer: consumer.looks >= 1)
        await remove()
        assert not watch.running
        looks = consumer.looks
        await asyncio.sleep(0.03)
        assert (consumer.looks, watch.running) == (looks, False)


async def test_an_error_does_not_end_the_watch(watch: PullWatch) -> None:
    class Broken(Consumer):
        def is_due(self, now: float) -> bool:
            self.asked += 1
            raise RuntimeError

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    broken = Broken()
    remove = watch.add(broken)
    await until(lambda: broken.asked >= 3)
    await remove()
