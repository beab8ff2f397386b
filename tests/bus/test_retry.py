"""Retries: each attempt waits for the connection, pauses grow, and one deadline ends them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from warmxfer.bus import retry as module
from warmxfer.bus.errors import Unavailable
from warmxfer.bus.retry import ATTEMPT_TIMEOUT_S, BACKOFF_MAX_S, BACKOFF_MIN_S, MIN_ATTEMPT_S, RetryLoop

START_S = 100.0


class FakeConnection:
    """A connection that is up once `up` is set. It keeps the deadlines of those that wait for it.

    Unless `connected` is set, each attempt waits, if only for a moment.
    """

    def __init__(self, *, up: bool = True) -> None:
        self.up = asyncio.Event()
        self.deadlines: list[float] = []
        self.connected = False
        if up:
            self.up.set()

    async def wait_connected(self, deadline: float) -> None:
        self.deadlines.append(deadline)
        await self.up.wait()

    def unavailable(self, why: str) -> Unavailable:
        return Unavailable(f"no broker: {why}")


class Clock:
    """The time that the loops read, and the pauses that they make."""

    def __init__(self) -> None:
        self.now = START_S
        self.pauses: list[float] = []

    def time(self) -> float:
        return self.now

    async def sleep(self, pause_s: float) -> None:
        self.pauses.append(pause_s)
        self.now += pause_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock, and draw the shortest pause each time: half of the longest."""
    clock = Clock()
    fake = SimpleNamespace(get_running_loop=lambda: clock, sleep=clock.sleep)
    monkeypatch.setattr(module, "asyncio", fake)
    monkeypatch.setattr(module.random, "uniform", lambda *between: {(0.5, 1.0): 0.5}[between])
    return clock


async def test_an_attempt_waits_for_the_connection() -> None:
    connection = FakeConnection(up=False)
    attempt = asyncio.create_task(RetryLoop(connection, 60.0).next_attempt())
    await asyncio.sleep(0.01)
    assert not attempt.done()
    connection.up.set()
    async with asyncio.timeout(5):
        assert await attempt == ATTEMPT_TIMEOUT_S


async def test_every_attempt_has_the_one_deadline_and_what_is_left_of_it(clock: Clock) -> None:
    connection = FakeConnection()
    retry = RetryLoop(connection, 5.0)
    assert await retry.next_attempt() == ATTEMPT_TIMEOUT_S
    clock.now += 4.0
    assert (await retry.next_attempt(), retry.remaining_s) == (pytest.approx(1.0), pytest.approx(1.0))
    clock.now += 4.0
    assert (await retry.next_attempt(), retry.remaining_s) == (MIN_ATTEMPT_S, MIN_ATTEMPT_S)
    assert connection.deadlines == [START_S + 5.0] * 3


async def test_an_attempt_waits_for_nothing_while_the_connection_is_up() -> None:
    connection = FakeConnection(up=False)
    connection.connected = True
    assert await RetryLoop(connection, 60.0).next_attempt() == ATTEMPT_TIMEOUT_S
    assert connection.deadlines == []


async def test_pauses_double_up_to_a_limit(clock: Clock) -> None:
    retry = RetryLoop(FakeConnection(), 60.0)
    for _ in range(8):
        await retry.back_off("timeout")
    doubled = [min(BACKOFF_MIN_S * 2**n, BACKOFF_MAX_S) for n in range(8)]
    assert clock.pauses == pytest.approx([0.5 * each for each in doubled])
    assert doubled[-1] == BACKOFF_MAX_S


@pytest.mark.parametrize("why", ["timeout", Unavailable("the stream is full")], ids=["text", "error"])
async def test_no_pause_ends_after_the_deadline(clock: Clock, why: str | Unavailable) -> None:
    retry = RetryLoop(FakeConnection(), 1.0)
    clock.now += 1.0 - BACKOFF_MIN_S
    said = why if isinstance(why, Unavailable) else Unavailable(f"no broker: {why}")
    with pytest.raises(Unavailable) as failed:
        await retry.back_off(why)
    assert str(failed.value) == str(said)
    assert (failed.value is why) is isinstance(why, Unavailable)
    assert clock.pauses == []
