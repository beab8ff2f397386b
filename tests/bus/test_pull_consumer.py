"""The pull consumer alone, on a virtual clock, over a connection that records what is sent.

The broker of these tests answers only what a test lets it answer. So it can be silent, which a real broker
that runs cannot be made to be.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import pytest
from nats.errors import ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError
from structlog.testing import capture_logs

from tests.simulation.loop import SimLoop
from warmxfer.bus.connection import Connection
from warmxfer.bus.messages import ConsumerMessage
from warmxfer.bus.pull_consumer import (
    CHECK_EVERY_S,
    FLOOR_EVERY_S,
    FLUSH_S,
    MAX_RETURNS,
    SILENCE_S,
    PullConsumer,
)
from warmxfer.bus.pull_inbox import LATE_S, PULL_EXPIRES_S, PullInbox
from warmxfer.bus.pull_status import PAUSE_MAX_S, PAUSE_MIN_S
from warmxfer.bus.pull_watch import WATCH_EVERY_S
from warmxfer.bus.readiness import Readiness

WINDOW = 8
PULL = "$JS.API.CONSUMER.MSG.NEXT.WARMXFER_CORE.gateway"
HEARTBEAT = {"Status": "100", "Description": "Idle Heartbeat"}
LEADER_CHANGE = {"Status": "409", "Description": "Leadership Change"}


@dataclass
class FakeMsg:
    """A message of the nats client."""

    subject: str
    reply: str = ""
    data: bytes = b""
    headers: dict[str, str] | None = None


@dataclass
class FakeSubscription:
    client: FakeClient
    inbox: str

    async def unsubscribe(self) -> None:
        self.client.callbacks.pop(self.inbox, None)

    async def drain(self) -> None:
        self.client.drained.append(self.inbox)
        await self.client.while_draining()
        self.client.callbacks.pop(self.inbox, None)


@dataclass
class FakeClient:
    """Records what is published, and hands messages to the callback of an inbox."""

    callbacks: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    sent: list[tuple[float, str, bytes, str]] = field(default_factory=list)
    drained: list[str] = field(default_factory=list)
    inboxes: int = 0
    error: Exception | None = None
    ends_pulls_with_inbox: bool = True
    flushed: int = 0
    while_draining: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)

    def new_inbox(self) -> str:
        self.inboxes += 1
        return f"_INBOX.{self.inboxes}"

    async def subscribe_callback(self, subject: str, callback: Callable[[Any], None]) -> FakeSubscription:
        self.callbacks[subject] = callback
        return FakeSubscription(self, subject)

    async def flush(self) -> None:
        self.flushed += 1

    def send(self, subject: str, data: bytes, reply: str = "") -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((asyncio.get_running_loop().time(), subject, data, reply))


class FakeConnection:
    def __init__(self) -> None:
        self.client = FakeClient()
        self.connected = True
        self.readiness = Readiness()
        self.missing_reports = 0
        self.hooks: list[Callable[[], Awaitable[None]]] = []

    def on_reconnect(self, hook: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        self.hooks.append(hook)
        return lambda: self.hooks.remove(hook)


class FakeRecovery:
    """Creates the consumer, unless a test says why it cannot."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.ensured: list[float] = []
        self.floors: list[float] = []
        self.floor_problem: str | None = None

    async def ensure(self, consumer: str) -> str | None:
        assert consumer == "gateway"
        self.ensured.append(asyncio.get_running_loop().time())
        return self.problem

    async def remember_floor(self, consumer: str) -> str | None:
        assert consumer == "gateway"
        self.floors.append(asyncio.get_running_loop().time())
        return self.floor_problem

    def received(self, message: ConsumerMessage) -> None:
        assert message.consumer == "gateway"

    def is_refused(self, consumer: str) -> bool:
        return False


class Sink:
    """Keeps what arrives, as a worker does until it has handled it."""

    def __init__(self) -> None:
        self.held: list[ConsumerMessage] = []

    def accept(self, message: ConsumerMessage) -> None:
        self.held.append(message)

    @property
    def in_flight(self) -> int:
        return len(self.held)

    def holds(self, message: ConsumerMessage) -> bool:
        return message.seq in [each.seq for each in self.held]


class Flow:
    """A pull consumer that has started, and what the test does to it."""

    def __init__(self) -> None:
        self.connection = FakeConnection()
        self.client = self.connection.client
        self.sink = Sink()
        self.recovery = FakeRecovery()
        self.puller = self.new_puller(WINDOW)

    def new_puller(self, window: int) -> PullConsumer:
        connection = cast("Connection", self.connection)
        return PullConsumer(connection, self.recovery, "gateway", self.sink, window)

    @property
    def inbox(self) -> str:
        """The one inbox that is subscribed."""
        (inbox,) = self.client.callbacks
        return inbox

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def pulls(self) -> list[tuple[float, int, str]]:
        """Return the pull requests since the last call: when, for how many messages, to which inbox."""
        pulls = [
            (at, json.loads(data)["batch"], inbox)
            for at, subject, data, inbox in self.client.sent
            if subject == PULL
        ]
        self.client.sent.clear()
        return pulls

    async def receive(self, msg: FakeMsg) -> None:
        callback = self.client.callbacks.get(msg.subject) or self.client.callbacks[self.inbox]
        callback(msg)

    async def status(self, **headers: str) -> None:
        await self.receive(FakeMsg(self.inbox, headers=headers))

    async def message(self, seq: int = 1, headers: dict[str, str] | None = None) -> None:
        reply = f"$JS.ACK.WARMXFER.gateway.3.{seq}.9.1800000000123456789.0"
        await self.receive(FakeMsg("warmxfer.t.do.gateway", reply, b"{}", headers))

    async def finish(self, count: int) -> None:
        """Let the worker finish `count` messages."""
        for _ in range(count):
            self.sink.held.pop()
            self.puller.request_more()


def on_a_virtual_clock(test: Callable[[Flow], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run `test` with a flow that has started and made its first pull request."""

    def run() -> None:
        async def started() -> None:
            flow = Flow()
            await flow.puller.start()
            try:
                await asyncio.wait_for(test(flow), 3_600)
            finally:
                await flow.puller.stop()

        loop = SimLoop()
        try:
            loop.run_until_complete(started())
        finally:
            loop.abandon()
            loop.close()

    run.__name__, run.__doc__ = getattr(test, "__name__", "run"), test.__doc__
    return run


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
    assert flow.puller.why_deaf() == "the pull consumer does not run"
    assert flow.connection.readiness.failing() == []


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
