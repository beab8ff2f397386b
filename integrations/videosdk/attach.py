"""`attach_agent_session`: puts a live `AgentSession` on the bus, and tells the bus what happens in its room.

    async with attach_agent_session(bus, session) as attachment:
        await attachment.detached()

To be called on the session's loop and in the session's context, after `ctx.connect()`: everything the proxy
does runs in tasks that begin here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from warmxfer.actors.primary import Attachment
from warmxfer.actors.primary.hold_lease import DEFAULT_LEASE_S
from warmxfer.bus import Bus

from .bus_registration import BusRegistration
from .per_session import per_session


@asynccontextmanager
async def attach_agent_session(
    bus: Bus, session: Any, name: str | None = None, *, lease_s: float = DEFAULT_LEASE_S
) -> AsyncIterator[Attachment]:
    """`primary.attach` for an `AgentSession`; `name` is the room's id when left out.

    A session that is on the bus already, by hand or by the drop-in, stays where it is, and its attachment is
    shared. Raises `Refused` when the job is not connected to a room yet, or the session is on the bus under
    another name, or on another bus.
    """
    async with per_session(session, BusRegistration).register(bus, name, lease_s=lease_s) as attachment:
        yield attachment
