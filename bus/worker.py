"""A worker: takes messages from durable consumers and handles at most `jobs` at a time.

How a handler ends decides what happens to its message:

    returns                      acknowledged
    raises RetryableError        redelivered after a growing delay, at least `after_s`; dead-lettered after
                                 `HANDLER_ACK_WAITS` times `max_deliver` deliveries
    raises NewerVersionNeeded    redelivered after short pauses, so that a newer worker soon gets it;
                                 dead-lettered after `NEWER_TRIES` deliveries (`newer_retries.py`)
    raises another error         redelivered after a growing delay; dead-lettered after `max_deliver`
                                 deliveries
    raises DeadLetter            dead-lettered at once: retrying cannot help
    kills its process, or hangs  redelivered after `ack_wait`; dead-lettered after `HANDLER_ACK_WAITS` times
                                 `max_deliver` deliveries

To dead-letter a message, the worker publishes the cause on `warmxfer.<id>.dead`, never the payload. Then it
calls `on_dead_letter`. Then it removes the message, so that it delays no other. A message whose subject
carries no allowed id is dead-lettered at once, and `on_invalid_subject` is called instead.

While a message is queued in this process, or is handled with `progress`, or waits without its job, the worker
reports progress to the broker. If the process dies, another worker gets the message.

`check` finds the messages that no handler can read, when they arrive. The worker handles these beside its
jobs, at a limited rate (`unreadable.py`).

With traces, each delivery of a message that names a trace is a span (`delivery_span.py`). With `makes_spans`
False the handler makes its own.

A handler that only waits gives its job back meanwhile (`job_slot.py`).

With `keyed`, messages of one transfer are handled one at a time, in the order in which they arrive, whichever
of its consumers delivers them. A message that is redelivered later does not delay the ones behind it. Those
that `after_others` names begin behind those of other transfers.

With `together`, its handler gets a message with those of the same transfer that wait behind it. It says how
many it has handled. These are acknowledged after it, and the others are handled later. If it raises, it has
handled none, and the first message is treated as above.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import structlog

from warmxfer import tracing

from .bus import Bus
from .consumer_table import consumers_of
from .dead_letters import describe_error
from .delivery_span import delivery_span
from .errors import DeadLetter, InvalidRequest
from .failed_messages import FailedMessages, OnDeadLetter
from .in_flight import Identity, InFlight, identity
from .job_slot import MAX_GIVEN_BACK, JobSlot
from .keyed_queue import KeyedQueue
from .messages import ConsumerMessage, Delivery
from .newer_retries import NewerRetries
from .unreadable import UnreadableMessages
from .worker_consumers import WorkerConsumers
from .worker_metrics import HANDLING, IN_FLIGHT, QUEUE_AGE, REDELIVERIES, Result, count_result

MAX_JOBS = 1_024
MAX_WINDOW = 2_048
"""Widest window of keyed work. One with more jobs than that has a message for each of them."""
KEYED_WINDOW_PER_JOB = 4
SHARED_WINDOW = 64
"""Window of one of many consumers. Large enough that a pull request is rare beside the messages."""
HANDLER_ACK_WAITS = 4
"""Factor on `max_deliver` for RetryableError and for deaths of the worker's process."""

DRAIN_S = 10.0

Handle = Callable[[Delivery], Awaitable[None]]
Check = Callable[[Delivery], Exception | None]
"""Returns why no handler can read a message, or None. Called for every message on arrival: keep it fast."""
log = structlog.get_logger(__name__)


class Together(NamedTuple):
    """Handles messages of one transfer together: at least the first one, and at most `limit`."""

    handle: Callable[[Sequence[Delivery]], Awaitable[int]]
    """Returns how many it has handled, from the first one on."""
    limit: int


class Worker:
    """A worker that handles messages until its context is left.

        async with Worker(bus, "gateway", handler, jobs=8): ...

    It takes from the consumers of the role `name`, or from `consumers`. `take_from` changes them later. It
    calls `on_in_flight_change` when `in_flight` has changed; not for unreadable messages beyond their budget.
    """

    def __init__(
        self,
        bus: Bus,
        name: str,
        handler: Handle,
        *,
        jobs: int,
        consumers: Collection[str] | None = None,
        keyed: bool = False,
        together: Together | None = None,
        progress: bool = False,
        after_others: Callable[[Delivery], bool] = lambda _: False,
        check: Check = lambda _: None,
        on_dead_letter: OnDeadLetter | None = None,
        on_invalid_subject: OnDeadLetter | None = None,
        on_in_flight_change: Callable[[], None] = lambda: None,
        drain_s: float = DRAIN_S,
        makes_spans: bool = True,
    ) -> None:
        if not 1 <= jobs <= MAX_JOBS:
            raise InvalidRequest(f"jobs is {jobs}; give 1 to {MAX_JOBS}", field="jobs")
        self._bus = bus
        self._name = name
        self._handler = handler
        self._jobs = jobs
        self._keyed = keyed
        self._together = together if keyed else None
        self._progress = progress
        self._after_others = after_others
        self._check = check
        self._on_in_flight_change = on_in_flight_change
        self._max_starts = bus.settings.max_deliver * HANDLER_ACK_WAITS
        self._ack_wait_s = bus.settings.ack_wait_s
        self._drain_s = drain_s
        self._makes_spans = makes_spans
        # Messages of one key wait for each other: a wider window keeps the other jobs busy. A worker with
        # long jobs takes no more than it can start, so that idle workers in other processes get the rest.
        window = max(jobs, min(jobs * KEYED_WINDOW_PER_JOB, MAX_WINDOW)) if keyed and not progress else jobs
        wanted = consumers_of(name) if consumers is None else tuple(consumers)
        window = window if wanted == (name,) else min(window, SHARED_WINDOW)
        self._consumers = WorkerConsumers(
            wanted,
            lambda consumer: bus.pull(consumer, _Sink(self, consumer), window),
            return_queued=self._return_queued,
            on_open=bus.endpoints.of_consumer,  # shown from the start, before its first message
        )
        self._in_window: Counter[str] = Counter()
        """Messages in flight of each consumer that count in its window."""
        self._loop = asyncio.get_running_loop()
        self._in_flight: dict[Identity, InFlight] = {}
        self._queue: KeyedQueue[InFlight] = KeyedQueue()
        self._runners: dict[int, asyncio.Task[None]] = {}
        """By their numbers. A callback of each task would cost a turn of the loop."""
        self._runner_numbers = itertools.count()
        self._runner_count = 0
        self._given_back = 0
        self._progress_reporter: asyncio.Task[None] | None = None
        self._clock = bus.clock
        self._forget_gauge: Callable[[], None] | None = None
        newer = NewerRetries(self._max_starts)
        self._unreadable = UnreadableMessages(bus, name, self._consumers.of, newer, self._process_unreadable)
        self._failed = FailedMessages(
            bus,
            name,
            self._consumers.of,
            newer,
            self._unreadable,
            max_starts=self._max_starts,
            on_dead_letter=on_dead_letter,
            on_invalid_subject=on_invalid_subject,
        )

    @property
    def in_flight(self) -> int:
        """Number of messages queued or being handled, without unreadable ones within their budget."""
        return sum(self.in_flight_of(consumer) for consumer in self._consumers.names)

    def in_flight_of(self, consumer: str) -> int:
        """Number of messages of `consumer` that count in its window."""
        return self._in_window.get(consumer, 0) + self._unreadable.surplus_of(consumer)

    async def start(self) -> None:
        """Begin to take messages."""
        if self._forget_gauge is None:
            self._forget_gauge = IN_FLIGHT.read_from(lambda: {(self._name,): self.in_flight})
        await self._consumers.open()

    async def take_from(self, consumers: Collection[str]) -> None:
        """Take messages from these consumers, and from no other (`WorkerConsumers.take_from`)."""
        await self._consumers.take_from(consumers)

    def _return_queued(self, consumer: str) -> None:
        """Give back the messages of `consumer` that have not begun."""
        for item in list(self._in_flight.values()):
            if item.message.consumer == consumer and not item.running:
                item.returned = True
                self._remove(item)
                self._consumers.of(item.message).give_back(item.message)

    async def stop(self, drain_s: float | None = None) -> None:
        """Take no more messages, let running handlers end within `drain_s`, and return the rest at once.

        It takes as long as the pulls that are open (`PullConsumer.stop`), also if no handler runs.
        """
        self._queue.close()
        if self._forget_gauge is not None:
            self._forget_gauge()
            self._forget_gauge = None
        self._consumers.stop_asking()
        closing = asyncio.ensure_future(self._consumers.close())
        try:
            await self._unreadable.stop()
            await self._end_runners(self._drain_s if drain_s is None else drain_s)
        finally:
            await closing
        if self._progress_reporter is not None:
            self._progress_reporter.cancel()
            await asyncio.wait({self._progress_reporter})
            self._progress_reporter = None

    async def _end_runners(self, timeout_s: float) -> None:
        """Let the running handlers end, and cancel those that take longer than `timeout_s`."""
        if not self._runners:
            return
        _, late = await asyncio.wait(self._runners.values(), timeout=timeout_s)
        for runner in late:
            runner.cancel()
        if late:
            log.warning("handlers_cancelled", consumer=self._name, count=len(late))
            await asyncio.wait(late, timeout=1.0)

    async def __aenter__(self) -> Worker:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def accept(self, message: ConsumerMessage) -> None:
        """Take one message. The pull consumer calls this in the order in which messages arrive."""
        self._clock.observe(message.at)
        if message.delivery_count > 1:
            REDELIVERIES.count(self._name)
        key = identity(message)
        known = self._in_flight.get(key)
        if known is not None:
            # Redelivered while in flight (lost acknowledgement, broker restart): acknowledge the new one.
            known.message = message
            return
        item = InFlight(message, key)
        unreadable = self._why_unreadable(item)
        if unreadable is not None:
            item.unreadable = item.outside_window = True
            if self._unreadable.admit(item, unreadable):
                self._put_in_flight(key, item)
            return
        self._put_in_flight(key, item)
        self._count_in_window(message.consumer, 1)
        self._queue.put(
            item.delivery.transfer_id if self._keyed else key,
            item,
            after_others=self._after_others(item.delivery),
        )
        self._start_runner()

    def holds(self, message: ConsumerMessage) -> bool:
        """Return whether `message` is another delivery of a message that is in flight."""
        return identity(message) in self._in_flight

    def _put_in_flight(self, key: Identity, item: InFlight) -> None:
        self._in_flight[key] = item
        if self._progress_reporter is None or self._progress_reporter.done():
            self._progress_reporter = asyncio.create_task(
                self._report_progress(), name=f"progress {self._name}"
            )

    def _why_unreadable(self, item: InFlight) -> Exception | None:
        if item.invalid_subject:
            return DeadLetter(item.invalid_subject)
        try:
            return self._check(item.delivery)
        except Exception as error:
            # The handler meets the same error. It is retried, and dead-lettered in the end.
            log.error("message_check_failed", **item.log_context(), cause=describe_error(error))
            return None

    def _start_runner(self) -> None:
        """Start one more runner if a message is ready.

        Runners end when none is ready, so idle costs no task.
        """
        if self._queue.ready and self._runner_count < self._jobs:
            # Runners are counted here and in `_run`, not by their tasks. A task is done only a moment after
            # its runner has ended. A message that arrives in that moment would otherwise not be handled.
            self._runner_count += 1
            number = next(self._runner_numbers)
            self._runners[number] = self._loop.create_task(self._run(number))

    async def _run(self, number: int) -> None:
        """Handle ready messages, one of each key in turn, until none is ready."""
        try:
            while self._queue.ready and self._runner_count <= self._jobs:
                key, item = self._queue.take()
                try:
                    if not item.returned:
                        with self._slot_of(item):
                            await self._process(item, self._behind(key))
                finally:
                    self._queue.done(key)
                self._consumers.of(item.message).request_more()
        finally:
            self._runner_count -= 1
            del self._runners[number]
            self._start_runner()

    def _behind(self, key: Hashable) -> Sequence[InFlight]:
        """Return the messages that may be handled together with the one that was taken of `key`."""
        if self._together is None:
            return ()
        found = self._queue.behind(key, self._together.limit - 1)
        return [each for each in found if not each.returned] if found else ()

    def _slot_of(self, item: InFlight) -> JobSlot:
        consumer = item.message.consumer

        def give_back() -> bool:
            if self._given_back >= MAX_GIVEN_BACK:
                return False
            item.waiting = True
            self._given_back += 1
            self._count_in_window(consumer, -1)
            self._runner_count -= 1
            self._start_runner()
            self._consumers.of(item.message).request_more()
            return True

        def take_again() -> None:
            item.waiting = False
            self._given_back -= 1
            self._count_in_window(consumer, 1)
            self._runner_count += 1

        return JobSlot(give_back, take_again)

    async def _process_unreadable(self, item: InFlight) -> None:
        """Handle an unreadable message as any other: it is dead-lettered, or its author gets a reply."""
        if self._in_flight.get(item.identity) is item:
            await self._process(item)

    def _process(self, item: InFlight, behind: Sequence[InFlight] = ()) -> Coroutine[Any, Any, None]:
        """Return what handles a message: each coroutine between the task and the handler costs a switch."""
        item.running = True
        return self._process_in_span(item, behind) if tracing.is_on() else self._handle_and_end(item, behind)

    async def _process_in_span(self, item: InFlight, behind: Sequence[InFlight]) -> None:
        with self._span_of(item):
            await self._handle_and_end(item, behind)

    def _span_of(self, item: InFlight) -> tracing.SpanContext:
        """Return the span of a delivery, inside the span that sent the message."""
        delivery = item.delivery
        parent = tracing.received(delivery.headers) if self._makes_spans else None
        if parent is None:
            return tracing.handle("", None)
        return delivery_span(self._name, delivery, parent)

    async def _handle_and_end(self, item: InFlight, behind: Sequence[InFlight]) -> None:
        try:
            also = await self._handle(item, behind)
        except asyncio.CancelledError as error:
            if not is_cancelled():
                # What the handler awaited was cancelled, and this runner was not: treat it as a failure.
                await self._failed.retry(item, error)
                return
            await self._consumers.of(item.message).nak(item.message)
            raise
        except Exception as error:
            await self._failed.end(item, error)
        else:
            count_result(self._name, Result.ACKNOWLEDGED)
            await self._consumers.of(item.message).ack(item.message)
            await self._end_also(also)
        finally:
            self._remove(item)

    async def _end_also(self, handled: Sequence[InFlight]) -> None:
        """Acknowledge the messages that were handled together with another one.

        One that was given back meanwhile is redelivered, as after a crash.
        """
        ended = [each for each in handled if not each.returned]
        for each in handled:
            self._queue.remove(each.delivery.transfer_id, each)
        # Before the first wait: for a message that stayed, progress would be reported for ever.
        for each in ended:
            self._remove(each)
        for each in ended:
            self._bus.endpoints.of_consumer(each.message.consumer).requests += 1
            count_result(self._name, Result.ACKNOWLEDGED)
            await self._consumers.of(each.message).ack(each.message)
            self._consumers.of(each.message).request_more()

    async def _handle(self, item: InFlight, behind: Sequence[InFlight]) -> Sequence[InFlight]:
        """Handle `item`, and measure it. Returns those of `behind` that were handled with it."""
        endpoint = self._bus.endpoints.of_consumer(item.message.consumer)
        fault = self._why_not_started(item)
        if fault:
            endpoint.failed(DeadLetter.__name__)
            raise DeadLetter(fault)
        now, time = self._clock.now(), self._loop.time
        if item.delivery.delivery_count == 1:
            QUEUE_AGE.observe(max(0.0, now - item.delivery.at), self._name)
        began_at = time()
        also: Sequence[InFlight] = ()
        failure: BaseException | None = None
        try:
            if self._together is None or not behind:
                await self._handler(item.delivery)
            else:
                count = await self._together.handle([item.delivery, *(each.delivery for each in behind)])
                also = behind[: count - 1]
                for each in also:
                    QUEUE_AGE.observe(max(0.0, now - each.delivery.at), self._name)
        except BaseException as error:
            failure = error
            raise
        finally:
            busy_s = time() - began_at
            HANDLING.observe(busy_s, self._name)
            endpoint.ended(busy_s, failure)
        return also

    def _why_not_started(self, item: InFlight) -> str:
        """Return why no handler may have `item`, or ""."""
        if item.invalid_subject:
            return item.invalid_subject
        started = item.delivery.delivery_count - 1
        if started < self._max_starts:
            return ""
        return f"was started {started} times and never finished; it may crash its worker"

    def _remove(self, item: InFlight) -> None:
        del self._in_flight[item.identity]
        if not item.outside_window:
            self._count_in_window(item.message.consumer, -1)

    def _count_in_window(self, consumer: str, change: int) -> None:
        self._in_window[consumer] += change
        self._on_in_flight_change()

    async def _report_progress(self) -> None:
        """Report progress twice in every `ack_wait` for the messages in flight, until there are none."""
        while self._in_flight:
            await asyncio.sleep(self._ack_wait_s / 2)
            for item in list(self._in_flight.values()):
                if self._progress or item.waiting or not item.running:
                    await self._consumers.of(item.message).progress(item.message)


class _Sink:
    """Receives the messages of one consumer for a worker."""

    def __init__(self, worker: Worker, consumer: str) -> None:
        self._worker = worker
        self._consumer = consumer

    def accept(self, message: ConsumerMessage) -> None:
        self._worker.accept(message)

    def holds(self, message: ConsumerMessage) -> bool:
        return self._worker.holds(message)

    @property
    def in_flight(self) -> int:
        return self._worker.in_flight_of(self._consumer)


def is_cancelled() -> bool:
    """Return whether the current task was cancelled itself, and not only a task that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
