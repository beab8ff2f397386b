"""What we are saying and are still to say: each utterance ends once, and is told to have ended.

The law of this file: an end is certain. Who speaks reports it; who does not report in time is not waited for.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Final

from .room_client import MAX_UTTERANCE_CHARS, QueuedUtterance, RoomEvent, SpeechEnded

MAX_QUEUED_UTTERANCES: Final = 64
UTTERANCE_LIMIT_S: Final = 30.0
UTTERANCE_LIMIT_PER_WORD_S: Final = 1.0
"""An utterance whose end is not told within these (times what it waits behind) ends as interrupted."""


class UtteranceQueue:
    """`tell` is given the end of each."""

    def __init__(self, publish: Callable[[RoomEvent], bool]) -> None:
        self._publish = publish
        self._pending: dict[str, tuple[QueuedUtterance, bool, asyncio.TimerHandle]] = {}
        self._numbers = itertools.count(1)
        self._closed = False

    def begin(self, text: str, *, interruptible: bool) -> tuple[QueuedUtterance, str]:
        """A new one, and what is to be said of `text`; already ended if nothing is."""
        loop = asyncio.get_running_loop()
        text = text.strip()[:MAX_UTTERANCE_CHARS]
        utterance = QueuedUtterance(f"u{next(self._numbers)}", loop.create_future())
        limit_s = (UTTERANCE_LIMIT_S + UTTERANCE_LIMIT_PER_WORD_S * len(text.split())) * (
            1 + len(self._pending)
        )
        timer = loop.call_later(limit_s, self.finish, utterance.id, True)
        self._pending[utterance.id] = (utterance, interruptible, timer)
        if self._closed or not text or len(self._pending) > MAX_QUEUED_UTTERANCES:
            self.finish(utterance.id, True)
        return utterance, text

    @property
    def interruptible(self) -> tuple[str, ...]:
        """The ids of those that may be cut, the oldest first."""
        return tuple(id for id, (_, interruptible, _) in self._pending.items() if interruptible)

    def finish(self, utterance_id: str, interrupted: bool) -> bool:
        """It is over; nothing happens if it was already. False when nobody takes the news."""
        pending = self._pending.pop(utterance_id, None)
        if pending is None:
            return True
        utterance, _, timer = pending
        timer.cancel()
        if not utterance.ended.done():
            utterance.ended.set_result(interrupted)
        return self._publish(SpeechEnded(utterance_id, interrupted))

    def drop(self) -> None:
        """None of them is going to be said to its end."""
        for utterance_id in tuple(self._pending):
            self.finish(utterance_id, True)

    def close(self) -> None:
        """Nothing is said any more."""
        self._closed = True
        self.drop()
