"""Requests take turns at the provider's rate: the urgent first, and transfers fairly. On a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from tests.simulation.loop import SimLoop
from warmxfer.adapters.telephony import NotSent, RequestRate, Urgency, request_turns
from warmxfer.adapters.telephony.request_rate import (
    BURST_S,
    LOG_EVERY_S,
    MAX_PAUSE_S,
    next_turn,
    rate_refused,
)

FOREVER = 1e9


class Sender:
    """Sends requests of transfers, and notes when each was sent."""

    def __init__(self, rate: RequestRate) -> None:
        self.rate = rate
        self.sent: list[tuple[float, str]] = []
        self.not_sent: list[tuple[float, str]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def send(self, name: str, urgency: Urgency = Urgency.NEW, until: float = FOREVER) -> None:
        """Send a request of the transfer that `name` begins with."""
        self.tasks.append(asyncio.create_task(self._send(name, urgency, until)))

    async def _send(self, name: str, urgency: Urgency, until: float) -> None:
        with request_turns(self.rate, name[0], urgency):
            try:
                await next_turn(until)
            except NotSent:
                self.not_sent.append((now(), name))
            else:
                self.sent.append((now(), name))

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.sent]


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
async def test_without_a_limit_nothing_waits() -> None:
    sender = Sender(RequestRate(0.0))
    for number in range(1_000):
        sender.send(f"a{number}")
    await asyncio.sleep(0)
    assert len(sender.sent) == 1_000
    assert (sender.rate.wait_s(Urgency.NEW), sender.rate.why_slow()) == (0.0, None)


@pytest.mark.parametrize("per_s", [0.5, 2.0, 10.0, 100.0])
def test_no_time_has_more_requests_than_the_rate_allows(per_s: float) -> None:
    @virtually
    async def run() -> None:
        sender = Sender(RequestRate(per_s))
        for number in range(40):
            sender.send(f"a{number}")
        await asyncio.sleep(60 / per_s)
        times = [at for at, _ in sender.sent]
        assert len(times) == 40
        burst = max(1.0, per_s * BURST_S)
        for first, began_at in enumerate(times):
            for last in range(first, len(times)):
                assert last - first + 1 <= burst + (times[last] - began_at) * per_s + 1e-3
        assert times[-1] <= 40 / per_s + 1e-6, "turns were lost"

    run()


@virtually
async def test_returns_and_clean_up_come_before_new_dials() -> None:
    sender = Sender(RequestRate(1.0))
    for number in range(5):
        sender.send(f"{number}dial")
    await asyncio.sleep(1.5)
    for urgency in reversed(Urgency):
        sender.send(f"x{urgency.name}", urgency)
    await asyncio.sleep(20)
    assert sender.names == [
        "0dial",
        "1dial",
        "xCALLER",
        "xCLEAN_UP",
        "xRUNNING",
        "2dial",
        "3dial",
        "4dial",
        "xNEW",
        "xBACKGROUND",
    ]


@virtually
async def test_a_transfer_with_many_requests_delays_another_by_one() -> None:
    sender = Sender(RequestRate(1.0))
    for number in range(6):
        sender.send(f"a{number}")
    sender.send("b0")
    await asyncio.sleep(20)
    assert sender.names[:3] == ["a0", "a1", "b0"]


@virtually
async def test_a_request_whose_turn_comes_too_late_is_not_sent_and_takes_no_turn() -> None:
    sender = Sender(RequestRate(1.0))
    for name, until in (("a", FOREVER), ("b", 0.5), ("c", FOREVER)):
        sender.send(name, until=until)
    await asyncio.sleep(5)
    assert sender.sent == [(0.0, "a"), (1.0, "c")]
    assert sender.not_sent == [(0.5, "b")]


@virtually
async def test_a_reserved_turn_lets_the_next_request_go_at_once() -> None:
    rate = RequestRate(1.0)
    with request_turns(rate, "a", Urgency.NEW) as turns:
        await next_turn(FOREVER)
        await turns.reserve(FOREVER)
        assert now() == pytest.approx(1.0)
        await next_turn(FOREVER)
        assert now() == pytest.approx(1.0)
        await next_turn(FOREVER)
        assert now() == pytest.approx(2.0)
        assert turns.waited_s == pytest.approx(2.0)


@virtually
async def test_requests_that_wait_at_the_same_time_count_once() -> None:
    with request_turns(RequestRate(1.0), "a", Urgency.NEW) as turns:
        await asyncio.gather(*(next_turn(FOREVER) for _ in range(3)))
        assert turns.waited_s == pytest.approx(2.0)


@virtually
async def test_gateways_share_the_limit() -> None:
    sender = Sender(RequestRate(2.0))
    sender.rate.share_with(4)
    for number in range(5):
        sender.send(f"a{number}")
    await asyncio.sleep(7.9)
    assert [at for at, _ in sender.sent] == pytest.approx([0.0, 2.0, 4.0, 6.0])
    sender.rate.share_with(1)
    assert sender.rate.per_s == 2.0


@virtually
async def test_after_a_refusal_for_the_rate_nothing_is_sent_for_the_time_that_the_provider_names() -> None:
    sender = Sender(RequestRate(10.0))
    with request_turns(sender.rate, "a", Urgency.NEW):
        rate_refused(3.0)
    sender.send("b")
    await asyncio.sleep(10)
    assert sender.sent == [(pytest.approx(3.0), "b")]
    with request_turns(sender.rate, "a", Urgency.NEW):
        rate_refused(1_000.0)
    sender.send("c")
    await asyncio.sleep(10)
    assert sender.sent[1] == (pytest.approx(10.0 + MAX_PAUSE_S), "c")


@virtually
async def test_each_change_of_what_a_gateway_announces_is_told() -> None:
    sender, seen = Sender(RequestRate(1.0)), list[float]()
    sender.rate.on_change = lambda: seen.append(round(sender.rate.wait_s(Urgency.NEW), 1))
    sender.send("a")
    sender.send("b")
    sender.send("c")
    await asyncio.sleep(0)
    assert seen == [2.0, 3.0]
    await asyncio.sleep(2.5)
    assert seen[2:] == [2.0, 1.0]
    sender.rate.share_with(2)
    sender.rate.share_with(2)
    sender.rate.pause(3.0)
    assert len(seen) == 6


@virtually
async def test_what_waits_is_shown_and_logged_at_a_bounded_rate() -> None:
    sender = Sender(RequestRate(2.0))
    with capture_logs() as logs:
        for step in range(100):
            sender.send(f"a{step}")
            await asyncio.sleep(0.1)
        assert sender.rate.wait_s(Urgency.NEW) == pytest.approx(40, abs=1)
        assert sender.rate.wait_s(Urgency.CALLER) <= 0.5
        why = sender.rate.why_slow()
        await asyncio.sleep(60)
    assert why is not None
    assert why.startswith("a new request waits 40 s for the provider's rate limit (80 wait")
    lines = [line for line in logs if line["event"] == "provider_requests_wait"]
    assert 1 <= len(lines) <= 1 + 10.0 / LOG_EVERY_S
    assert sender.rate.why_slow() is None


@virtually
async def test_a_request_outside_a_command_waits_for_no_turn() -> None:
    await next_turn(FOREVER)
    rate_refused(1.0)
    assert now() == 0.0


@virtually
async def test_a_task_of_a_command_shares_its_turns() -> None:
    rate = RequestRate(1.0)

    async def request() -> None:
        await next_turn(FOREVER)

    with request_turns(rate, "a", Urgency.NEW) as turns:
        await request()
        await asyncio.create_task(request())
    assert turns.waited_s == pytest.approx(1.0)
