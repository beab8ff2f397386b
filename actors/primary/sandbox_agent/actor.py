"""`warmxfer run primary`: AI sessions in rooms of the sandbox, each attached to the bus.

In a product of your own this file is your voice agent, and all it takes from here is `attach`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from warmxfer.adapters.rooms import (
    DisconnectReason,
    JoinOptions,
    RoomSettings,
    open_room_client,
    token_source,
)
from warmxfer.bus import Bus
from warmxfer.schemas import WarmxferError

from ..attach import attach
from .join import RoomTaken, join_room
from .session import SandboxSession, agent_id
from .settings import PrimarySettings

LEAVE_TIMEOUT_S = 3.0

log = structlog.get_logger(__name__)


async def run(bus: Bus, settings: PrimarySettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve every room until cancelled, or until all calls are over. One room's failure is its own.

    `ready` is called once somebody is served, and there is no room any more whose session is still on its
    way in. Raises `Refused` when no room could be served at all.
    """
    rooms = _SandboxAgents(settings.room_ids, ready)
    async with asyncio.TaskGroup() as tasks:
        for room_id in settings.room_ids:
            tasks.create_task(_serve(bus, settings, room_id, rooms), name=f"session-{room_id}")
    if rooms.failed.keys() >= set(settings.room_ids):
        raise rooms.failed[settings.room_ids[0]]


class _SandboxAgents:
    """How far each room is, and when that makes this process one that is at work."""

    def __init__(self, room_ids: Sequence[str], ready: Callable[[], None]) -> None:
        self.failed: dict[str, WarmxferError] = {}
        self._on_the_way = set(room_ids)
        self._served = self._told = False
        self._ready = ready

    def serve(self, room_id: str) -> None:
        """Its session is on the bus."""
        self._served = True
        self.pass_by(room_id)

    def fail(self, room_id: str, error: WarmxferError) -> None:
        self.failed[room_id] = error
        self.pass_by(room_id)

    def pass_by(self, room_id: str) -> None:
        """It is not waited for before we are ready."""
        self._on_the_way.discard(room_id)
        if self._served and not self._on_the_way and not self._told:
            self._told = True
            self._ready()


async def _serve(bus: Bus, settings: PrimarySettings, room_id: str, rooms: _SandboxAgents) -> None:
    """Be with the caller of one room; a connection that is lost for good is no reason to leave them alone."""
    while await _converse(bus, settings, room_id, rooms):
        log.warning("session_begins_again", room_id=room_id)


async def _converse(bus: Bus, settings: PrimarySettings, room_id: str, rooms: _SandboxAgents) -> bool:
    who = agent_id(room_id)
    voice = open_room_client(
        RoomSettings(), JoinOptions(room_id, who, "Agent", token_source(bus, room_id, who))
    )
    session = SandboxSession(room_id, voice)
    try:
        await join_room(bus, session, lambda: rooms.pass_by(room_id))
        async with attach(bus, session, lease_s=settings.lease_s) as attachment:
            log.info("session_attached", session=attachment.name)
            rooms.serve(room_id)
            end = await session.converse(attachment)
        if end is DisconnectReason.REPLACED:
            raise RoomTaken(room_id)
        return end is DisconnectReason.LOST and session.caller_participant_id is not None
    except WarmxferError as error:
        log.error("session_failed", room_id=room_id, error=str(error))
        rooms.fail(room_id, error)
        return False
    finally:
        async with asyncio.timeout(LEAVE_TIMEOUT_S):
            await voice.leave()
