"""`warmxfer run primary`: AI sessions in rooms of the sandbox, each attached to the bus.

In a product of your own this file is your voice agent, and all it takes from here is `attach`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from warmxfer.actors.voices import Seat, VoiceSettings, open_voice, ticket_from
from warmxfer.bus import Bus, Retry
from warmxfer.schemas import WarmTransferError

from .proxy import attach
from .sandbox_session import SandboxSession, agent_id
from .settings import PrimarySettings

RETRY_PAUSE_S = 0.5
LEAVE_TIMEOUT_S = 3.0

log = structlog.get_logger(__name__)


async def run(bus: Bus, settings: PrimarySettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve every room until cancelled, or until all calls are over. One room's failure is its own.

    `ready` is called once there is no room any more whose session is still on its way in.
    """
    on_the_way = set(settings.room_ids)

    def arrived(room_id: str) -> None:
        if room_id in on_the_way:
            on_the_way.remove(room_id)
            if not on_the_way:
                ready()

    async with asyncio.TaskGroup() as rooms:
        for room_id in settings.room_ids:
            rooms.create_task(_serve(bus, settings, room_id, arrived), name=f"session-{room_id}")


async def _serve(bus: Bus, settings: PrimarySettings, room_id: str, arrived: Callable[[str], None]) -> None:
    """Be with the caller of one room; a connection that is lost for good is no reason to leave them alone."""
    while await _converse(bus, settings, room_id, arrived):
        log.warning("session_begins_again", room_id=room_id)


async def _converse(
    bus: Bus, settings: PrimarySettings, room_id: str, arrived: Callable[[str], None]
) -> bool:
    who = agent_id(room_id)
    voice = open_voice(VoiceSettings(), Seat(room_id, who, "Agent", ticket_from(bus, room_id, who)))
    session = SandboxSession(room_id, voice)
    try:
        await _join(session)
        async with attach(bus, session, lease_s=settings.lease_s) as attachment:
            log.info("session_attached", session=attachment.name)
            arrived(room_id)
            return await session.converse(attachment)
    except WarmTransferError as error:
        log.error("session_failed", room_id=room_id, error=str(error))
        arrived(room_id)
        return False
    finally:
        async with asyncio.timeout(LEAVE_TIMEOUT_S):
            await voice.leave()


async def _join(session: SandboxSession) -> None:
    """Enter the room, however long the gateway takes to come up and give out tokens."""
    while True:
        try:
            return await session.join()
        except Retry as error:
            log.warning("session_waits_to_join", room_id=session.room_id, error=str(error))
            await asyncio.sleep(max(error.after_s, RETRY_PAUSE_S))
