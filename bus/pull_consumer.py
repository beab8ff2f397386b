"""Message flow of one durable consumer. Pull requests overlap, so the next messages are already in transit.

It carries 2.5 times as many messages as fetching batch by batch. Invariant: messages in flight plus messages
requested never exceed the window. The number requested decreases with each message and when the broker ends
a pull. After a reconnect, a leader change or a silence the number is unreliable. Then the inbox is replaced,
and counting starts at zero. The old inbox stays until its pulls have ended (`pull_inbox.py`).

After `stop_asking` each message that arrives is given back at once. `stop` returns when no pull is open.

A consumer that vanished is created again (`recovery.py`), with a growing pause between attempts. What the
broker's answers to a pull mean is decided in `pull_status.py`.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec
import structlog
from nats.errors import ConnectionClosedError, ConnectionDrainingError, Error, OutboundBufferLimitError

from .connection import Connection
from .consumer_table import CONSUMERS, COORDINATOR
from .messages import NO_HEADERS, ConsumerMessage
from .nats_client import ArrivedMessage
from .pull_inbox import PULL_EXPIRES_S, PullInbox
from .pull_status import PAUSE_MIN_S, PullStep, next_pause, step_after
from .pull_watch import PullWatch

SILENCE_S = 2.5 * PULL_EXPIRES_S
"""Without any message or status for this long, the pull is considered lost."""
FLUSH_S = 2.0
"""Maximum time of a stop for what it has sent, after its pulls have ended."""
MAX_RETURNS = 2
"""How often a consumer that stops gives one message back at once. Then it does so when its pulls have ended.

Until then the broker may deliver the message to the same process again, and it counts each delivery.
"""
CHECK_EVERY_S = 1.0
"""Shortest time between two checks of the consumer that no failed pull has caused."""
FLOOR_EVERY_S = 3.0
"""How often the acknowledgement floor is read. A consumer that is created again starts after it.

The reading also finds a consumer missing whose pull the broker dropped without an answer. nats-server 2.15
does that if the consumer is deleted while the pull is in its queue.
"""
IDLE_FLOOR_EVERY_S = 30.0
"""How often the floor of a consumer of one partition is read while it delivers nothing.

Only this process acknowledges its messages, so nothing else moves the floor. Silence also shows that such a
consumer is missing.
"""

_NS = 1_000_000_000
_US = 1_000_000
_ACK, _NAK, _TERM, _PROGRESS = b"+ACK", b"-NAK", b"+TERM", b"+WPI"

log = structlog.get_logger(__name__)


class Recovery(Protocol):
    """Creates the consumer again: `StreamRecovery`."""

    async def ensure(self, consumer: str) -> str | None:
        """Create the consumer if it is missing. Returns None, or why it still is missing. Never raises."""
        ...

    async def remember_floor(self, consumer: str) -> str | None:
        """Read the acknowledgement floor. Returns why the consumer is missing, or None. Never raises."""
        ...

    def received(self, message: ConsumerMessage) -> None:
        """Remember where a message is stored that the consumer delivered."""
        ...

    def is_refused(self, consumer: str) -> bool:
        """Return whether its stream is refused, which each reading of the floor checks again."""
        ...


class MessageSink(Protocol):
    """Receiver of the messages: the worker."""

    def accept(self, message: ConsumerMessage) -> None:
        """Take one message. It counts as in flight until it is acknowledged, rejected or terminated."""
        ...

    @property
    def in_flight(self) -> int:
        """Number of messages in flight."""
        ...

    def holds(self, message: ConsumerMessage) -> bool:
        """Return whether `message` is another delivery of a message that is in flight."""
        ...


class PullConsumer:
    """Flow-controlled pull from one durable consumer, between `start` and `stop`."""

    def __init__(
        self,
        connection: Connection,
        recovery: Recovery,
        consumer: str,
        sink: MessageSink,
        window: int,
        watch: PullWatch | None = None,
    ) -> None:
        self._connection = connection
        self._recovery = recovery
        role, stream, _ = CONSUMERS[consumer]
        self._exclusive = role == COORDINATOR
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._consumer = consumer
        self._sink = sink
        self._window = window
        self._refill = max(1, window // 4)
        self._inbox: PullInbox | None = None
        self._old_inboxes: list[PullInbox] = []
        """Those whose pulls may still bring messages."""
        self._pull_ended = asyncio.Event()
        self._returns: Counter[int] = Counter()
        """How often each message was given back, by its number, since the consumer stops."""
        self._to_return: list[ConsumerMessage] = []
        self._last_seen_at = 0.0
        self._unanswered_since: float | None = None
        """Since when an answer to a pull is awaited; None if none is."""
        self._missing: str | None = None
        """Why the consumer could not be created again, as of the last attempt."""
        self._resume_at: float | None = None
        """When the pulls start again; None while they are in order."""
        self._ensure_first = False
        self._check_at: float | None = None
        self._floor_at = 0.0
        self._floor_moves = True
        """Whether something was delivered or acknowledged since the floor was read."""
        self._seen_reports = 0
        self._pause_s = PAUSE_MIN_S
        self._pulling = False
        self._loop: asyncio.AbstractEventLoop
        self._watch = watch or PullWatch(connection)
        self._unwatch: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._undo: list[Callable[[], None]] = []

    @property
    def pulling(self) -> bool:
        """True from `start` to `stop_asking`."""
        return self._pulling

    @property
    def idle_s(self) -> float:
        """Seconds since the last sign of the broker on this consumer, for liveness probes."""
        return asyncio.get_running_loop().time() - self._last_seen_at

    def why_not_receiving(self) -> str | None:
        """Return why no message can arrive, or None. A full window is no such reason."""
        if self._missing is not None:
            return self._missing
        if self._unwatch is None or not self._watch.running:
            return "the pull consumer does not run"
        if self._unanswered_since is None:
            return None
        silent_s = asyncio.get_running_loop().time() - self._unanswered_since
        return f"no answer to a pull for {silent_s:.0f} s" if silent_s > SILENCE_S else None

    async def start(self) -> None:
        """Begin to pull."""
        self._return_rest()
        self._pulling = True
        self._missing, self._unanswered_since = None, None
        self._seen_reports = self._connection.missing_reports
        self._undo = [
            self._connection.on_reconnect(self._on_reconnect),
            self._connection.readiness.add(f"consumer {self._consumer}", self.why_not_receiving),
        ]
        self._loop = asyncio.get_running_loop()
        await self._restart()
        self._unwatch = self._watch.add(self)

    def stop_asking(self) -> None:
        """Request nothing more. From now on each message that arrives is given back at once."""
        self._pulling = False

    async def stop(self) -> None:
        """Request nothing more, and wait until no pull is open: at most `PULL_EXPIRES_S + LATE_S`.

        The broker has received what was sent when this returns. After a cancellation, call it again.
        """
        self.stop_asking()
        while self._undo:
            self._undo.pop()()
        if self._unwatch is not None:
            unwatch, self._unwatch = self._unwatch, None
            await unwatch()
        if self._inbox is not None:
            self._old_inboxes.append(self._inbox)
            self._inbox = None
        if self._old_inboxes:
            await self._end_pulls()

    def give_back(self, message: ConsumerMessage) -> None:
        """Give a message back while this consumer stops, so that another process gets it."""
        self._returns[message.seq] += 1
        if self._returns[message.seq] > MAX_RETURNS:
            self._to_return.append(message)
        else:
            self._send(message.ack_subject, _NAK)

    def _return_rest(self) -> None:
        for message in self._to_return:
            self._send(message.ack_subject, _NAK)
        self._to_return.clear()
        self._returns.clear()

    def _left_s(self, now: float) -> float:
        return max((inbox.left_s(now) for inbox in self._old_inboxes), default=0.0)

    async def _end_pulls(self) -> None:
        """Wait until no pull is open, then end the subscriptions, so that every message was given back."""
        clock = asyncio.get_running_loop().time
        if not self._connection.client.ends_pulls_with_inbox:
            while (left_s := self._left_s(clock())) > 0:
                self._pull_ended.clear()
                try:
                    async with asyncio.timeout(left_s):
                        await self._pull_ended.wait()
                except TimeoutError:
                    log.debug("pull_end_not_received", consumer=self._consumer)
        inboxes, self._old_inboxes = self._old_inboxes, []
        try:
            async with asyncio.timeout(FLUSH_S):
                self._return_rest()
                for inbox in inboxes:
                    await inbox.drain()
                if self._to_return:
                    self._return_rest()
                    await self._connection.client.flush()
        except (TimeoutError, OSError, Error):
            log.debug("pull_drain_failed", consumer=self._consumer)

    def request_more(self, *, even_few: bool = False) -> None:
        """Request as many messages as the window allows, unless they are too few for a request.

        `even_few`: request them if no other request is open. The jobs of a briefing worker last for minutes,
        so that its last places would otherwise stay free, and the coordinators count on them.
        """
        inbox = self._inbox
        if inbox is None:
            return
        unrequested = self._window - inbox.requested
        if unrequested < self._refill and not even_few:
            return  # The usual case. It needs no count of the messages in flight.
        if not self._pulling or self._resume_at is not None or not self._connection.connected:
            return
        free = unrequested - self._sink.in_flight
        if free < (1 if even_few and inbox.requested == 0 else self._refill):
            return
        now = self._loop.time()
        if inbox.requested == 0:
            self._last_seen_at = now
            if self._unanswered_since is None:
                self._unanswered_since = now
        inbox.pulled(free, now)
        pull = {"batch": free, "expires": round(PULL_EXPIRES_S * _NS)}
        self._send(self._subject, msgspec.json.encode(pull), inbox.subject)

    async def ack(self, message: ConsumerMessage) -> None:
        """Acknowledge: never redeliver.

        If this is lost the message comes again, so handlers are idempotent.
        """
        self._floor_moves = True
        self._send(message.ack_subject, _ACK)

    async def nak(self, message: ConsumerMessage, delay_s: float = 0.0) -> None:
        """Reject: redeliver after `delay_s`."""
        data = _NAK if delay_s <= 0 else b'%s {"delay": %d}' % (_NAK, int(delay_s * _NS))
        self._send(message.ack_subject, data)

    async def progress(self, message: ConsumerMessage) -> None:
        """Report progress: restart the message's `ack_wait`."""
        self._send(message.ack_subject, _PROGRESS)

    async def term(self, message: ConsumerMessage) -> None:
        """Terminate: never redeliver, because the message was dead-lettered."""
        self._floor_moves = True
        self._send(message.ack_subject, _TERM)

    def _on_message(self, inbox: PullInbox, msg: ArrivedMessage) -> None:
        self._last_seen_at = self._loop.time()
        # A stored message may carry any header, also "Status". Only a message has an ack subject as reply.
        if msg.reply.startswith("$JS.ACK."):
            inbox.delivered()
            self._heard()
            self._floor_moves = True
            message = _consumer_message(msg, self._consumer)
            self._recovery.received(message)
            if self._pulling or self._sink.holds(message):
                self._sink.accept(message)
            else:
                self.give_back(message)
        elif msg.subject == inbox.subject:
            headers = msg.headers or {}
            if inbox is not self._inbox:
                if step_after(headers.get("Status", ""), "") is not PullStep.CONTINUE:
                    inbox.ended(headers)
            else:
                self._on_status(inbox, headers)
        if not self._pulling:
            self._pull_ended.set()
        self.request_more()

    def _heard(self) -> None:
        """The consumer is live: it delivered, sent a heartbeat, or let a pull expire."""
        self._missing = None
        self._pause_s = PAUSE_MIN_S
        self._unanswered_since = self._last_seen_at if self._requested else None

    def _on_status(self, inbox: PullInbox, headers: dict[str, str]) -> None:
        """Handle a status of a pull."""
        status, text = headers.get("Status", ""), headers.get("Description", "")
        match step_after(status, text):
            case PullStep.CONTINUE:
                self._heard()
            case PullStep.PULL:
                inbox.ended(headers)
                self._heard()
            case step:
                log.warning(
                    "pull_ended", consumer=self._consumer, status=status, text=text.partition("\n")[0]
                )
                self._plan_restart(ensure_first=step is PullStep.ENSURE)

    def _plan_restart(self, *, ensure_first: bool) -> None:
        """Start again after a pause. Several pulls that end together count as one failure."""
        self._ensure_first = self._ensure_first or ensure_first
        if self._resume_at is None:
            self._resume_at = asyncio.get_running_loop().time() + self._pause_s * random.uniform(0.5, 1.0)
            self._pause_s = next_pause(self._pause_s)

    def is_due(self, now: float) -> bool:
        """Return whether `look` has anything to do."""
        if any(not inbox.left_s(now) for inbox in self._old_inboxes):
            return True
        if self._resume_at is not None:
            return now >= self._resume_at
        return (
            (self._requested > 0 and now - self._last_seen_at > SILENCE_S)
            or (self._check_at is not None and now >= self._check_at)
            or self._connection.missing_reports != self._seen_reports
            or self._free >= (self._refill if self._requested else 1)
            or self._is_floor_due(now)
        )

    @property
    def _requested(self) -> int:
        """Number of messages that the pulls of the newest inbox may bring."""
        return 0 if self._inbox is None else self._inbox.requested

    @property
    def _free(self) -> int:
        """Number of messages that may be requested now."""
        return self._window - self._sink.in_flight - self._requested

    def _is_floor_due(self, now: float) -> bool:
        idle = self._exclusive and not self._floor_moves and not self._recovery.is_refused(self._consumer)
        return now - self._floor_at >= (IDLE_FLOOR_EVERY_S if idle else FLOOR_EVERY_S)

    async def look(self) -> None:
        """Do what is due. Never raises."""
        try:
            await self._look()
        except Error as error:
            # The connection is closing, or its buffer is full. The next look repeats what failed.
            log.warning("pull_watch_failed", consumer=self._consumer, error=str(error))

    async def _look(self) -> None:
        """Start again, check the consumer, notice silence, request more, or read the floor."""
        now = asyncio.get_running_loop().time()
        for inbox in [each for each in self._old_inboxes if not each.left_s(now)]:
            self._old_inboxes.remove(inbox)
            await inbox.close()
        if self._resume_at is not None:
            if now >= self._resume_at:
                await self._resume()
        elif self._requested and now - self._last_seen_at > SILENCE_S:
            log.warning("pull_timed_out", consumer=self._consumer, silent_s=round(self.idle_s, 1))
            self._schedule_check(now)
            await self._restart()
        elif self._check_at is not None and now >= self._check_at:
            self._check_at = None
            await self._ensure()
        else:
            if self._connection.missing_reports != self._seen_reports:
                self._schedule_check(now + CHECK_EVERY_S)
            self.request_more(even_few=True)
            if self._is_floor_due(now):
                self._floor_at, self._floor_moves = now, False
                if (problem := await self._recovery.remember_floor(self._consumer)) is not None:
                    self._await_consumer(problem)

    def _schedule_check(self, at: float) -> None:
        self._seen_reports = self._connection.missing_reports
        if self._check_at is None:
            self._check_at = at

    async def _resume(self) -> None:
        """Create the consumer if that may be necessary, then pull again."""
        if self._ensure_first and not await self._ensure():
            return
        self._ensure_first = False
        await self._restart()

    async def _ensure(self) -> bool:
        """Return whether the consumer exists now. Otherwise another attempt is planned."""
        problem = await self._recovery.ensure(self._consumer)
        if problem is None:
            return True
        self._await_consumer(problem)
        return False

    def _await_consumer(self, problem: str) -> None:
        """Plan an attempt to create the consumer, which is missing because of `problem`."""
        self._missing, self._resume_at = problem, None
        self._plan_restart(ensure_first=True)

    async def _on_reconnect(self) -> None:
        # The broker may have another history now: check the consumer, and pull at once meanwhile.
        self._schedule_check(asyncio.get_running_loop().time())
        await self._restart()

    async def _restart(self) -> None:
        """Replace the inbox, and count from zero. The old one stays until its pulls have ended."""
        if not self._pulling:
            return
        old, self._inbox = self._inbox, None
        if old is not None:
            if self._connection.client.ends_pulls_with_inbox:
                await old.close()
            else:
                self._old_inboxes.append(old)
        inbox = PullInbox(self._connection.client.new_inbox())
        inbox.subscription = await self._connection.client.subscribe_callback(
            inbox.subject, functools.partial(self._on_message, inbox)
        )
        if not self._pulling or self._inbox is not None:
            await inbox.close()  # The consumer was stopped or started again meanwhile.
            return
        self._inbox, self._resume_at = inbox, None
        self.request_more()

    def _send(self, subject: str, data: bytes, reply: str = "") -> None:
        try:
            self._connection.client.send(subject, data, reply)
        except (ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError) as error:
            # A lost acknowledgement causes a redelivery. The watcher repeats a lost pull request.
            log.warning("consumer_send_failed", consumer=self._consumer, error=str(error))


def _consumer_message(msg: ArrivedMessage, consumer: str) -> ConsumerMessage:
    # $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<tries>.<seq>.<consumer seq>.<time>.<pending>[.<token>]
    tokens = msg.reply.split(".")
    at = 7 if len(tokens) == 9 else 9
    return ConsumerMessage(
        msg.subject,
        msg.data,
        msg.headers or NO_HEADERS,
        int(tokens[at - 2]),
        int(tokens[at]) // 1000 / _US,
        int(tokens[at - 3]),
        msg.reply,
        consumer,
    )
