"""A session's place on the bus: one, however many ask for it.

With two, every command would be obeyed twice: the hold line, the apology and each phase would come double.
Who asks while it is taken shares it, on the terms of the one who took it first, and loses it when that one
goes. Terms that contradict are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from warmxfer.actors.primary import Attachment, attach
from warmxfer.actors.primary.hold_lease import DEFAULT_LEASE_S
from warmxfer.bus import Bus, BusSettings
from warmxfer.schemas import InvalidRequest

from .per_session import per_session
from .room_events import relay_room_events
from .session_adapter import AgentSessionAdapter


class BusRegistration:
    """Where one session is on the bus: `own(session, Place)`, never made otherwise."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._opening = asyncio.Lock()
        self.bus: Bus | None = None
        """The connection the session is on; None while it is on none."""
        self.attachment: Attachment | None = None

    @asynccontextmanager
    async def register(
        self, bus: Bus, name: str | None = None, *, lease_s: float = DEFAULT_LEASE_S
    ) -> AsyncIterator[Attachment]:
        """Be on `bus` as `name`, the room's id when left out.

        Raises `Refused` when the job is not connected to a room yet, or the session is elsewhere already.
        """
        async with AsyncExitStack() as stack:
            async with self._opening:
                if self.attachment is None:
                    await stack.enter_async_context(self._opened(bus, name, lease_s))
                attachment = self.check_same(bus.settings, name)
            yield attachment

    def check_same(self, settings: BusSettings, name: str | None = None) -> Attachment:
        """The attachment, when these are its terms; raises `Refused` when not. Only for a place taken."""
        assert self.attachment is not None
        assert self.bus is not None
        if name not in (None, self.attachment.name):
            raise InvalidRequest(
                f"name is {name!r}, but the session is on the bus already, as {self.attachment.name!r}: "
                "it cannot have two names; leave one out.",
                field="name",
            )
        if settings.url != self.bus.settings.url:
            raise InvalidRequest(
                f"nats_url is {settings.shown_url}, but the session is on {self.bus.settings.shown_url} "
                "already: it cannot be on two; leave one out.",
                field="nats_url",
            )
        return self.attachment

    @asynccontextmanager
    async def _opened(self, bus: Bus, name: str | None, lease_s: float) -> AsyncIterator[None]:
        adapter = per_session(self._session, AgentSessionAdapter)
        async with attach(bus, adapter, name, lease_s=lease_s) as attachment:
            with relay_room_events(self._session, attachment):
                self.bus, self.attachment = bus, attachment
                try:
                    yield
                finally:
                    # Those who share it are not left waiting for an end that nobody would tell them.
                    attachment.closed()
                    self.bus = self.attachment = None
