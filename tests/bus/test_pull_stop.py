"""The end of a pull consumer: no message is lost that the broker sends to its open pulls."""

from __future__ import annotations

import asyncio

import pytest
from nats.errors import ConnectionClosedError

from warmxfer.bus.pull_consumer import (
    FLUSH_S,
    MAX_RETURNS,
    SILENCE_S,
)
from warmxfer.bus.pull_inbox import LATE_S, PULL_EXPIRES_S
from warmxfer.bus.pull_status import PAUSE_MIN_S
from warmxfer.bus.pull_watch import WATCH_EVERY_S

from .pull_flow import HEARTBEAT, LEADER_CHANGE, FakeMsg, Flow, on_a_virtual_clock

# ── the end ──────────────────────────────────────────────────────────────────────────────────────────


@on_a_virtual_clock
async def test_after_stop_nothing_is_pulled(flow: Flow) -> None:
    inbox = flow.inbox
    flow.pulls()

    async def last_message() -> None:
        await flow.message(9)

    flow.client.while_draining = last_message
    (hook,) = flow.connection.hooks
    await flow.puller.stop()
    assert [each for each in asyncio.all_tasks() if "watch" in each.get_name()] == []
    await flow.puller.stop()
    assert flow.client.drained == [inbox]
    assert flow.sink.held == []
    assert [data for _, _, data, _ in flow.client.sent] == [b"-NAK"]  # in transit while the consumer stopped
    assert flow.connection.hooks == []
    flow.client.sent.clear()
    flow.puller.request_more()
    await hook()  # a reconnect that was already under way
    await asyncio.sleep(10 * SILENCE_S)
    assert flow.pulls() == []
    assert flow.client.callbacks == {}


@on_a_virtual_clock
async def test_a_drain_that_hangs_does_not_hold_up_the_stop(flow: Flow) -> None:
    flow.client.while_draining = lambda: asyncio.sleep(100)
    began_at = flow.now
    await flow.puller.stop()
    assert flow.now - began_at == pytest.approx(FLUSH_S)


@on_a_virtual_clock
async def test_a_drain_that_fails_does_not_fail_the_stop(flow: Flow) -> None:
    async def closed() -> None:
        raise ConnectionClosedError

    flow.client.while_draining = closed
    await flow.puller.stop()
    assert flow.client.drained


# ── a broker that delivers to a pull until it ends ───────────────────────────────────────────────────


TIMED_OUT = {"Status": "408", "Description": "Request Timeout"}


def naks(flow: Flow) -> list[str]:
    """Return which messages were given back at once since the last call, by their reply subject."""
    given_back = [subject for _, subject, data, _ in flow.client.sent if data == b"-NAK"]
    flow.client.sent.clear()
    return given_back


async def begin_to_stop(flow: Flow) -> asyncio.Task[None]:
    flow.client.ends_pulls_with_inbox = False
    stopping = asyncio.create_task(flow.puller.stop())
    await asyncio.sleep(0.1)
    assert not stopping.done()
    flow.client.sent.clear()
    return stopping


@on_a_virtual_clock
async def test_a_stop_lasts_until_the_pulls_have_ended(flow: Flow) -> None:
    for seq in range(3):
        await flow.message(seq)
    await flow.finish(3)
    stopping = await begin_to_stop(flow)
    for pending in ("5", "3"):
        assert not stopping.done()
        await flow.status(**TIMED_OUT, **{"Nats-Pending-Messages": pending})
        await asyncio.sleep(0.01)
    assert stopping.done()
    assert (flow.pulls(), flow.client.callbacks) == ([], {})


@on_a_virtual_clock
async def test_a_stop_waits_no_longer_than_the_pulls_may_last(flow: Flow) -> None:
    began_at = flow.now
    await (await begin_to_stop(flow))
    assert flow.now - began_at == pytest.approx(PULL_EXPIRES_S + LATE_S)
    assert flow.client.callbacks == {}


@on_a_virtual_clock
async def test_a_stop_lasts_until_the_end_of_the_last_pull_also_after_a_late_message(flow: Flow) -> None:
    began_at = flow.now
    stopping = await begin_to_stop(flow)
    await asyncio.sleep(PULL_EXPIRES_S + LATE_S - 0.5 - (flow.now - began_at))
    await flow.message(1)
    await asyncio.sleep(0.1)
    assert not stopping.done()
    await stopping
    assert flow.now - began_at == pytest.approx(PULL_EXPIRES_S + LATE_S)


@on_a_virtual_clock
async def test_a_heartbeat_ends_no_pull(flow: Flow) -> None:
    stopping = await begin_to_stop(flow)
    await flow.status(**HEARTBEAT)
    await asyncio.sleep(0.1)
    assert not stopping.done()


@on_a_virtual_clock
async def test_a_message_that_arrives_during_the_stop_is_given_back_at_once(flow: Flow) -> None:
    await flow.message(1)
    stopping = await begin_to_stop(flow)
    await flow.message(2)
    assert ["gateway.3.2." in each for each in naks(flow)] == [True]
    # The handler of this one still runs, and acknowledges its newest delivery.
    await flow.message(1)
    assert naks(flow) == []
    assert [each.seq for each in flow.sink.held] == [1, 1]
    assert not stopping.done()
    await stopping


@on_a_virtual_clock
async def test_a_message_that_comes_back_again_and_again_is_given_back_when_the_pulls_have_ended(
    flow: Flow,
) -> None:
    stopping = await begin_to_stop(flow)
    for _ in range(MAX_RETURNS + 2):
        await flow.message(2)
    assert len(naks(flow)) == MAX_RETURNS
    await stopping
    assert len(naks(flow)) == 2


@on_a_virtual_clock
async def test_a_stop_that_was_cancelled_is_completed_by_the_next(flow: Flow) -> None:
    stopping = await begin_to_stop(flow)
    stopping.cancel()
    await asyncio.wait({stopping})
    assert flow.client.callbacks
    await flow.message(2)
    assert len(naks(flow)) == 1
    await flow.puller.stop()
    assert flow.client.callbacks == {}


@pytest.mark.parametrize("change", ["reconnect", "leader"])
def test_a_message_for_a_replaced_inbox_is_handled(change: str) -> None:
    @on_a_virtual_clock
    async def run(flow: Flow) -> None:
        flow.client.ends_pulls_with_inbox = False
        (old,) = flow.client.callbacks
        late = flow.client.callbacks[old]
        if change == "reconnect":
            await flow.connection.hooks[0]()
        else:
            await flow.status(**LEADER_CHANGE)
            await asyncio.sleep(PAUSE_MIN_S + 2 * WATCH_EVERY_S)
        assert len(flow.client.callbacks) == 2
        reply = "$JS.ACK.WARMXFER.gateway.1.4.9.1800000000123456789.0"
        late(FakeMsg("warmxfer.t.do.gateway", reply, b"{}"))
        assert [each.seq for each in flow.sink.held] == [4]
        await asyncio.sleep(PULL_EXPIRES_S + LATE_S + 2 * WATCH_EVERY_S)
        assert len(flow.client.callbacks) == 1
        assert old not in flow.client.callbacks

    run()
