"""Messages whose handler has failed: redelivered, left to a newer version, or dead-lettered.

Which error has which result is listed in `worker.py`.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import structlog

from .bus import Bus
from .dead_letters import dead_letter, describe_error
from .errors import DeadLetter, NewerVersionNeeded, RetryableError, Unwanted
from .in_flight import InFlight
from .messages import ConsumerMessage, Delivery
from .newer_retries import NewerRetries
from .pull_consumer import PullConsumer
from .unreadable import UnreadableMessages
from .worker_metrics import DEAD_LETTERS, Result, count_result

RETRY_MIN_S = 0.1
RETRY_MAX_S = 30.0
DEAD_RETRY_S = 1.0

OnDeadLetter = Callable[[Delivery, str], Awaitable[None]]
log = structlog.get_logger(__name__)


class FailedMessages:
    """The failed messages of one worker. `max_starts`: deliveries before a RetryableError counts as final."""

    def __init__(
        self,
        bus: Bus,
        name: str,
        puller_of: Callable[[ConsumerMessage], PullConsumer],
        newer: NewerRetries,
        unreadable: UnreadableMessages,
        *,
        max_starts: int,
        on_dead_letter: OnDeadLetter | None,
        on_invalid_subject: OnDeadLetter | None,
    ) -> None:
        self._bus = bus
        self._name = name
        self._puller_of = puller_of
        self._newer = newer
        self._unreadable = unreadable
        self._max_deliver = bus.settings.max_deliver
        self._max_starts = max_starts
        self._on_dead_letter = on_dead_letter
        self._on_invalid_subject = on_invalid_subject

    async def end(self, item: InFlight, error: Exception) -> None:
        """Do with the message what its handler's error demands."""
        match error:
            case Unwanted():
                item.unreadable = True
                if self._unreadable.allows_dead_letter(item, error):
                    await self._dead_letter(item, describe_error(error))
            case DeadLetter():
                await self._dead_letter(item, describe_error(error))
            case NewerVersionNeeded():
                await self._leave_to_newer(item, error)
            case RetryableError():
                await self._retry(item, error, self._max_starts, error.after_s)
            case _:
                log.warning("handler_failed", **item.log_context(), cause=describe_error(error))
                await self.retry(item, error)

    async def retry(self, item: InFlight, error: BaseException) -> None:
        """Have the message redelivered after a growing delay, and dead-letter it after `max_deliver`."""
        await self._retry(item, error, self._max_deliver)

    async def _retry(self, item: InFlight, error: BaseException, limit: int, after_s: float = 0.0) -> None:
        tries = item.delivery.delivery_count
        if tries >= limit:
            await self._dead_letter(item, describe_error(error))
            return
        count_result(self._name, Result.RETRIED)
        delay_s = min(RETRY_MAX_S, RETRY_MIN_S * 2 ** min(tries - 1, 16))
        await self._puller_of(item.message).nak(
            item.message, max(after_s, delay_s * random.uniform(0.75, 1.0))
        )

    async def _leave_to_newer(self, item: InFlight, error: NewerVersionNeeded) -> None:
        """Give the message back, so that another worker gets it. Log it only the first time."""
        tries = item.delivery.delivery_count
        if self._newer.is_last(tries):
            await self._dead_letter(item, describe_error(error))
            return
        count_result(self._name, Result.LEFT_TO_NEWER)
        if tries == 1:
            log.warning("message_left_to_newer_version", **item.log_context(), cause=describe_error(error))
        await self._puller_of(item.message).nak(item.message, self._newer.pause_s(tries))

    async def _dead_letter(self, item: InFlight, cause: str) -> None:
        """Publish the dead letter, call back, then remove the message. A crash between repeats all three."""
        delivery = item.delivery
        outgoing = dead_letter(delivery, cause)
        try:
            await self._bus.publish(outgoing.subject, outgoing.data, msg_id=outgoing.msg_id)
            callback = self._on_invalid_subject if item.invalid_subject else self._on_dead_letter
            if callback is not None:
                await callback(delivery, cause)
        except Exception as error:
            log.error("dead_letter_failed", **item.log_context(), cause=describe_error(error))
            await self._puller_of(item.message).nak(item.message, DEAD_RETRY_S)
            return
        count_result(self._name, Result.DEAD_LETTERED)
        DEAD_LETTERS.count(self._name, delivery.kind)
        if not item.unreadable or self._unreadable.may_log():
            log.error("message_dead_lettered", **item.log_context(), cause=cause)
        await self._puller_of(item.message).term(item.message)
