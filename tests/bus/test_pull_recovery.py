"""A silent broker is asked again, and a consumer that vanished is created again. Neither is ready before."""

from __future__ import annotations

import asyncio
import functools
from itertools import pairwise

import pytest
from nats.errors import ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError
from structlog.testing import capture_logs

from warmxfer.bus.pull_consumer import (
    CHECK_EVERY_S,
    FLOOR_EVERY_S,
    SILENCE_S,
)
from warmxfer.bus.pull_inbox import PULL_EXPIRES_S, PullInbox
from warmxfer.bus.pull_status import PAUSE_MAX_S, PAUSE_MIN_S
from warmxfer.bus.pull_watch import WATCH_EVERY_S

from .pull_flow import HEARTBEAT, LEADER_CHANGE, WINDOW, Flow, on_a_virtual_clock

# ── silence ──────────────────────────────────────────────────────────────────────────────────────────


@on_a_virtual_clock
async def test_a_silent_broker_is_asked_again_on_a_new_inbox(flow: Flow) -> None:
    """Regression: without this check a lost pull stops the worker without end."""
    old = flow.inbox
    flow.pulls()
    await asyncio.sleep(SILENCE_S - WATCH_EVERY_S)
    assert flow.pulls() == []
    with capture_logs() as logs:
        await asyncio.sleep(3 * WATCH_EVERY_S)
    assert [(count, inbox) for _, count, inbox in flow.pulls()] == [(WINDOW, flow.inbox)]
    assert flow.inbox != old
    assert [(each["event"], each["silent_s"] >= SILENCE_S) for each in logs] == [("pull_timed_out", True)]
    # The second pull is lost as well.
    await asyncio.sleep(SILENCE_S + 2 * WATCH_EVERY_S)
    assert [count for _, count, _ in flow.pulls()] == [WINDOW]


@on_a_virtual_clock
async def test_a_silence_after_messages_is_noticed_too(flow: Flow) -> None:
    for seq in range(3):
        await asyncio.sleep(1.0)
        await flow.message(seq)
    flow.pulls()
    await asyncio.sleep(SILENCE_S - WATCH_EVERY_S)
    assert flow.pulls() == []
    await asyncio.sleep(3 * WATCH_EVERY_S)
    # Three messages are in flight, so the new inbox is asked for the rest of the window.
    assert [count for _, count, _ in flow.pulls()] == [WINDOW - 3]


@on_a_virtual_clock
async def test_heartbeats_are_no_silence(flow: Flow) -> None:
    inbox = flow.inbox
    flow.pulls()
    for _ in range(30):
        await asyncio.sleep(PULL_EXPIRES_S)
        await flow.status(**HEARTBEAT)
        assert flow.puller.idle_s == 0.0
    assert (flow.pulls(), flow.inbox) == ([], inbox)


@on_a_virtual_clock
async def test_one_late_heartbeat_is_no_silence(flow: Flow) -> None:
    flow.pulls()
    await asyncio.sleep(2 * PULL_EXPIRES_S)
    await flow.status(**HEARTBEAT)
    await asyncio.sleep(SILENCE_S - WATCH_EVERY_S)
    assert flow.pulls() == []


@on_a_virtual_clock
async def test_a_worker_that_requested_nothing_hears_nothing(flow: Flow) -> None:
    """All of the window is in flight for longer than the silence. Nothing was lost."""
    inbox = flow.inbox
    for seq in range(WINDOW):
        await flow.message(seq)
    flow.pulls()
    await asyncio.sleep(10 * SILENCE_S)
    assert (flow.pulls(), flow.inbox) == ([], inbox)
    # The next request has the whole time for its first heartbeat.
    await flow.finish(2)
    await asyncio.sleep(SILENCE_S - WATCH_EVERY_S)
    assert [count for _, count, _ in flow.pulls()] == [2]
    assert flow.inbox == inbox
    await asyncio.sleep(3 * WATCH_EVERY_S)
    assert flow.inbox != inbox


@on_a_virtual_clock
async def test_a_request_is_no_sign_of_the_broker(flow: Flow) -> None:
    """Handlers that end one after the other request more messages. The earlier pull is lost all the same."""
    inbox = flow.inbox
    for seq in range(6):
        await flow.message(seq)
    for _ in range(3):
        await asyncio.sleep(SILENCE_S / 3)
        await flow.finish(2)
    await asyncio.sleep(3 * WATCH_EVERY_S)
    assert flow.inbox != inbox


@on_a_virtual_clock
async def test_the_watch_requests_what_a_finished_handler_did_not(flow: Flow) -> None:
    for seq in range(WINDOW):
        await flow.message(seq)
    flow.pulls()
    flow.sink.held.clear()
    await asyncio.sleep(2 * WATCH_EVERY_S)
    assert [count for _, count, _ in flow.pulls()] == [WINDOW]


@on_a_virtual_clock
async def test_a_pull_that_could_not_be_sent_is_repeated(flow: Flow) -> None:
    await flow.status(Status="408", Description="Request Timeout")
    flow.pulls()
    for error in (ConnectionClosedError(), ConnectionDrainingError(), OutboundBufferLimitError()):
        flow.puller._inbox = PullInbox(flow.inbox)
        flow.client.error = error
        with capture_logs() as logs:
            flow.puller.request_more()
        assert [each["event"] for each in logs] == ["consumer_send_failed"]
    flow.client.error = None
    await asyncio.sleep(SILENCE_S + 2 * WATCH_EVERY_S)
    assert [count for _, count, _ in flow.pulls()] == [WINDOW]


# ── a consumer that vanished ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "text"),
    [("404", "No Messages"), ("503", ""), ("409", "Consumer Deleted"), ("409", "Consumer is push based")],
)
def test_a_missing_consumer_is_created_before_the_next_pull(status: str, text: str) -> None:
    @on_a_virtual_clock
    async def run(flow: Flow) -> None:
        flow.pulls()
        await flow.status(Status=status, Description=text)
        await asyncio.sleep(PAUSE_MIN_S + 2 * WATCH_EVERY_S)
        assert len(flow.recovery.ensured) == 1
        ((at, count, inbox),) = flow.pulls()
        assert (count, inbox) == (WINDOW, flow.inbox)
        assert at >= flow.recovery.ensured[0]
        await asyncio.sleep(PULL_EXPIRES_S)
        await flow.status(**HEARTBEAT)
        await flow.status(**LEADER_CHANGE)
        await asyncio.sleep(PAUSE_MIN_S + 2 * WATCH_EVERY_S)
        assert len(flow.pulls()) == 1
        assert len(flow.recovery.ensured) == 1  # a new leader is no missing consumer

    run()


@on_a_virtual_clock
async def test_a_consumer_that_cannot_be_created_is_tried_again_and_not_pulled(flow: Flow) -> None:
    flow.recovery.problem = "no stream"
    flow.pulls()
    await flow.status(Status="503")
    await asyncio.sleep(60.0)
    assert flow.pulls() == []
    assert 60.0 / (PAUSE_MAX_S + WATCH_EVERY_S) - 1 <= len(flow.recovery.ensured) <= 40
    assert flow.connection.readiness.failing() == ["consumer gateway: no stream"]
    flow.recovery.problem = None
    await asyncio.sleep(PAUSE_MAX_S + 2 * WATCH_EVERY_S)
    assert [count for _, count, _ in flow.pulls()] == [WINDOW]
    await flow.status(**HEARTBEAT)
    assert flow.connection.readiness.failing() == []


@on_a_virtual_clock
async def test_several_pulls_that_end_together_are_one_failure(flow: Flow) -> None:
    flow.pulls()
    for _ in range(5):
        await flow.status(Status="409", Description="Consumer Deleted")
    await flow.status(**LEADER_CHANGE)
    await asyncio.sleep(PAUSE_MIN_S + 2 * WATCH_EVERY_S)
    assert len(flow.recovery.ensured) == 1
    assert len(flow.pulls()) == 1


@on_a_virtual_clock
async def test_the_consumer_is_looked_after_when_a_publish_found_no_stream(flow: Flow) -> None:
    """A pull that is open on a lost stream gets no answer. Other requests of this process do."""
    await flow.status(**HEARTBEAT)
    flow.connection.missing_reports += 1
    await asyncio.sleep(CHECK_EVERY_S + 3 * WATCH_EVERY_S)
    assert len(flow.recovery.ensured) == 1
    await flow.status(**HEARTBEAT)
    await asyncio.sleep(CHECK_EVERY_S + 3 * WATCH_EVERY_S)
    assert len(flow.recovery.ensured) == 1  # one report causes one check
    flow.recovery.problem = "no stream"
    flow.connection.missing_reports += 3
    flow.pulls()
    await asyncio.sleep(CHECK_EVERY_S + 6 * WATCH_EVERY_S)
    assert len(flow.recovery.ensured) > 2
    assert flow.pulls() == []
    assert flow.connection.readiness.failing() == ["consumer gateway: no stream"]


@on_a_virtual_clock
async def test_the_consumer_is_looked_after_when_the_broker_was_silent_and_after_a_reconnect(
    flow: Flow,
) -> None:
    await asyncio.sleep(SILENCE_S + 4 * WATCH_EVERY_S)
    assert len(flow.recovery.ensured) == 1
    await flow.status(**HEARTBEAT)
    await asyncio.sleep(4 * WATCH_EVERY_S)
    assert len(flow.recovery.ensured) == 1
    (hook,) = flow.connection.hooks
    await hook()
    await asyncio.sleep(2 * WATCH_EVERY_S)
    assert len(flow.recovery.ensured) == 2


@on_a_virtual_clock
async def test_a_consumer_that_is_missing_when_its_floor_is_read_is_created(flow: Flow) -> None:
    """The broker dropped the pull and said nothing. Meanwhile nothing is pulled, and nothing is ready."""
    await flow.status(**HEARTBEAT)
    flow.pulls()
    flow.recovery.floor_problem = flow.recovery.problem = "consumer gateway is missing"
    for _ in range(4):
        await asyncio.sleep(PULL_EXPIRES_S)
        if not flow.recovery.ensured:
            await flow.status(**HEARTBEAT)
    assert flow.recovery.ensured
    assert flow.connection.readiness.failing() == ["consumer gateway: consumer gateway is missing"]
    assert flow.pulls() == []
    flow.recovery.floor_problem = flow.recovery.problem = None
    await asyncio.sleep(PAUSE_MAX_S + 2 * WATCH_EVERY_S)
    assert [count for _, count, _ in flow.pulls()] == [WINDOW]


@on_a_virtual_clock
async def test_the_acknowledgement_floor_is_read_now_and_then(flow: Flow) -> None:
    for _ in range(15):
        await asyncio.sleep(PULL_EXPIRES_S)
        await flow.status(**HEARTBEAT)
    pauses = [later - earlier for earlier, later in pairwise(flow.recovery.floors)]
    assert len(pauses) >= 4
    assert all(FLOOR_EVERY_S <= pause <= FLOOR_EVERY_S + 2 * WATCH_EVERY_S for pause in pauses), pauses


# ── readiness ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sign", [HEARTBEAT, {"Status": "408", "Description": "Request Timeout"}])
def test_a_consumer_whose_pull_gets_no_answer_is_not_ready(sign: dict[str, str]) -> None:
    """A restart of the pull, or an error, is no answer."""
    on_a_virtual_clock(functools.partial(_becomes_ready, sign))()


async def _becomes_ready(sign: dict[str, str], flow: Flow) -> None:
    readiness = flow.connection.readiness
    await asyncio.sleep(SILENCE_S)
    assert readiness.failing() == []
    await asyncio.sleep(4 * WATCH_EVERY_S)
    await flow.status(**LEADER_CHANGE)
    await asyncio.sleep(4 * WATCH_EVERY_S)
    assert readiness.failing() == ["consumer gateway: no answer to a pull for 7 s"]
    await flow.status(**sign)
    assert readiness.failing() == []


@on_a_virtual_clock
async def test_a_consumer_whose_window_is_full_is_ready(flow: Flow) -> None:
    for seq in range(WINDOW):
        await flow.message(seq)
    await asyncio.sleep(10 * SILENCE_S)
    assert flow.connection.readiness.failing() == []


@on_a_virtual_clock
async def test_a_consumer_that_is_stopped_has_no_check(flow: Flow) -> None:
    await flow.puller.stop()
    assert flow.puller.why_not_receiving() == "the pull consumer does not run"
    assert flow.connection.readiness.failing() == []
