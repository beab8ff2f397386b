"""The slot among a worker's jobs that a handler takes. It is given back while the handler only waits.

    with job_given_back():
        await asyncio.sleep(1.0)

The worker then handles another message in that slot. The message stays in flight: progress is reported for
it, and no other worker gets it. A handler that goes on takes a slot again at once, so for a moment more
handlers may run than the worker has jobs.

- Invariant: at most `MAX_GIVEN_BACK` handlers of a worker wait without a slot. Further ones keep theirs.
- Outside a worker's job, the block has no effect.

Test: `tests/bus/test_job_slot.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

MAX_GIVEN_BACK = 4_096

_current: ContextVar[JobSlot | None] = ContextVar("job_slot", default=None)


class JobSlot:
    """The slot of one handler. Tasks that the handler starts share it."""

    def __init__(self, give_back: Callable[[], bool], take_again: Callable[[], None]) -> None:
        self._give_back = give_back
        self._take_again = take_again
        self._waiting = 0
        self._given_back = False

    def __enter__(self) -> None:
        """Make this the slot that `job_given_back` gives back, while the block runs."""
        _current.set(self)

    def __exit__(self, *_: object) -> None:
        # Not `ContextVar.reset`: it raises in an abandoned task, which is closed in another context.
        _current.set(None)

    @contextmanager
    def given_back(self) -> Generator[None]:
        """Give the slot back while the block runs, unless another task of the handler already has."""
        self._waiting += 1
        if self._waiting == 1:
            self._given_back = self._give_back()
        try:
            yield
        finally:
            self._waiting -= 1
            if self._waiting == 0 and self._given_back:
                self._given_back = False
                self._take_again()


@contextmanager
def job_given_back() -> Generator[None]:
    """Give the slot of the running handler back while the block runs."""
    slot = _current.get()
    if slot is None:
        yield
    else:
        with slot.given_back():
            yield
