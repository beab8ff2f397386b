"""The consumers that a worker takes its messages from. They can be changed while it works (`take_from`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from .messages import ConsumerMessage
from .pull_consumer import PullConsumer


class WorkerConsumers:
    """The pull consumers of one worker, by name.

    `return_queued` gives back the messages of a consumer whose handlers have not begun. `on_open` is called
    for each consumer that is taken from.
    """

    def __init__(
        self,
        names: Collection[str],
        new_puller: Callable[[str], PullConsumer],
        *,
        return_queued: Callable[[str], None],
        on_open: Callable[[str], object],
    ) -> None:
        self._wanted = tuple(names)
        self._new_puller = new_puller
        self._return_queued = return_queued
        self._on_open = on_open
        self._pullers = {each: new_puller(each) for each in self._wanted}
        self._changing = asyncio.Lock()

    def of(self, message: ConsumerMessage) -> PullConsumer:
        """Return the consumer that delivered `message`. A closed one also answers for its messages."""
        return self._pullers[message.consumer]

    @property
    def names(self) -> Collection[str]:
        """All consumers so far, also those that were closed: their messages may be in flight."""
        return self._pullers.keys()

    async def open(self) -> None:
        """Begin to take messages."""
        await self.take_from(self._wanted)

    async def take_from(self, names: Collection[str]) -> None:
        """Take messages from these consumers, and from no other.

        Messages of a consumer that is closed are handled if they have begun, or else given back at once.
        """
        async with self._changing:
            self._wanted = tuple(names)
            unwanted = [each for each in self._pullers if each not in self._wanted]
            # A consumer is closed only when its pulls have ended, and others are not to wait for that.
            await asyncio.gather(
                *(self._close(name) for name in unwanted),
                *(self._open(name) for name in self._wanted),
            )

    def stop_asking(self) -> None:
        """Take no more messages, and give back those that have not begun. It waits for no `take_from`."""
        for name, puller in self._pullers.items():
            puller.stop_asking()
            self._return_queued(name)

    async def close(self) -> None:
        """Take no more messages of any consumer. It takes as long as the pulls that are open."""
        async with self._changing:
            await asyncio.gather(*(self._close(name) for name in self._pullers))

    async def _open(self, name: str) -> None:
        self._on_open(name)
        if name not in self._pullers:
            self._pullers[name] = self._new_puller(name)
        if not self._pullers[name].pulling:
            await self._pullers[name].start()

    async def _close(self, name: str) -> None:
        """Take no more messages of one consumer, and give back those that have not begun. Idempotent."""
        self._pullers[name].stop_asking()
        self._return_queued(name)
        await self._pullers[name].stop()
