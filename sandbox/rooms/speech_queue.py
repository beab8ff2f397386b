"""Speech of one participant: speaks one utterance at a time and queues the next ones.

It uses timers and no task.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..clock import Clock
from ..limits import MAX_QUEUED_UTTERANCES

SECONDS_PER_WORD = 0.35
MIN_UTTERANCE_S = 0.05


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance. `to` is the only participant that hears it; None is the whole room."""

    id: str
    text: str
    interruptible: bool = True
    to: str | None = None

    @property
    def duration_s(self) -> float:
        return max(len(self.text.split()) * SECONDS_PER_WORD, MIN_UTTERANCE_S)


class SpeechQueue:
    """Queue of utterances.

    Calls `on_begin(utterance)` at the start of each utterance and
    `on_end(utterance, spoken_text, interrupted)` at its end.
    """

    def __init__(
        self,
        clock: Clock,
        on_begin: Callable[[Utterance], None],
        on_end: Callable[[Utterance, str, bool], None],
    ) -> None:
        self._clock = clock
        self._on_begin = on_begin
        self._on_end = on_end
        self._current: Utterance | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[Utterance] = deque()

    @property
    def busy(self) -> bool:
        """Whether an utterance is spoken or queued."""
        return self._current is not None or bool(self._waiting)

    def say(self, utterance: Utterance) -> bool:
        """Queue an utterance. Returns False if the queue is full; the utterance is then dropped."""
        if len(self._waiting) >= MAX_QUEUED_UTTERANCES:
            return False
        self._waiting.append(utterance)
        if self._current is None:
            self._next()
        return True

    def interrupt(self) -> None:
        """Interrupt the current utterance if it is interruptible, and start the next one."""
        if self._current is not None and self._current.interruptible:
            self._interrupt_current()
            self._next()

    def stop_all(self) -> None:
        """Interrupt the current utterance and drop all queued ones: the speaker has left."""
        waiting = list(self._waiting)
        self._waiting.clear()
        if self._current is not None:
            self._interrupt_current()
        for utterance in waiting:
            self._on_end(utterance, "", True)

    def _next(self) -> None:
        if self._current is not None or not self._waiting:
            return
        self._current = self._waiting.popleft()
        self._timer = self._clock.call_later(self._current.duration_s, self._finish)
        self._on_begin(self._current)

    def _finish(self) -> None:
        utterance, self._current, self._timer = self._current, None, None
        if utterance is not None:
            self._on_end(utterance, utterance.text, False)
        self._next()

    def _interrupt_current(self) -> None:
        utterance, timer = self._current, self._timer
        self._current = self._timer = None
        if utterance is None or timer is None:
            return
        timer.cancel()
        remaining_s = max(timer.when() - asyncio.get_running_loop().time(), 0.0)
        duration_s = utterance.duration_s * self._clock.scale
        words = utterance.text.split()
        spoken = words[: int(len(words) * (1 - remaining_s / duration_s))] if duration_s else words
        self._on_end(utterance, " ".join(spoken), True)
