"""Joins a room once a gateway issues tokens, the room exists, and no other agent is in it.

The cloud disconnects a participant when another joins with the same id. Two agents for one room would
disconnect each other in a loop. So `join_room` asks on the bus first, and waits while another agent replies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from warmxfer.adapters.rooms import NoSuchRoom
from warmxfer.bus import AccessDenied, Bus, Busy, NoReply, RetryableError, subjects
from warmxfer.bus.polling import growing_pauses
from warmxfer.schemas import HistoryQuery, InvalidRequest, encode

from .session import SandboxSession

WAIT_S = 30.0
"""How long a room may be missing or served by another agent."""

ASK_TIMEOUT_S = 1.0
MAX_PAUSE_S = 4.0

log = structlog.get_logger(__name__)


class RoomTaken(InvalidRequest):
    """Another process runs the AI agent of this room."""

    def __init__(self, room_id: str) -> None:
        super().__init__(
            f"WARMXFER_ROOM_ID has {room_id!r}, but another process runs the AI agent of this room; "
            "give every process rooms of its own",
            field="WARMXFER_ROOM_ID",
        )


class JoinTimedOut(RetryableError):
    """No gateway, or no cloud, let the AI agent into its room in time."""

    def __init__(self, room_id: str, within_s: float, cause: RetryableError) -> None:
        why = (
            "no gateway replied; start one with `warmxfer run gateway`"
            if isinstance(cause, NoReply)
            else str(cause)
        )
        super().__init__(f"Room {room_id} could not be joined within {within_s:g} s: {why}")


async def join_room(
    bus: Bus, session: SandboxSession, on_wait: Callable[[], None], *, within_s: float
) -> None:
    """Join the room. Wait for a gateway for `within_s` at most.

    If the room is missing or served by another agent, call `on_wait` and wait at most `WAIT_S`.
    Raises `JoinTimedOut`, `RoomTaken`, or `InvalidRequest` if the room was not opened, after that time.
    """
    now, room_id, pause_s = asyncio.get_running_loop().time, session.room_id, growing_pauses(MAX_PAUSE_S)
    began_at = now()
    while True:
        try:
            if await _is_taken(bus, room_id):
                raise RoomTaken(room_id)
            return await session.join()
        except RetryableError as error:
            wait_s = max(error.after_s, next(pause_s))
            if now() + wait_s > began_at + within_s:
                raise JoinTimedOut(room_id, within_s, error) from None
            log.warning("join_postponed", room_id=room_id, error=str(error), retry_in_s=wait_s)
            await asyncio.sleep(wait_s)
        except (NoSuchRoom, RoomTaken) as error:
            on_wait()
            wait_s = next(pause_s)
            if now() + wait_s > began_at + WAIT_S:
                raise _room_missing(room_id) if isinstance(error, NoSuchRoom) else error from None
            log.warning("join_postponed", room_id=room_id, error=str(error), retry_in_s=wait_s)
            await asyncio.sleep(wait_s)


async def _is_taken(bus: Bus, room_id: str) -> bool:
    """Return whether a session of this room replies. A process that was killed or hangs does not.

    The query names no transfer, so a session refuses it. A refusal is a reply.
    """
    try:
        await bus.request(subjects.ask_history(room_id), encode(HistoryQuery()), ASK_TIMEOUT_S)
    except NoReply:
        return False
    except AccessDenied:
        log.info("agent_query_denied", room_id=room_id)
        return False
    except (Busy, InvalidRequest):
        return True
    return True


def _room_missing(room_id: str) -> InvalidRequest:
    return InvalidRequest(
        f"WARMXFER_ROOM_ID has {room_id!r}, but no such room was opened within {WAIT_S:g} s; "
        "place a call into this room, or give another room",
        field="WARMXFER_ROOM_ID",
    )
