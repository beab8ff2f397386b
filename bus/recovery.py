"""Creates a missing stream and missing consumers again, while the processes that use them live.

A consumer or the stream can vanish: an operator deleted it, or the broker came back on an empty disk. Each
process creates its own consumers again. A coordinator also creates the stream of each of its consumers, and
`WARMXFER_PUBLIC` beside `WARMXFER_CORE`. Every other process waits until the stream is there.

A consumer that is created again would deliver the whole stream again: up to seven days of messages. So each
process remembers the newest acknowledgement floor of its consumer: the number up to which every message was
acknowledged. The new consumer starts after it. If no process remembers a floor, the whole stream is delivered
again, because a repeated message is harmless and a lost one is not.

A stream that exists stops no running transfer, also if `check_limits` refuses it or it cannot be updated: the
pulls go on. The check `stream` of the readiness then names the field and the remedy.

- Invariant: one attempt at a time in a process.
- Invariant: a floor is used only for the history in which it was read. In another history the message with
  that number does not exist, or was stored after the floor was read. A role that may not read its stream by
  number looks for a message that it received itself, with a number up to the floor: in another history it
  does not exist, with that number and time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from msgspec import Struct

from .connection import Connection, JetStreamApiError
from .consumer_table import CONSUMERS, COORDINATOR
from .consumers import consumer_info, ensure_consumer, move_consumer
from .errors import AccessDenied, InvalidRequest, RetryableError, StreamMissing
from .messages import ConsumerMessage
from .permissions import whole_streams
from .stream import ensure_stream
from .stream_reader import get_by_number, get_last
from .subjects import CORE, PUBLIC

ATTEMPT_S = 3.0
"""Time of one attempt. The pull consumer repeats it with a growing pause."""
FLOOR_TIMEOUT_S = 1.0
MAX_RECEIVED = 256
"""Messages of a consumer that are remembered: some are older than its acknowledgement floor."""
MAX_LOOKED_FOR = 10
SAME_MOMENT_S = 1e-5
"""The broker gives the time of a message in two forms. One of them is rounded."""

log = structlog.get_logger(__name__)


class AckFloor(NamedTuple):
    """Every message up to number `seq` was acknowledged at `at`, by the broker's clock."""

    seq: int
    at: float


class Received(Struct, frozen=True, gc=False):
    """Where and when a message was stored that this process received."""

    subject: str
    seq: int
    at: float


class StreamRecovery:
    """Keeps the consumers of one process in existence. `stream.py` defines them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()
        self._floors: dict[str, AckFloor] = {}
        self._received: dict[str, deque[Received]] = {}
        self._denied: set[str] = set()
        self._refused: dict[str, str] = {}
        """Why a stream that exists is refused, by its name."""
        connection.readiness.add("stream", lambda: next(iter(self._refused.values()), None))

    async def ensure(self, consumer: str) -> str | None:
        """Create `consumer` if it is missing, and the stream if that is this process's task.

        Returns None if the consumer exists now, or one sentence that says what is missing. Never raises:
        the pull consumer asks again.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(ATTEMPT_S):
                    await self._ensure(consumer)
            except AccessDenied as error:
                # Another process has the right. Pulling shows whether it has used it.
                if consumer not in self._denied:
                    self._denied.add(consumer)
                    log.warning("consumer_left_to_others", consumer=consumer, why=str(error))
            except (RetryableError, InvalidRequest) as error:
                log.warning("consumer_awaited", consumer=consumer, why=str(error))
                return str(error)
            except TimeoutError:
                return f"the broker did not create consumer {consumer} within {ATTEMPT_S:g} s"
            return None

    async def remember_floor(self, consumer: str) -> str | None:
        """Read the acknowledgement floor of `consumer`. An older one stays valid if this fails.

        Returns one sentence if the consumer or its stream is missing, or else None. Never raises.
        """
        try:
            info = await consumer_info(self._connection, consumer, FLOOR_TIMEOUT_S)
        except StreamMissing as error:
            return str(error)
        except (RetryableError, InvalidRequest) as error:
            log.debug("ack_floor_not_read", consumer=consumer, why=str(error))
            return None
        if info is None:
            return f"stream {CONSUMERS[consumer].stream} has no consumer {consumer}"
        self._floors[consumer] = floor = _floor_of(info)
        self._connection.clock.observe(floor.at)
        if self.is_refused(consumer):
            await self._check_stream(CONSUMERS[consumer].stream)
        return None

    def received(self, message: ConsumerMessage) -> None:
        """Remember where `message` is stored, to tell its history from another one."""
        newest = self._received.get(message.consumer)
        if newest is None:
            newest = self._received[message.consumer] = deque(maxlen=MAX_RECEIVED)
        newest.append(Received(message.subject, message.seq, message.at))

    def is_refused(self, consumer: str) -> bool:
        """Return whether the stream of `consumer` is refused. Each reading of the floor checks it again."""
        return CONSUMERS[consumer].stream in self._refused

    async def _ensure(self, consumer: str) -> None:
        role, stream, _ = CONSUMERS[consumer]
        try:
            info = await consumer_info(self._connection, consumer, ATTEMPT_S)
        except StreamMissing:
            if role != COORDINATOR:
                raise
            for each in _streams_with(stream):
                await ensure_stream(self._connection, each, ATTEMPT_S)
            info = await consumer_info(self._connection, consumer, ATTEMPT_S)
        if role == COORDINATOR:
            for each in _streams_with(stream):
                await self._check_stream(each)
        if info is not None:
            return
        start = await self._start_of(consumer)
        created = await ensure_consumer(self._connection, consumer, ATTEMPT_S)
        if start is not None and not created["delivered"]["consumer_seq"]:
            start = await self._move(consumer, start)
        log.warning("consumer_created", consumer=consumer, starts_at=start or "the oldest message")

    async def _check_stream(self, stream: str) -> None:
        """Update a stream if that is necessary, and set what the readiness says of it. Never raises."""
        try:
            async with asyncio.timeout(FLOOR_TIMEOUT_S):
                await ensure_stream(self._connection, stream, FLOOR_TIMEOUT_S)
        except (AccessDenied, RetryableError, TimeoutError) as error:
            log.debug("stream_not_checked", stream=stream, why=str(error) or "timeout")
        except InvalidRequest as error:
            if str(error) != self._refused.get(stream):
                log.error("stream_refused", stream=stream, why=str(error))
            self._refused[stream] = str(error)
        else:
            if self._refused.pop(stream, None) is not None:
                log.info("stream_accepted", stream=stream)

    async def _start_of(self, consumer: str) -> int | None:
        """Return the number at which a new consumer starts, or None for the oldest message."""
        role, stream, _ = CONSUMERS[consumer]
        floor = self._floors.get(consumer)
        if floor is None or floor.seq == 0:
            return None
        if stream not in whole_streams(role):
            return floor.seq + 1 if await self._has_received_before(floor, consumer) else None
        last_acked = await get_by_number(self._connection, stream, floor.seq, ATTEMPT_S)
        return start_after(floor, None if last_acked is None else last_acked.at)

    async def _has_received_before(self, floor: AckFloor, consumer: str) -> bool:
        """Return whether the stream has a message that this process received, with a number up to the floor.

        Only the newest message of a subject can be read. So one that has a later one on its subject shows
        nothing, and the next one is looked for.
        """
        newest = [each for each in self._received.get(consumer, ()) if each.seq <= floor.seq]
        for each in newest[: -MAX_LOOKED_FOR - 1 : -1]:
            stored = await get_last(self._connection, each.subject, ATTEMPT_S)
            if stored is not None and stored.seq == each.seq and abs(stored.at - each.at) < SAME_MOMENT_S:
                return True
        return False

    async def _move(self, consumer: str, start: int) -> int | None:
        try:
            await move_consumer(self._connection, consumer, start, FLOOR_TIMEOUT_S)
        except (JetStreamApiError, RetryableError, InvalidRequest) as error:
            log.warning("consumer_not_moved", consumer=consumer, starts_at=start, why=str(error))
            return None
        return start


def _streams_with(stream: str) -> tuple[str, ...]:
    """Return `stream`, and the stream without a consumer that a coordinator keeps beside it."""
    return (CORE, PUBLIC) if stream == CORE else (stream,)


def start_after(floor: AckFloor, stored_at: float | None) -> int | None:
    """Return the number after `floor`, or None if the floor belongs to another history.

    `stored_at` is when the message with the floor's number was stored, or None if there is none.
    """
    return floor.seq + 1 if stored_at is not None and stored_at <= floor.at else None


def _floor_of(info: dict[str, Any]) -> AckFloor:
    return AckFloor(int(info["ack_floor"]["stream_seq"]), datetime.fromisoformat(info["ts"]).timestamp())
