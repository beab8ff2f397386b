"""What a pull consumer requests, and what it does with the messages and statuses that arrive."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from warmxfer.bus.messages import ConsumerMessage
from warmxfer.bus.pull_consumer import (
    CHECK_EVERY_S,
    SILENCE_S,
)
from warmxfer.bus.pull_inbox import PULL_EXPIRES_S
from warmxfer.bus.pull_status import PAUSE_MAX_S, PAUSE_MIN_S
from warmxfer.bus.pull_watch import WATCH_EVERY_S

from .pull_flow import HEARTBEAT, LEADER_CHANGE, PULL, WINDOW, FakeMsg, Flow, on_a_virtual_clock

# ── what is requested ────────────────────────────────────────────────────────────────────────────────


@on_a_virtual_clock
async def test_the_first_pull_requests_the_window_and_heartbeats(flow: Flow) -> None:
    ((_, subject, data, inbox),) = flow.client.sent
    assert (subject, inbox) == (PULL, flow.inbox)
    assert json.loads(data) == {
        "batch": WINDOW,
        "expires": 2_000_000_000,
    }
    assert SILENCE_S > 2 * PULL_EXPIRES_S


@on_a_virtual_clock
async def test_messages_in_flight_and_requested_never_exceed_the_window(flow: Flow) -> None:
    flow.pulls()
    for seq in range(WINDOW):
        await flow.message(seq)
    assert flow.pulls() == []
    await flow.finish(1)
    assert flow.pulls() == []  # too few for a request: a quarter of the window
    await flow.finish(1)
    assert [count for _, count, _ in flow.pulls()] == [2]
    await flow.finish(1)
    assert flow.pulls() == []  # two are requested and five in flight
    await flow.finish(1)
    assert [count for _, count, _ in flow.pulls()] == [2]
    await flow.finish(4)
    assert [count for _, count, _ in flow.pulls()] == [2, 2]


@on_a_virtual_clock
async def test_more_arrive_than_were_requested(flow: Flow) -> None:
    """Pulls of an earlier inbox may still answer. The number requested does not become negative."""
    for seq in range(WINDOW + 4):
        await flow.message(seq)
    flow.pulls()
    await flow.finish(WINDOW + 4)
    assert sum(count for _, count, _ in flow.pulls()) == WINDOW


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_a_small_window_is_requested_one_by_one(jobs: int) -> None:
    @on_a_virtual_clock
    async def run(flow: Flow) -> None:
        await flow.puller.stop()
        flow.puller = flow.new_puller(jobs)
        flow.pulls()
        await flow.puller.start()
        for seq in range(jobs):
            await flow.message(seq)
        await flow.finish(jobs)
        assert [count for _, count, _ in flow.pulls()] == [jobs, *[1] * jobs]

    run()


@on_a_virtual_clock
async def test_nothing_is_requested_before_the_start(flow: Flow) -> None:
    flow.pulls()
    flow.new_puller(WINDOW).request_more()
    assert flow.pulls() == []


@on_a_virtual_clock
async def test_reports_of_a_missing_stream_before_the_start_are_old(flow: Flow) -> None:
    await flow.puller.stop()
    flow.connection.missing_reports = 3
    flow.puller = flow.new_puller(WINDOW)
    await flow.puller.start()
    await asyncio.sleep(CHECK_EVERY_S + 3 * WATCH_EVERY_S)
    assert flow.recovery.ensured == []


# ── the connection ───────────────────────────────────────────────────────────────────────────────────


@on_a_virtual_clock
async def test_nothing_is_sent_while_the_connection_is_down(flow: Flow) -> None:
    flow.pulls()
    inbox = flow.inbox
    flow.connection.connected = False
    await asyncio.sleep(10 * SILENCE_S)
    flow.puller.request_more()
    assert (flow.pulls(), flow.inbox) == ([], inbox)


@on_a_virtual_clock
async def test_a_reconnect_replaces_the_inbox_and_counts_from_zero(flow: Flow) -> None:
    old = flow.inbox
    await flow.message()
    flow.pulls()
    (hook,) = flow.connection.hooks
    await hook()
    assert flow.inbox != old
    assert [(count, inbox) for _, count, inbox in flow.pulls()] == [(WINDOW - 1, flow.inbox)]


# ── statuses ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("left", "repeated"), [("8", 8), ("3", 3), (None, 8), ("99", 8)])
def test_a_pull_that_ended_is_requested_again(left: str | None, repeated: int) -> None:
    """Only the part that the ended pull did not deliver: another pull may still be open."""

    @on_a_virtual_clock
    async def run(flow: Flow) -> None:
        inbox = flow.inbox
        flow.pulls()
        headers = {"Status": "408", "Description": "Request Timeout"}
        await flow.status(**headers, **({"Nats-Pending-Messages": left} if left else {}))
        assert [(count, to) for _, count, to in flow.pulls()] == [(repeated, inbox)]

    run()


@on_a_virtual_clock
async def test_an_ended_consumer_is_pulled_after_pauses_that_grow_and_have_a_limit(flow: Flow) -> None:
    flow.pulls()
    pauses: list[float] = []
    for _ in range(8):
        inbox, ended_at = flow.inbox, flow.now
        with capture_logs() as logs:
            await flow.status(**LEADER_CHANGE)
        assert [(each["event"], each["status"]) for each in logs] == [("pull_ended", "409")]
        while not (pulls := flow.pulls()):
            assert flow.now - ended_at < 2 * PAUSE_MAX_S
            flow.puller.request_more()
            await asyncio.sleep(0.01)
        assert [(count, to) for _, count, to in pulls] == [(WINDOW, flow.inbox)]
        assert flow.inbox != inbox
        pauses.append(pulls[0][0] - ended_at)
    assert flow.recovery.ensured == []
    expected = [min(PAUSE_MIN_S * 2**n, PAUSE_MAX_S) for n in range(8)]
    assert all(
        0.5 * longest - 0.001 <= pause <= longest + WATCH_EVERY_S + 0.001
        for pause, longest in zip(pauses, expected, strict=True)
    ), pauses


@on_a_virtual_clock
async def test_nothing_is_requested_during_the_pause(flow: Flow) -> None:
    for seq in range(4):
        await flow.message(seq)
    flow.pulls()
    await flow.status(**LEADER_CHANGE)
    await flow.finish(4)
    assert flow.pulls() == []
    await asyncio.sleep(PAUSE_MIN_S + 2 * WATCH_EVERY_S)
    assert [count for _, count, _ in flow.pulls()] == [WINDOW]


@pytest.mark.parametrize("sign", ["heartbeat", "message"])
def test_a_sign_of_the_consumer_makes_the_pause_short_again(sign: str) -> None:
    @on_a_virtual_clock
    async def run(flow: Flow) -> None:
        for _ in range(6):
            await flow.status(**LEADER_CHANGE)
            await asyncio.sleep(PAUSE_MAX_S + 2 * WATCH_EVERY_S)
        await (flow.message() if sign == "message" else flow.status(**HEARTBEAT))
        flow.pulls()
        await flow.status(**LEADER_CHANGE)
        await asyncio.sleep(PAUSE_MIN_S + 2 * WATCH_EVERY_S)
        assert len(flow.pulls()) == 1

    run()


@on_a_virtual_clock
async def test_a_status_of_an_earlier_inbox_is_ignored(flow: Flow) -> None:
    old = flow.client.callbacks[flow.inbox]
    old_inbox = flow.inbox
    (hook,) = flow.connection.hooks
    await hook()
    flow.pulls()
    old(FakeMsg(old_inbox, headers=LEADER_CHANGE))
    old(FakeMsg(old_inbox, headers={"Status": "408"}))
    await asyncio.sleep(2 * WATCH_EVERY_S)
    assert flow.pulls() == []


@on_a_virtual_clock
async def test_a_stored_message_with_a_status_header_is_a_message(flow: Flow) -> None:
    flow.pulls()
    await flow.message(5, dict(LEADER_CHANGE))
    assert [each.headers for each in flow.sink.held] == [LEADER_CHANGE]
    await asyncio.sleep(2 * WATCH_EVERY_S)
    assert flow.inbox == "_INBOX.1"


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.WARMXFER.gateway.3.1207.9.1800000000123456789.4",
        "$JS.ACK.hub.AB12.WARMXFER.gateway.3.1207.9.1800000000123456789.4",
        "$JS.ACK.hub.AB12.WARMXFER.gateway.3.1207.9.1800000000123456789.4.token",
    ],
)
def test_the_reply_subject_says_number_time_and_tries(reply: str) -> None:
    @on_a_virtual_clock
    async def run(flow: Flow) -> None:
        await flow.receive(FakeMsg("warmxfer.t.do.gateway", reply, b"{}", {"A": "b"}))
        (got,) = flow.sink.held
        assert got == ConsumerMessage(
            "warmxfer.t.do.gateway", b"{}", {"A": "b"}, 1207, 1_800_000_000.123456, 3, reply, "gateway"
        )

    run()


@on_a_virtual_clock
async def test_each_answer_goes_to_the_reply_subject_of_its_message(flow: Flow) -> None:
    await flow.message(7)
    (got,) = flow.sink.held
    flow.client.sent.clear()
    await flow.puller.ack(got)
    await flow.puller.nak(got)
    await flow.puller.nak(got, 0.5)
    await flow.puller.nak(got, 1.5)
    await flow.puller.progress(got)
    await flow.puller.term(got)
    assert {(subject, reply) for _, subject, _, reply in flow.client.sent} == {(got.ack_subject, "")}
    assert [data for _, _, data, _ in flow.client.sent] == [
        b"+ACK",
        b"-NAK",
        b'-NAK {"delay": 500000000}',
        b'-NAK {"delay": 1500000000}',
        b"+WPI",
        b"+TERM",
    ]
