"""Messages that a worker cannot read: found on arrival, and handled beside the jobs at a limited rate.

A flood of such messages must not delay the others, so it takes no job and no place in the window:

- Within a budget each is handled one at a time, as any message: a dead letter, or the reply to its author.
- Beyond it a message is removed at once. Once a second one dead letter and one log line say how many, and
  why the last one was unreadable.

Invariant: a message within the budget is removed only after its dead letter is stored. A message beyond it is
only counted; a crash loses the count of up to a second. Test: `tests/bus/test_unreadable.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import structlog

from .budget import Budget
from .dead_letters import describe_error, summary
from .errors import NewerVersionNeeded
from .messages import ConsumerMessage, Delivery, Outgoing

BURST = 50
PER_S = 5.0
"""Dead letters, and replies to authors, that one worker writes for unreadable messages."""
NEWER_BURST = 100
NEWER_PER_S = 20.0
"""Messages of an unknown type may be those of a newer version, which needs them. They are given back."""
MAX_QUEUED = 1_000
REPORT_EVERY_S = 1.0
LOG_BURST = 5
LOG_PER_S = 1.0
"""Log lines about the dead letters of unreadable messages."""

log = structlog.get_logger(__name__)


class Item(Protocol):
    """A message of the worker."""

    message: ConsumerMessage
    delivery: Delivery


class UnreadableMessages:
    """The unreadable messages of one worker.

    `handle` handles one within the budget; `remove` removes one beyond it; `publish` stores the summary.
    """

    def __init__(
        self,
        consumer: str,
        handle: Callable[[Item], Awaitable[None]],
        remove: Callable[[ConsumerMessage], Awaitable[None]],
        publish: Callable[[Outgoing], Awaitable[object]],
    ) -> None:
        self._consumer = consumer
        self._handle = handle
        self._remove = remove
        self._publish = publish
        self._budget = Budget(BURST, PER_S)
        self._newer_budget = Budget(NEWER_BURST, NEWER_PER_S)
        self._log_budget = Budget(LOG_BURST, LOG_PER_S)
        self._queued: deque[Item] = deque()
        self._surplus: deque[ConsumerMessage] = deque()
        self._dropped = 0
        self._last: tuple[Delivery, str] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopped = False

    @property
    def queued(self) -> int:
        """Messages within the budget that wait or are being handled. They take no place in the window."""
        return len(self._queued)

    @property
    def surplus(self) -> int:
        """Messages beyond the budget that are not removed yet. They do take a place in the window."""
        return len(self._surplus)

    def admit(self, item: Item, error: Exception) -> bool:
        """Queue `item` if the budget allows it. Otherwise count it, to be removed, and return False."""
        if len(self._queued) < MAX_QUEUED and self._allows(item, error):
            self._queued.append(item)
            self._start("handle", self._handle_queued)
            return True
        self._count(item, error)
        return False

    def allows_dead_letter(self, item: Item, error: Exception) -> bool:
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
        await self._report_once()

    def _count(self, item: Item, error: Exception) -> None:
        self._dropped += 1
        self._last = (item.delivery, describe_error(error))
        self._surplus.append(item.message)
        self._start("remove", self._remove_surplus)
        self._start("report", self._report)

    def _allows(self, item: Item, error: Exception) -> bool:
        now = asyncio.get_running_loop().time()
        if isinstance(error, NewerVersionNeeded):
            # It was given back before, within the budget.
            return item.delivery.delivery_count > 1 or self._newer_budget.take(now)
        return self._budget.take(now)

    def _start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._tasks.get(name)
        if not self._stopped and (task is None or task.done()):
            self._tasks[name] = asyncio.create_task(work(), name=f"unreadable {self._consumer} {name}")

    async def _handle_queued(self) -> None:
        while self._queued:
            await self._handle(self._queued[0])
            self._queued.popleft()

    async def _remove_surplus(self) -> None:
        while self._surplus:
            await self._remove(self._surplus.popleft())

    async def _report(self) -> None:
        while self._dropped:
            await asyncio.sleep(REPORT_EVERY_S)
            await self._report_once()

    async def _report_once(self) -> None:
        """Publish and log what was removed since the last report. If that fails, the next report has it."""
        if self._last is None or not self._dropped:
            return
        dropped, (delivery, cause) = self._dropped, self._last
        log.error(
            "unreadable_messages_dropped",
            consumer=self._consumer,
            count=dropped,
            last_seq=delivery.seq,
            last_cause=cause,
        )
        try:
            await self._publish(summary(delivery, cause, self._consumer, dropped))
        except Exception as error:
            log.error(
                "dead_letter_failed", consumer=self._consumer, count=dropped, cause=describe_error(error)
            )
            return
        self._dropped -= dropped
