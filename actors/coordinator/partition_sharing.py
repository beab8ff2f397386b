"""Shares the partitions out among the coordinators that are live. Each one takes from its own only.

A coordinator announces itself by a message that no stream stores. The others take its partitions when it says
that it stops, or when nothing was heard of it for `LIVE_S`. Who takes which partition is computed by each one
alone (`partition_owners.py`).

With its presence, each coordinator announces which places of the briefing agents it holds
(`briefing_places.py`), twice a second and after a change.

It is a hint for speed. For a moment, two coordinators may take from one partition: the log's expected
sequence decides between them. Two coordinators of one transfer cost lost races and reads, so they are to be
rare.

- Invariant: a coordinator that hears of no other one takes from all partitions.
- Invariant: while its connection is down, a coordinator gives nothing up and takes nothing more.

Test: `tests/actors/coordinator/test_partition_sharing.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol

import structlog
from msgspec import Struct

from warmxfer.bus import Bus, Subscription, subjects
from warmxfer.bus.consumer_table import partition_consumers
from warmxfer.schemas import DecodeError, decode_as, encode
from warmxfer.schemas.fields import Id

from .briefing_places import HeldPlaces
from .partition_owners import LiveInstances

ANNOUNCE_EVERY_S = 0.5
ANNOUNCE_PAUSE_S = 0.1
"""Shortest time between two announcements, however many coordinators start."""
MOMENT_S = 0.001
"""Shortest wait for an announcement."""
GREETING_S = 0.05
"""How long a coordinator that starts waits for the announcements of the others."""

TakeFrom = Callable[[Collection[str]], Awaitable[None]]
log = structlog.get_logger(__name__)


class CoordinatorPresence(Struct, frozen=True):
    """Says that a coordinator is live, or that it stops."""

    instance: Id
    live: bool = True
    held: int = 0
    """Places of briefing agents that its transfers hold."""
    borrowed: int = 0
    """How many of `held` and `wished` are beyond the places of its partitions."""
    wished: int = 0
    """1 if it wishes to take another place, else 0."""
    handed: int = 0
    """Places held by transfers of partitions that it has released."""


class PlaceExchange(Protocol):
    """What coordinators tell each other of the places that they hold."""

    def held_places(self) -> HeldPlaces:
        """Return what this coordinator announces."""
        ...

    def heard_coordinator(self, instance: str, places: HeldPlaces | None) -> None:
        """Note what another one announces; None: it stops."""
        ...


class PartitionSharing:
    """The share of one coordinator, from entering the context until leaving it."""

    def __init__(self, bus: Bus, instance: str, places: PlaceExchange) -> None:
        self._bus = bus
        self._places = places
        self._live = LiveInstances(instance)
        self._taken: frozenset[int] = frozenset()
        self._announce_at = 0.0
        self._announced_at = 0.0
        self._change: asyncio.Task[None] | None = None
        self._heard: Subscription | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> PartitionSharing:
        """Announce this coordinator, and hear which others are there."""
        self._heard = await self._stack.enter_async_context(
            self._bus.subscribe(subjects.COORDINATOR_PRESENCE, self._hear)
        )
        now = asyncio.get_running_loop().time()
        await self._announce(now)
        while (left_s := now + GREETING_S - asyncio.get_running_loop().time()) > 0:
            await self._heard.next(left_s)
        self._taken = self._live.partitions(asyncio.get_running_loop().time())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that this coordinator takes now."""
        return self._taken

    @property
    def consumers(self) -> tuple[str, ...]:
        """The consumers of the partitions that this coordinator takes now."""
        return tuple(name for partition in sorted(self._taken) for name in partition_consumers(partition))

    async def run(self, take_from: TakeFrom) -> None:
        """Announce this coordinator, and call `take_from` when its partitions change, until cancelled.

        Then say that it stops, so that the others take its partitions at once.
        """
        if self._heard is None:
            raise RuntimeError("run() needs the context of PartitionSharing")
        try:
            await self._follow_others(self._heard, take_from)
        finally:
            if self._change is not None:
                self._change.cancel()
                await asyncio.wait({self._change})
            await self._send(live=False)

    async def _follow_others(self, heard: Subscription, take_from: TakeFrom) -> None:
        clock = asyncio.get_running_loop().time
        while not heard.ended:
            now = clock()
            if now >= self._announce_at:
                await self._announce(now)
            if self._bus.connected:
                await self._follow(heard, self._live.partitions(now), take_from)
            else:
                self._live.pause(now)
            wake_at = min(self._announce_at, self._live.dies_at + MOMENT_S)
            await heard.next(max(MOMENT_S, wake_at - clock()))
        await asyncio.Event().wait()  # The connection is closed for good: the runner ends the actor.

    async def _follow(self, heard: Subscription, partitions: frozenset[int], take_from: TakeFrom) -> None:
        """Begin to take from `partitions`, once an earlier change is complete."""
        if self._change is not None:
            if not self._change.done():
                return
            await self._change
            self._change = None
        if partitions != self._taken:
            log.info("partitions_changed", before=sorted(self._taken), now=sorted(partitions))
            self._taken = partitions
            self._change = asyncio.ensure_future(take_from(self.consumers))
            self._change.add_done_callback(
                lambda _: heard.interrupt()
            )  # Partitions may have changed meanwhile.

    def _hear(self, data: bytes) -> bool:
        """Note one announcement. Returns whether it changes anything. That of a known coordinator does not.

        A coordinator that starts is answered at once.
        """
        try:
            presence = decode_as(CoordinatorPresence, data)
        except DecodeError as error:
            log.warning("presence_not_decoded", error=str(error))
            return False
        if presence.instance == self._live.own:
            return False
        if not presence.live:
            self._places.heard_coordinator(presence.instance, None)
            self._live.stopped(presence.instance)
            return True
        places = HeldPlaces(presence.held, presence.borrowed, presence.wished, presence.handed)
        self._places.heard_coordinator(presence.instance, places)
        is_new = self._live.heard(presence.instance, asyncio.get_running_loop().time())
        if is_new:
            self._announce_soon()
        return is_new

    def places_changed(self) -> None:
        """Announce this coordinator soon, if there are others: the places that it holds have changed."""
        if self._live.are_others and self._heard is not None and self._announce_soon():
            self._heard.interrupt()

    def _announce_soon(self) -> bool:
        """Let the next announcement be soon. Returns False if it is so already."""
        soon = self._announced_at + ANNOUNCE_PAUSE_S
        if self._announce_at <= soon:
            return False
        self._announce_at = soon
        return True

    async def _announce(self, now: float) -> None:
        await self._send(live=True)
        self._announced_at, self._announce_at = now, now + ANNOUNCE_EVERY_S

    async def _send(self, *, live: bool) -> None:
        presence = CoordinatorPresence(self._live.own, live, *(self._places.held_places() if live else ()))
        await self._bus.announce(subjects.COORDINATOR_PRESENCE, encode(presence))
