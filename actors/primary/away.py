"""A caller who is away: moved to a supervisor, and perhaps to be brought back."""

from __future__ import annotations

import asyncio

from .session import Session

SILENT_STAY_S = 600.0
"""How long the AI stays when the bus has fallen silent: until it is told what came of its transfer."""
POLL_EVERY_S = 0.25


async def wait_for_return(session: Session, within_s: float) -> bool:
    """Wait until the caller is in the session's room; False when they did not come `within_s`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while loop.time() < until:
        if session.caller_participant_id is not None:
            return True
        await asyncio.sleep(POLL_EVERY_S)
    return False
