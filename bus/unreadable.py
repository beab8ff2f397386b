"""Messages that a worker cannot read: found on arrival, and handled beside the jobs at a limited rate.

A flood of such messages must not delay the others, so it takes no job and no place in the window:

- Within a budget each is handled one at a time, as any message: a dead letter, or the reply to its author.
- Beyond it a message is removed at once. Once a second one dead letter and one log line say how many, and
  why the last one was unreadable.

A message of an unknown type may be one of a newer version, so a worker of that version must get it:

- It is given back at each delivery before its last one. Only beyond `MAX_RETURNED` at once it is removed.
- At its last delivery it is handled within a budget: a dead letter, or the reply to its author.
- If it is of kind `timeout`, it has no limit but its last delivery. Its transfer has no other timer.

Invariants (`tests/bus/test_unreadable.py`):

- A message within the budget is removed only after its dead letter is stored. A message beyond it is only
  counted; a crash loses the count of up to a second.
- A message of an unknown type is delivered as often as any that needs a newer version (`NEWER_TRIES`).
  One worker gives back at most `MAX_RETURNED` of them, without timeouts, in a pause of a redelivery.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from .budget import Budget
from .bus import Bus
from .dead_letters import describe_error, summary
from .errors import NewerVersionNeeded
from .in_flight import InFlight
from .messages import ConsumerMessage, Delivery
from .newer_retries import NewerRetries
from .pull_consumer import PullConsumer

BURST = 50
PER_S = 5.0
"""Dead letters, and replies to authors, that one worker writes for unreadable messages."""
NEWER_BURST = 100
NEWER_PER_S = 20.0
"""Messages of an unknown type that one worker handles: to give one back with a log line, or to end it."""
MAX_RETURNED = 2_000
"""Messages of an unknown type that wait at the broker because this worker gave them back.

The broker delivers nothing new while 10,000 messages of a consumer wait (`stream.MAX_ACK_PENDING`). Five
workers with that many delay no other message.
"""
TIMEOUT = "timeout"
MAX_QUEUED = 1_000
REPORT_EVERY_S = 1.0
LOG_BURST = 5
LOG_PER_S = 1.0
"""Log lines about the dead letters of unreadable messages."""

log = structlog.get_logger(__name__)


class UnreadableMessages:
    """The unreadable messages of one worker. `handle` handles one within the budget."""

    def __init__(
        self,
        bus: Bus,
        name: str,
        puller_of: Callable[[ConsumerMessage], PullConsumer],
        newer: NewerRetries,
        handle: Callable[[InFlight], Awaitable[None]],
    ) -> None:
        self._bus = bus
        self._name = name
        self._puller_of = puller_of
        self._newer = newer
        self._handle = handle
        self._budget = Budget(BURST, PER_S)
        self._newer_budget = Budget(NEWER_BURST, NEWER_PER_S)
        self._log_budget = Budget(LOG_BURST, LOG_PER_S)
        self._queued: deque[InFlight] = deque()
        self._surplus: deque[ConsumerMessage] = deque()
        self._to_return: deque[ConsumerMessage] = deque()
        self._surplus_of: Counter[str] = Counter()
        self._returned: deque[float] = deque()
        """When each message that was given back is delivered again, by the loop's clock."""
        self._returned_unlogged = 0
        self._dropped = 0
        self._last: tuple[Delivery, str] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopped = False

    def surplus_of(self, consumer: str) -> int:
        """Return how many messages of `consumer` wait to be removed or given back. They take places in its
        window; those within the budget take none.
        """
        return self._surplus_of.get(consumer, 0)

    def admit(self, item: InFlight, error: Exception) -> bool:
        """Queue `item` if the budget allows it. Otherwise plan to give it back or remove it; return False."""
        newer = isinstance(error, NewerVersionNeeded)
        if newer and item.delivery.kind == TIMEOUT:
            allowed = True
        else:
            allowed = len(self._queued) < MAX_QUEUED and self._budget_of(item, newer=newer)
        if allowed:
            self._queued.append(item)
            self._start("handle", self._handle_queued)
        elif newer and self._may_return(item.delivery):
            self._return(item)
        else:
            self._count(item, error)
        return allowed

    def allows_dead_letter(self, item: InFlight, error: Exception) -> bool:
        """Return whether an unwanted message gets a dead letter. Otherwise it is counted, to be removed."""
        if self._budget.take(asyncio.get_running_loop().time()):
            return True
        self._count(item, error)
        return False

    def may_log(self) -> bool:
        """Return whether the dead letter of an unreadable message gets a log line of its own."""
        return self._log_budget.take(asyncio.get_running_loop().time())

    async def stop(self) -> None:
        """Handle no more messages; remove those beyond the budget, and report them."""
        self._stopped = True
        running = [task for task in self._tasks.values() if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        self._queued.clear()
        await self._remove_surplus()
        await self._return_all()
        await self._report_once()

    def _count(self, item: InFlight, error: Exception) -> None:
        self._dropped += 1
        self._last = (item.delivery, describe_error(error))
        self._surplus.append(item.message)
        self._surplus_of[item.message.consumer] += 1
        self._start("remove", self._remove_surplus)
        self._start("report", self._report)

    def _budget_of(self, item: InFlight, *, newer: bool) -> bool:
        now = asyncio.get_running_loop().time()
        if not newer:
            return self._budget.take(now)
        # A repeat before the last one needs no handler, because it is only given back again.
        handled = item.delivery.delivery_count == 1 or self._newer.is_last(item.delivery.delivery_count)
        return handled and self._newer_budget.take(now)

    def _may_return(self, delivery: Delivery) -> bool:
        """Return whether a message is given back. A repeat takes the place that it had."""
        if self._newer.is_last(delivery.delivery_count):
            return False
        return delivery.delivery_count > 1 or self._waiting() < MAX_RETURNED

    def _waiting(self) -> int:
        """Return how many messages that this worker gave back are not delivered again yet."""
        now = asyncio.get_running_loop().time()
        while self._returned and self._returned[0] <= now:
            self._returned.popleft()
        return len(self._returned) + len(self._to_return)

    def _return(self, item: InFlight) -> None:
        if item.delivery.delivery_count == 1:
            self._returned_unlogged += 1
            self._start("report", self._report)
        self._to_return.append(item.message)
        self._surplus_of[item.message.consumer] += 1
        self._start("return", self._return_all)

    def _start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._tasks.get(name)
        if not self._stopped and (task is None or task.done()):
            self._tasks[name] = asyncio.create_task(work(), name=f"unreadable {self._name} {name}")

    async def _handle_queued(self) -> None:
        while self._queued:
            await self._handle(self._queued[0])
            self._queued.popleft()

    async def _remove_surplus(self) -> None:
        while self._surplus:
            message = self._surplus.popleft()
            self._surplus_of[message.consumer] -= 1
            puller = self._puller_of(message)
            await puller.term(message)
            puller.request_more()

    async def _return_all(self) -> None:
        """Give back what is planned. If more than `NEWER_BURST` wait, each pause is the longest."""
        while self._to_return:
            crowded = self._waiting() > NEWER_BURST
            message = self._to_return.popleft()
            self._surplus_of[message.consumer] -= 1
            puller = self._puller_of(message)
            pause_s = self._newer.pause_s(message.delivery_count, longest=crowded)
            await puller.nak(message, pause_s)
            puller.request_more()
            self._returned.append(asyncio.get_running_loop().time() + pause_s)

    async def _report(self) -> None:
        while self._dropped or self._returned_unlogged:
            await asyncio.sleep(REPORT_EVERY_S)
            await self._report_once()

    async def _report_once(self) -> None:
        """Log what was given back, publish and log what was removed, since the last report.

        If the dead letter cannot be published, the next report has it.
        """
        if self._returned_unlogged:
            log.warning("messages_left_to_newer_version", consumer=self._name, count=self._returned_unlogged)
            self._returned_unlogged = 0
        if self._last is None or not self._dropped:
            return
        dropped, (delivery, cause) = self._dropped, self._last
        log.error(
            "unreadable_messages_dropped",
            consumer=self._name,
            count=dropped,
            last_seq=delivery.seq,
            last_cause=cause,
        )
        outgoing = summary(delivery, cause, dropped)
        try:
            await self._bus.publish(outgoing.subject, outgoing.data, msg_id=outgoing.msg_id)
        except Exception as error:
            log.error("dead_letter_failed", consumer=self._name, count=dropped, cause=describe_error(error))
            return
        self._dropped -= dropped
