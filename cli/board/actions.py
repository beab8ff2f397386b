"""What the page may change, if the board has actions: cancel a transfer, replay a dead letter."""

from __future__ import annotations

import structlog

from warmxfer.bus import Bus, NoReply, subjects
from warmxfer.client import Client, NoCoordinator
from warmxfer.schemas import ReplayReply, encode
from warmxfer.schemas.api import CancelQuery

CANCEL_TIMEOUT_S = 10.0
REASON = "cancelled on the board"

log = structlog.get_logger(__name__)


async def cancel(bus: Bus, id: str) -> None:
    """Ask a coordinator to cancel a transfer. Raises `InvalidRequest` if it has ended; `NoCoordinator`."""
    query = encode(CancelQuery(subjects.check_token(id), REASON))
    try:
        await bus.request(subjects.api("cancel"), query, CANCEL_TIMEOUT_S)
    except NoReply as error:
        raise NoCoordinator from error
    log.info("board_cancelled", transfer_id=id)


async def replay(client: Client, number: int) -> ReplayReply:
    """Ask a coordinator to handle a message again. Raises `InvalidRequest` if that could do harm."""
    reply = await client.replay(number)
    log.info("board_replayed", dead_letter=number)
    return reply
