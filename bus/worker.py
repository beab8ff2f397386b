"""A worker: takes messages from one durable consumer and handles at most `jobs` at a time.

How a handler ends decides what happens to its message:

    returns                      acknowledged
    raises RetryableError        redelivered after a growing delay, at least `after_s`; dead-lettered after
                                 `HANDLER_ACK_WAITS` times `max_deliver` deliveries
    raises another error         redelivered after a growing delay; dead-lettered after `max_deliver`
                                 deliveries
    raises DeadLetter            dead-lettered at once: retrying cannot help
    kills its process, or hangs  redelivered after `ack_wait`; dead-lettered after `HANDLER_ACK_WAITS` times
                                 `max_deliver` deliveries

To dead-letter a message, the worker publishes the cause on `warmxfer.<id>.dead`, never the payload. Then it
calls `on_dead_letter`. Then it removes the message, so that it delays no other. A message whose subject
carries no allowed id is dead-lettered at once, and `on_invalid_subject` is called instead.

While a message is queued in this process, or is handled with `progress`, the worker reports progress to the
broker. If the process dies, another worker gets the message.

With `keyed`, messages of one transfer are handled one at a time, in the order in which they arrive. A
message that is redelivered later does not delay the ones behind it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from types import TracebackType

import structlog

from . import subjects
from .bus import Bus
from .dead_letters import dead_letter, describe_error
from .errors import DeadLetter, InvalidRequest, RetryableError
from .keyed_queue import KeyedQueue
from .messages import ConsumerMessage, Delivery

MAX_JOBS = 1_024
MAX_WINDOW = 2_048
KEYED_WINDOW_PER_JOB = 4
RETRY_MIN_S = 0.1
RETRY_MAX_S = 30.0
DEAD_RETRY_S = 1.0
HANDLER_ACK_WAITS = 4
"""Factor on `max_deliver` for RetryableError and for deaths of the worker's process."""

DRAIN_S = 10.0

Handle = Callable[[Delivery], Awaitable[None]]
OnDeadLetter = Callable[[Delivery, str], Awaitable[None]]
log = structlog.get_logger(__name__)


class Worker:
    """A worker that handles messages until its context is left.

    async with Worker(bus, "gateway", handler, jobs=8): ...
    """

    def __init__(
        self,
        bus: Bus,
        consumer: str,
        handler: Handle,
        *,
        jobs: int,
        keyed: bool = False,
        progress: bool = False,
        on_dead_letter: OnDeadLetter | None = None,
        on_invalid_subject: OnDeadLetter | None = None,
        drain_s: float = DRAIN_S,
    ) -> None:
        if not 1 <= jobs <= MAX_JOBS:
            raise InvalidRequest(f"jobs is {jobs}; give 1 to {MAX_JOBS}", field="jobs")
        self._bus = bus
        self._consumer = consumer
        self._handler = handler
        self._jobs = jobs
        self._keyed = keyed
        self._progress = progress
        self._on_dead_letter = on_dead_letter
        self._on_invalid_subject = on_invalid_subject
        self._max_deliver = bus.settings.max_deliver
        self._ack_wait_s = bus.settings.ack_wait_s
        self._drain_s = drain_s
        # Messages of one key wait for each other: a wider window keeps the other jobs busy. A worker with
        # long jobs takes no more than it can start, so that idle workers in other processes get the rest.
        window = jobs * KEYED_WINDOW_PER_JOB if keyed and not progress else jobs
        self._held: dict[int, InFlight] = {}
        self._lanes: KeyedQueue[InFlight] = KeyedQueue()
        self._runners: set[asyncio.Task[None]] = set()
        self._staffed = 0
        self._ticker: asyncio.Task[None] | None = None
        self._puller = bus.pull(consumer, self, min(window, MAX_WINDOW))

    @property
    def in_flight(self) -> int:
        """Number of messages queued or being handled."""
        return len(self._held)

    async def start(self) -> None:
        """Begin to take messages."""
        await self._puller.start()
        self._ticker = asyncio.create_task(self._tick(), name=f"tick {self._consumer}")

    async def stop(self, drain_s: float | None = None) -> None:
        """Take no more messages, let running handlers end within `drain_s`, and return the rest at once."""
        self._lanes.close()
        await self._puller.stop()
        for held in list(self._held.values()):
            if not held.running:
                await self._nack(held)
        if self._runners:
            patience_s = self._drain_s if drain_s is None else drain_s
            _, late = await asyncio.wait(self._runners, timeout=patience_s)
            for runner in late:
                runner.cancel()
            if late:
                log.warning("handlers_cut_short", consumer=self._consumer, count=len(late))
                await asyncio.wait(late, timeout=1.0)
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait({self._ticker})
            self._ticker = None

    async def __aenter__(self) -> Worker:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def accept(self, arrival: ConsumerMessage) -> None:
        """Take one message. The pull consumer calls this in the order in which messages arrive."""
        again = self._held.get(arrival.seq)
        if again is not None:
            # A message in flight was redelivered (lost acknowledgement, broker restart): answer the new one.
            again.message = arrival
            return
        held = self._held[arrival.seq] = InFlight(arrival)
        self._lanes.put(held.delivery.transfer_id if self._keyed else arrival.seq, held)
        self._start_runner()

    def _start_runner(self) -> None:
        """Start one more runner if a message is ready.

        Runners end when none is ready, so idle costs no task.
        """
        if self._lanes.ready and self._staffed < self._jobs:
            # Runners are counted here and in `_run`, not by their tasks. A task is done only a moment after
            # its runner has ended. A message that arrives in that moment would otherwise not be handled.
            self._staffed += 1
            runner = asyncio.create_task(self._run())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)

    async def _run(self) -> None:
        """Handle ready messages, one of each key in turn, until none is ready."""
        try:
            while self._lanes.ready:
                await self._next()
        finally:
            self._staffed -= 1
            self._start_runner()

    async def _next(self) -> None:
        key, held = self._lanes.take()
        try:
            await self._process(held)
        finally:
            self._lanes.done(key)
        await self._puller.request_more()

    async def _process(self, held: InFlight) -> None:
        held.running = True
        try:
            await self._handle(held)
        except asyncio.CancelledError as error:
            if not _is_cancelled():
                # What the handler awaited was cancelled, and this runner was not: treat it as a failure.
                await self._retry(held, error, self._max_deliver)
                return
            await self._puller.nak(held.message)
            raise
        except DeadLetter as error:
            await self._dead_letter(held, describe_error(error))
        except RetryableError as error:
            await self._retry(held, error, self._max_deliver * HANDLER_ACK_WAITS, error.after_s)
        except Exception as error:
            log.warning("handler_failed", **self._where(held), cause=describe_error(error))
            await self._retry(held, error, self._max_deliver)
        else:
            await self._puller.ack(held.message)
        finally:
            del self._held[held.message.seq]

    async def _handle(self, held: InFlight) -> None:
        if held.invalid_subject:
            raise DeadLetter(held.invalid_subject)
        if held.delivery.delivery_count > self._max_deliver * HANDLER_ACK_WAITS:
            raise DeadLetter(
                f"was begun {held.delivery.delivery_count - 1} times and never ended: it may kill its worker"
            )
        await self._handler(held.delivery)

    async def _retry(self, held: InFlight, error: BaseException, limit: int, after_s: float = 0.0) -> None:
        tries = held.delivery.delivery_count
        if tries >= limit:
            await self._dead_letter(held, describe_error(error))
            return
        growing_s = min(RETRY_MAX_S, RETRY_MIN_S * 2 ** min(tries - 1, 16))
        await self._puller.nak(held.message, max(after_s, growing_s * random.uniform(0.75, 1.0)))

    async def _dead_letter(self, held: InFlight, cause: str) -> None:
        """Publish the dead letter, call back, then remove the message. A crash between repeats all three."""
        delivery = held.delivery
        out = dead_letter(delivery, cause, self._consumer)
        try:
            await self._bus.publish(out.subject, out.data, msg_id=out.msg_id)
            tell = self._on_invalid_subject if held.invalid_subject else self._on_dead_letter
            if tell is not None:
                await tell(delivery, cause)
        except Exception as error:
            log.error("dead_letter_failed", **self._where(held), cause=describe_error(error))
            await self._puller.nak(held.message, DEAD_RETRY_S)
            return
        log.error("dead_letter", **self._where(held), cause=cause)
        await self._puller.term(held.message)

    async def _nack(self, held: InFlight) -> None:
        del self._held[held.message.seq]
        await self._puller.nak(held.message)

    async def _tick(self) -> None:
        """Report progress twice in every `ack_wait` for the messages in flight."""
        while True:
            await asyncio.sleep(self._ack_wait_s / 2)
            for held in list(self._held.values()):
                if self._progress or not held.running:
                    await self._puller.progress(held.message)

    def _where(self, held: InFlight) -> dict[str, object]:
        delivery = held.delivery
        return {
            "consumer": self._consumer,
            "transfer_id": delivery.transfer_id,
            "kind": delivery.kind,
            "seq": delivery.seq,
            "tries": delivery.delivery_count,
        }


class InFlight:
    """A message of this worker, queued or being handled."""

    __slots__ = ("delivery", "invalid_subject", "message", "running")

    def __init__(self, arrival: ConsumerMessage) -> None:
        self.message = arrival
        self.running = False
        self.invalid_subject = ""
        try:
            address = subjects.parse(arrival.subject)
        except InvalidRequest as error:
            address = subjects.Address(subjects.INVALID_ID, "", "")
            self.invalid_subject = str(error)
        self.delivery = Delivery(
            *address,
            subject=arrival.subject,
            data=arrival.data,
            seq=arrival.seq,
            at=arrival.at,
            delivery_count=arrival.delivery_count,
            headers=arrival.headers,
        )


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
