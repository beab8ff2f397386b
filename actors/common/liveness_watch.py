"""Liveness of all transfers that this process works for: one query per interval, whatever their number.

    with watching(bus, transfer_id, interval_s, timeout_s, on_answer):
        await over

- Invariant: every watched transfer gets an answer per interval, or the news that there is none. Nothing that
  fails ends the watch: a hold must end when no coordinator replies.
- Invariant: a fleet may have coordinators of an older version, which reply about the first transfer of a
  query alone. The others are then asked for one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

import structlog

from warmxfer.bus import Bus
from warmxfer.schemas import MAX_LIVENESS_QUERY, Liveness, format_traceback

from .liveness import NegativeReplies, ask

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LivenessAnswer:
    """The answer about one transfer. `live` is None if no coordinator replied."""

    live: bool | None
    stage: str
    asked_at: float
    """When the query was sent, by the monotonic clock."""


class StageChanges:
    """Notices that a transfer has another stage than in the answer before. Pure.

    A command may have been missed then: between servers of a cluster a message can be lost while every
    connection stays up.
    """

    def __init__(self) -> None:
        self._stage = ""

    def changed(self, stage: str) -> bool:
        """Record the stage of an answer; an empty one is unknown. The first one counts as a change."""
        if not stage or stage == self._stage:
            return False
        self._stage = stage
        return True


OnAnswer = Callable[[LivenessAnswer], None]


@contextmanager
def watching_end(
    bus: Bus,
    transfer_id: str,
    interval_s: float,
    timeout_s: float,
    *,
    on_over: Callable[[], None],
    on_new_stage: Callable[[], None],
) -> Iterator[None]:
    """Call `on_over` once coordinators said often enough that the transfer is over.

    A query without a reply within `timeout_s` changes nothing: when in doubt, the transfer is live. Calls
    `on_new_stage` when a reply has another stage than the reply before.
    """
    replies, stages = NegativeReplies(), StageChanges()

    def on_answer(answer: LivenessAnswer) -> None:
        if answer.live is not None:
            was_over = replies.transfer_over
            replies.record(answer.live)
            if replies.transfer_over and not was_over:
                on_over()
        if stages.changed(answer.stage):
            on_new_stage()

    with watching(bus, transfer_id, interval_s, timeout_s, on_answer):
        yield


@contextmanager
def watching(
    bus: Bus, transfer_id: str, interval_s: float, timeout_s: float, on_answer: OnAnswer
) -> Iterator[None]:
    """Call `on_answer` once per interval while the context is open. It must not block."""
    key = (bus, interval_s, timeout_s)
    watch = _watches.get(key)
    if watch is None:
        watch = _watches[key] = _Watch(bus, interval_s, timeout_s)
    entry = (transfer_id, on_answer)
    watch.add(entry)
    try:
        yield
    finally:
        if watch.remove(entry):
            del _watches[key]


class _Watch:
    """The transfers that are asked for at one interval, and the task that asks."""

    def __init__(self, bus: Bus, interval_s: float, timeout_s: float) -> None:
        self._bus = bus
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._entries: dict[tuple[str, OnAnswer], None] = {}
        """In their order. A list would be searched at each removal."""
        self._task: asyncio.Task[None] | None = None

    def add(self, entry: tuple[str, OnAnswer]) -> None:
        self._entries[entry] = None
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="liveness-watch")

    def remove(self, entry: tuple[str, OnAnswer]) -> bool:
        """Remove `entry`. Returns True if no transfer is left; the task then ends."""
        del self._entries[entry]
        if self._entries or self._task is None:
            return False
        self._task.cancel()
        return True

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            entries = tuple(self._entries)
            await asyncio.gather(
                *(
                    self._ask(entries[start : start + MAX_LIVENESS_QUERY])
                    for start in range(0, len(entries), MAX_LIVENESS_QUERY)
                )
            )

    async def _ask(self, entries: Sequence[tuple[str, OnAnswer]]) -> None:
        asked_at, replies = monotonic(), dict[str, Liveness]()
        try:
            replies = await ask(self._bus, list(dict.fromkeys(id for id, _ in entries)), self._timeout_s)
        except Exception as error:
            log.error("liveness_check_failed", transfers=len(entries), exception=format_traceback(error))
        for id, on_answer in entries:
            reply = replies.get(id)
            answer = (
                LivenessAnswer(None, "", asked_at)
                if reply is None
                else LivenessAnswer(reply.live, reply.stage, asked_at)
            )
            try:
                on_answer(answer)
            except Exception as error:
                log.error("liveness_answer_failed", transfer_id=id, exception=format_traceback(error))


_watches: dict[tuple[Bus, float, float], _Watch] = {}
