"""How many jobs a process has and how many are taken: announced, so that admission knows what is free.

    announcer = CapacityAnnouncer(bus, "briefing", lambda: RoleCapacity(instance, 50, worker.in_flight))
    worker = Worker(bus, "briefing", handle, jobs=50, on_in_flight_change=announcer.changed)
    async with worker, announcer: ...

What changes the announced values calls `changed()`. While nothing changes, a process announces itself every
`ANNOUNCE_EVERY_S`, and does nothing else for it.

An announcement is stored nowhere and may be lost. It is an estimate: what depends on it may refuse a request
too early, or admit one too many.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from types import TracebackType

import structlog
from msgspec import Struct
from msgspec.structs import replace

from warmxfer.bus import Bus, subjects
from warmxfer.schemas import DecodeError, decode_as, encode
from warmxfer.schemas.fields import Id

ANNOUNCE_EVERY_S = 2.0
ANNOUNCE_PAUSE_S = 0.25
"""Shortest time between two announcements. A change is announced that soon."""
LIVE_S = 7.0
"""Without an announcement for this long a process counts as dead. It sends three in that time."""
WAIT_STEP_S = 0.5
"""Smallest change of `wait_s` that is announced at once."""

log = structlog.get_logger(__name__)


class RoleCapacity(Struct, frozen=True, omit_defaults=True):
    """The jobs of one process. `live` is false if it stops."""

    instance: Id
    places: int
    taken: int = 0
    wait_s: float = 0.0
    """How long a new request to the provider waits for the provider's rate limit."""
    rate_per_s: float = 0.0
    """Requests a second that this process may send to the provider; 0: no limit."""
    live: bool = True


ReadCapacity = Callable[[], RoleCapacity]
OnCapacity = Callable[[str, RoleCapacity], None]


def new_instance() -> str:
    """Return the name of this process in its announcements."""
    return secrets.token_hex(8)


class CapacityAnnouncer:
    """Announces what `read` returns, every `ANNOUNCE_EVERY_S` and after a change. At its end it says so."""

    def __init__(self, bus: Bus, role: str, read: ReadCapacity) -> None:
        self._bus = bus
        self._subject = subjects.capacity(role)
        self._read = read
        self._has_changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """Note that what `read` returns may have changed."""
        self._has_changed.set()

    async def __aenter__(self) -> CapacityAnnouncer:
        self._task = asyncio.create_task(self._announce(), name=self._subject)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _end(self._task)
        await self._bus.announce(self._subject, encode(replace(self._read(), live=False)))

    async def _announce(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            sent, due_at = self._read(), clock() + ANNOUNCE_EVERY_S
            await self._bus.announce(self._subject, encode(sent))
            await asyncio.sleep(ANNOUNCE_PAUSE_S)
            while clock() < due_at and not _differs(sent, self._read()):
                self._has_changed.clear()
                await self._until_changed(due_at)

    async def _until_changed(self, due_at: float) -> None:
        """Wait until something may have changed, or until `due_at`."""
        try:
            async with asyncio.timeout_at(due_at):
                await self._has_changed.wait()
        except TimeoutError:
            return


class CapacityFollower:
    """Calls `on_capacity(role, capacity)` for each announcement, of one role or of all."""

    def __init__(self, bus: Bus, on_capacity: OnCapacity, role: str | None = None) -> None:
        self._announcements = bus.subscribe(subjects.capacity(role) if role else subjects.ANY_CAPACITY)
        self._on_capacity = on_capacity
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> CapacityFollower:
        await self._announcements.__aenter__()
        self._task = asyncio.create_task(self._follow(), name="capacity")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _end(self._task)
        await self._announcements.__aexit__(kind, error, trace)

    async def _follow(self) -> None:
        async for message in self._announcements:
            try:
                capacity = decode_as(RoleCapacity, message.data)
            except DecodeError as error:
                log.warning("capacity_not_decoded", error=str(error))
                continue
            self._on_capacity(subjects.role_of_capacity(message.subject), capacity)


def _differs(sent: RoleCapacity, now: RoleCapacity) -> bool:
    if (sent.places, sent.taken, sent.rate_per_s) != (now.places, now.taken, now.rate_per_s):
        return True
    return abs(sent.wait_s - now.wait_s) >= WAIT_STEP_S


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
