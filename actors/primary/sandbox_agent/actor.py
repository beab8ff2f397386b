"""`warmxfer run primary`: AI sessions in sandbox rooms, each attached to the bus.

In a product of your own, your voice agent takes the place of this file. It needs only `attach`.
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
from warmxfer.schemas import WarmxferError, participant_ids

from ..attach import attach
from .join import RoomTaken, join_room
from .session import SandboxSession
from .settings import PrimarySettings

LEAVE_TIMEOUT_S = 3.0
FIRST_JOIN_S = 60.0
"""How long the first join may take. In a cluster that starts all at once, the gateway may start last."""
JOIN_AGAIN_S = 3_600.0
"""How long a session that lost its connection tries to get back to its caller."""

log = structlog.get_logger(__name__)


async def run(bus: Bus, settings: PrimarySettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve every room until cancelled, or until all calls are over. A failed room does not stop the others.

    Calls `ready` once at least one session is attached and no other session is still joining.
    Raises `InvalidRequest` or `RetryableError` if no room could be served.
    """
    readiness = _Readiness(settings.room_ids, ready)
    async with asyncio.TaskGroup() as tasks:
        for room_id in settings.room_ids:
            tasks.create_task(_serve_room(bus, settings, room_id, readiness), name=f"session-{room_id}")
    if readiness.failed.keys() >= set(settings.room_ids):
        raise readiness.failed[settings.room_ids[0]]


class _Readiness:
    """Progress of each room; calls `ready` when the process serves calls."""

    def __init__(self, room_ids: Sequence[str], ready: Callable[[], None]) -> None:
        self.failed: dict[str, WarmxferError] = {}
        self._pending = set(room_ids)
        self._any_served = self._reported = False
        self._ready = ready

    def mark_served(self, room_id: str) -> None:
        """Record that the session of this room is attached."""
        self._any_served = True
        self.stop_waiting_for(room_id)

    def mark_failed(self, room_id: str, error: WarmxferError) -> None:
        self.failed[room_id] = error
        self.stop_waiting_for(room_id)

    def stop_waiting_for(self, room_id: str) -> None:
        """Do not wait for this room before calling `ready`."""
        self._pending.discard(room_id)
        if self._any_served and not self._pending and not self._reported:
            self._reported = True
            self._ready()


async def _serve_room(bus: Bus, settings: PrimarySettings, room_id: str, readiness: _Readiness) -> None:
    """Serve the caller of one room; join again if the connection is lost while the caller is present."""
    join_s = FIRST_JOIN_S
    while await _run_session(bus, settings, room_id, readiness, join_s):
        join_s = JOIN_AGAIN_S
        log.warning("session_restarted", room_id=room_id)


async def _run_session(
    bus: Bus, settings: PrimarySettings, room_id: str, readiness: _Readiness, join_s: float
) -> bool:
    participant_id = participant_ids.session_agent(room_id)
    room = open_room_client(
        RoomSettings(),
        JoinOptions(
            room_id, participant_id, "Agent", token_source(bus, room_id, participant_id, session=room_id)
        ),
    )
    session = SandboxSession(room_id, room)
    try:
        await join_room(bus, session, lambda: readiness.stop_waiting_for(room_id), within_s=join_s)
        async with attach(bus, session, lease_s=settings.lease_s) as attachment:
            log.info("session_attached", session=attachment.name)
            readiness.mark_served(room_id)
            reason = await session.converse(attachment)
        if reason is DisconnectReason.REPLACED:
            raise RoomTaken(room_id)
        return reason is DisconnectReason.LOST and session.caller_participant_id is not None
    except WarmxferError as error:
        log.error("session_failed", room_id=room_id, error=str(error))
        readiness.mark_failed(room_id, error)
        return False
    finally:
        async with asyncio.timeout(LEAVE_TIMEOUT_S):
            await room.leave()
