"""`attach_agent_session`: puts a live `AgentSession` on the bus, and tells the bus what happens in its room.

    async with attach_agent_session(bus, session) as attachment:
        await attachment.detached()

To be called on the session's loop and in the session's context, after `ctx.connect()`: everything the proxy
does runs in tasks that begin here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from warmxfer.actors.primary import Attachment, attach
from warmxfer.actors.primary.lease import DEFAULT_LEASE_S
from warmxfer.bus import Bus

from .framework import events_of, pipeline_of, room_of
from .people import id_if_here
from .session import AgentSessionAdapter

CLOSING = "closing"


@asynccontextmanager
async def attach_agent_session(
    bus: Bus, session: Any, name: str | None = None, *, lease_s: float = DEFAULT_LEASE_S
) -> AsyncIterator[Attachment]:
    """`primary.attach` for an `AgentSession`; `name` is the room's id when left out.

    Raises `Refused` when the job is not connected to a room yet.
    """
    async with attach_adapter(bus, AgentSessionAdapter(session), name, lease_s=lease_s) as attachment:
        yield attachment


@asynccontextmanager
async def attach_adapter(
    bus: Bus, adapter: AgentSessionAdapter, name: str | None = None, *, lease_s: float = DEFAULT_LEASE_S
) -> AsyncIterator[Attachment]:
    """The same, for whoever needs the adapter as well."""
    async with attach(bus, adapter, name, lease_s=lease_s) as attachment:
        with _watched(adapter.session, attachment):
            yield attachment


@contextmanager
def _watched(session: Any, attachment: Attachment) -> Iterator[None]:
    """Pass on who left, who is heard, and the session's end. The framework calls these on its own loop."""
    events = events_of(session)

    def on_left(told: dict[str, Any]) -> None:
        if id := id_if_here(room_of(session), told.get("participant")):
            attachment.participant_left(id)

    def on_audio(told: dict[str, Any]) -> None:
        if id := id_if_here(room_of(session), told.get("participant")):
            attachment.audio_enabled(id)

    def on_state(told: dict[str, Any]) -> None:
        if told.get("state") == CLOSING:
            attachment.closed()

    heard = (
        (events, "PARTICIPANT_LEFT", on_left),
        (events, "AUDIO_STREAM_ENABLED", on_audio),
        (session, "agent_state_changed", on_state),
    )
    for emitter, event, handler in heard:
        emitter.on(event, handler)
    try:
        if pipeline_of(session) is None:
            attachment.closed()
        yield
    finally:
        for emitter, event, handler in heard:
            emitter.off(event, handler)
