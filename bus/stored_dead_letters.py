"""Dead letters as the stream holds them: one by its number, or the newest ones of all transfers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import structlog

from . import subjects
from .bus import Bus
from .dead_letters import DeadLetterBody
from .errors import InvalidRequest
from .messages import Stored

FIRST_WINDOW = 1_024
"""Numbers of the stream in which the newest dead letters are looked for first."""
MAX_READ = 20_000
"""Dead letters that are read at once."""

log = structlog.get_logger(__name__)


class NoSuchDeadLetter(InvalidRequest):
    """There is no dead letter with this number."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"number is {number}, but no dead letter has this number; see `warmxfer dead-letters`",
            field="number",
        )


class StoredDeadLetter(NamedTuple):
    """A dead letter as the stream stores it: its own number and time, the transfer, and its body."""

    number: int
    at: float
    transfer_id: str
    body: DeadLetterBody


def read_dead_letter(stored: Stored) -> StoredDeadLetter:
    """Return the dead letter that a message on `ANY_DEAD_LETTER` holds. Raises InvalidRequest if none."""
    id = subjects.parse(stored.subject).id
    try:
        body = msgspec.json.decode(stored.data, type=DeadLetterBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"Message {stored.seq} is not a dead letter") from error
    return StoredDeadLetter(stored.seq, stored.at, id, body)


async def find_dead_letter(bus: Bus, number: int) -> StoredDeadLetter:
    """Return the dead letter with this number. Raises `NoSuchDeadLetter`."""
    stored = await bus.history(subjects.ANY_DEAD_LETTER, 1, after=number - 1) if number > 0 else []
    if not stored or stored[0].seq != number:
        raise NoSuchDeadLetter(number)
    return read_dead_letter(stored[0])


async def newest_dead_letters(bus: Bus, limit: int) -> list[StoredDeadLetter]:
    """Return the newest `limit` dead letters, newest first. A message that cannot be read is left out.

    Reads the stream back from its end, in windows that grow: other events may lie between two dead letters.
    """
    newest = await bus.get_last(subjects.ANY_DEAD_LETTER)
    if newest is None:
        return []
    first = (await bus.stream_span(subjects.EVENTS)).first_seq
    found: list[StoredDeadLetter] = []
    end, window = newest.seq, FIRST_WINDOW
    while end >= first and len(found) < limit:
        after = max(first - 1, end - window)
        stored = await bus.history(subjects.ANY_DEAD_LETTER, MAX_READ, after=after)
        within = [each for each in stored if each.seq <= end]
        if len(stored) == MAX_READ and window > MAX_READ:
            window = MAX_READ  # so many dead letters that the newest of this window were not read
            continue
        found += _readable(reversed(within))
        end, window = after, 4 * window
    return found[:limit]


def _readable(stored: Iterable[Stored]) -> list[StoredDeadLetter]:
    found: list[StoredDeadLetter] = []
    for each in stored:
        try:
            found.append(read_dead_letter(each))
        except InvalidRequest as error:
            log.info("dead_letter_not_decoded", error=str(error))
    return found
