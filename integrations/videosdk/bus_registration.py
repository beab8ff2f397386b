"""The one registration of a session on the bus, shared by all requests for it.

With two registrations each command would run twice: hold line, apology and phases would come double. A later
request shares the registration and its settings; with other settings it is refused. When the first requester
leaves, the registration ends for all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog

from warmxfer.actors.primary import Attachment, attach
from warmxfer.actors.primary.hold_lease import DEFAULT_LEASE_S
from warmxfer.bus import Bus, BusSettings
from warmxfer.bus.subject_table import PRIMARY
from warmxfer.schemas import InvalidRequest
from warmxfer.tracing import traces

from .per_session import per_session
from .room_events import relay_room_events
from .session_adapter import AgentSessionAdapter

log = structlog.get_logger(__name__)


class BusRegistration:
    """The registration of one session. Get it by `per_session(session, BusRegistration)` only."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._registering = asyncio.Lock()
        self.bus: Bus | None = None
        """The connection that the session is registered on; None while it is not registered."""
        self.attachment: Attachment | None = None

    @asynccontextmanager
    async def register(
        self, bus: Bus, name: str | None = None, *, lease_s: float = DEFAULT_LEASE_S
    ) -> AsyncIterator[Attachment]:
        """Register on `bus` as `name` (default: the room's id), or share the registration that exists.

        Raises `InvalidRequest` if the job has no room yet, or if name or bus differ from the registration.
        """
        async with AsyncExitStack() as stack:
            async with self._registering:
                if self.attachment is None:
                    await stack.enter_async_context(self._registered(bus, name, lease_s))
                attachment = self.check_same(bus.settings, name)
            yield attachment

    def check_same(self, settings: BusSettings, name: str | None = None) -> Attachment:
        """Return the attachment; raises `InvalidRequest` if bus or name differ. Call it while registered."""
        assert self.attachment is not None
        assert self.bus is not None
        if name not in (None, self.attachment.name):
            raise InvalidRequest(
                f"name is {name!r}, but the session is on the bus already, as {self.attachment.name!r}: "
                "it cannot have two names; leave one out.",
                field="name",
            )
        if settings.url != self.bus.settings.url:
            given, used = settings.shown_url, self.bus.settings.shown_url
            if given == used:
                sentence = f"nats_url has another login than the session, which is on {used} already"
            else:
                sentence = f"nats_url is {given}, but the session is on {used} already: it cannot be on two"
            raise InvalidRequest(f"{sentence}; leave one out.", field="nats_url")
        return self.attachment

    @asynccontextmanager
    async def _registered(self, bus: Bus, name: str | None, lease_s: float) -> AsyncIterator[None]:
        adapter = per_session(self._session, AgentSessionAdapter)
        async with _session_traces(), attach(bus, adapter, name, lease_s=lease_s) as attachment:
            with relay_room_events(self._session, attachment):
                self.bus, self.attachment = bus, attachment
                try:
                    yield
                finally:
                    # Notify those that share it: nothing else would end their wait.
                    attachment.closed()
                    self.bus = self.attachment = None


@asynccontextmanager
async def _session_traces() -> AsyncIterator[None]:
    """Record spans as an actor does, if `WARMXFER_TRACES` says so.

    A setting that cannot be used is logged. It costs the spans, and no caller their transfer.
    """
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(traces(os.environ, PRIMARY))
        except InvalidRequest as error:
            log.warning("traces_not_started", error=str(error))
        yield
