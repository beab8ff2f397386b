"""The newest dead letters of all transfers."""

from __future__ import annotations

import structlog

from warmxfer.bus import Bus, InvalidRequest, StoredDeadLetter, read_dead_letter, subjects

MAX_READ = 20_000
"""Dead letters that are read to find the newest ones. Workers write at most 5 a second in a flood."""

log = structlog.get_logger(__name__)


async def newest_dead_letters(bus: Bus, limit: int) -> list[StoredDeadLetter]:
    """Return the newest `limit` dead letters, newest first. What is no dead letter is left out."""
    stored = await bus.history(subjects.ANY_DEAD_LETTER, MAX_READ)
    found: list[StoredDeadLetter] = []
    for each in reversed(stored):
        try:
            found.append(read_dead_letter(each))
        except InvalidRequest as error:
            log.info("dead_letter_not_decoded", error=str(error))
        if len(found) == limit:
            break
    return found
