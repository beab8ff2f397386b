"""How many jobs a process has and how many are taken: announced, so that admission knows what is free.

    async with announcing(bus, "briefing", lambda: RoleCapacity(instance, places=50, taken=worker.in_flight)):
        ...

An announcement is stored nowhere and may be lost. It is an estimate: what depends on it may refuse a request
too early, or admit one too many.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog
from msgspec import Struct
from msgspec.structs import replace

from warmxfer.bus import Bus, subjects
from warmxfer.schemas import DecodeError, decode_as, encode

ANNOUNCE_EVERY_S = 2.0
CHECK_EVERY_S = 0.25
"""Shortest time between two announcements. A change is announced that soon."""
LIVE_S = 7.0
"""Without an announcement for this long a process counts as dead. It sends three in that time."""
WAIT_STEP_S = 0.5
"""Smallest change of `wait_s` that is announced at once."""

log = structlog.get_logger(__name__)


class RoleCapacity(Struct, frozen=True, omit_defaults=True):
    """The jobs of one process. `live` is false if it stops."""

    instance: str
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


@asynccontextmanager
async def announcing(bus: Bus, role: str, read: ReadCapacity) -> AsyncGenerator[None]:
    """Announce what `read` returns, every `ANNOUNCE_EVERY_S` and after a change. At the end, say so."""
    announcer = asyncio.create_task(_announce(bus, role, read), name=f"capacity {role}")
    try:
        yield
    finally:
        announcer.cancel()
        await asyncio.wait({announcer})
        await bus.announce(subjects.capacity(role), encode(replace(read(), live=False)))


async def _announce(bus: Bus, role: str, read: ReadCapacity) -> None:
    clock = asyncio.get_running_loop().time
    sent, due_at = None, clock()
    while True:
        now, capacity = clock(), read()
        if sent is None or now >= due_at or _differs(sent, capacity):
            await bus.announce(subjects.capacity(role), encode(capacity))
            sent, due_at = capacity, now + ANNOUNCE_EVERY_S
        await asyncio.sleep(CHECK_EVERY_S)


def _differs(sent: RoleCapacity, now: RoleCapacity) -> bool:
    return (sent.places, sent.taken, sent.rate_per_s) != (now.places, now.taken, now.rate_per_s) or abs(
        sent.wait_s - now.wait_s
    ) >= WAIT_STEP_S


@asynccontextmanager
async def following_capacity(bus: Bus, on_capacity: OnCapacity) -> AsyncGenerator[None]:
    """Call `on_capacity(role, capacity)` for each announcement while the context is open."""
    async with bus.subscribe(subjects.ANY_CAPACITY) as announcements:

        async def follow() -> None:
            async for message in announcements:
                try:
                    capacity = decode_as(RoleCapacity, message.data)
                except DecodeError as error:
                    log.warning("capacity_not_decoded", error=str(error))
                    continue
                on_capacity(message.subject.split(".")[1], capacity)

        follower = asyncio.create_task(follow(), name="capacity")
        try:
            yield
        finally:
            follower.cancel()
            await asyncio.wait({follower})
