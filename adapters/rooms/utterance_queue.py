"""Our own utterances: those being said and those queued. Every utterance ends exactly once.

Invariant: an utterance always ends. If the cloud does not report its end in time, it ends as interrupted.
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
"""An utterance without a reported end within these limits ends as interrupted.

The limit grows with the number of utterances that are queued before it.
"""


class UtteranceQueue:
    """The utterances of one room client. `publish` receives a `SpeechEnded` for each."""

    def __init__(self, publish: Callable[[RoomEvent], bool]) -> None:
        self._publish = publish
        self._pending: dict[str, tuple[QueuedUtterance, bool, asyncio.TimerHandle]] = {}
        self._numbers = itertools.count(1)
        self._closed = False

    def begin(self, text: str, *, interruptible: bool) -> tuple[QueuedUtterance, str]:
        """Return a new utterance and the text to say. It has already ended if nothing is to be said."""
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
        """The ids of the interruptible utterances, oldest first."""
        return tuple(id for id, (_, interruptible, _) in self._pending.items() if interruptible)

    def finish(self, utterance_id: str, interrupted: bool) -> bool:
        """End an utterance. Idempotent. Returns False if the reader of the events is too far behind."""
        pending = self._pending.pop(utterance_id, None)
        if pending is None:
            return True
        utterance, _, timer = pending
        timer.cancel()
        if not utterance.ended.done():
            utterance.ended.set_result(interrupted)
        return self._publish(SpeechEnded(utterance_id, interrupted))

    def drop(self) -> None:
        """End all utterances as interrupted."""
        for utterance_id in tuple(self._pending):
            self.finish(utterance_id, True)

    def close(self) -> None:
        """End all utterances as interrupted, and every later one at once."""
        self._closed = True
        self.drop()
