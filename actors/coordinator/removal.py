"""Removal of an archived transfer from the working streams: by purges, or with its bytes overwritten.

A purge is cheap, and leaves the text in the files of the broker until it writes them again. Overwriting costs
a request and the writing of a block for each message (`bus/removal.py`), so it is a setting
(`WARMXFER_ARCHIVE_OVERWRITE`). `warmxfer erase` always overwrites.
"""

from __future__ import annotations

import asyncio

from warmxfer.bus import Bus, Stored, subjects
from warmxfer.bus.messages import TTL
from warmxfer.bus.transfer_log import MAX_RECORDS
from warmxfer.schemas import undecoded_transfer_id

from .caller_lock import lock_holder

MAX_OF_SESSION = 1_000


class Removal:
    """Removes what the working streams hold of a transfer. With `overwrite`, no byte of it stays on disk."""

    def __init__(self, bus: Bus, *, overwrite: bool) -> None:
        self._bus = bus
        self._overwrite = overwrite

    async def remove(self, id: str, session: str, *, last: int | None, trigger: int, until: float) -> int:
        """Remove transfer `id`, except its last record, number `last`; return how many messages.

        The message number `trigger` goes last: it is redelivered until all is removed. What users wrote after
        `until` stays: it is answered as a late message. Idempotent.
        """
        own = subjects.for_actors(id)
        removed = await asyncio.gather(
            self._remove_requests(own, until),
            self.take(subjects.EVENTS, own),
            self._remove_dead_letters(id),
            self._remove_for_users(id),
            self._remove_of_session(id, session),
        )
        return sum(removed) + await self.take(subjects.CORE, own, before=last, trigger=trigger)

    async def take(self, stream: str, subject: str, *, before: int | None = None, trigger: int = 0) -> int:
        """Remove the messages on `subject` with a number below `before`, `trigger` last; return how many."""
        removed = 0
        if self._overwrite:
            removed = await self._bus.overwrite(stream, subject, before=before, keep=(trigger,))
            if not trigger:
                return removed
        return removed + await self._bus.purge(stream, subject, before=before)

    async def _remove_requests(self, own: str, until: float) -> int:
        stored = await self._bus.history(own, MAX_RECORDS, stream=subjects.IN)
        old = [each.seq for each in stored if each.at <= until]
        return await self.take(subjects.IN, own, before=old[-1] + 1) if old else 0

    async def _remove_dead_letters(self, id: str) -> int:
        if await self._bus.get_last(subjects.dead_letter(id)) is None:
            return 0
        return await self.take(subjects.EVENTS, subjects.dead_letter(id))

    async def _remove_for_users(self, id: str) -> int:
        """Remove what users read of the transfer. A notice that came after its end expires by itself."""
        subject = subjects.for_users(id)
        stored = await self._bus.history(subject, MAX_RECORDS, stream=subjects.PUBLIC)
        own = [each.seq for each in stored if TTL not in each.headers]
        return await self.take(subjects.PUBLIC, subject, before=own[-1] + 1) if own else 0

    async def _remove_of_session(self, id: str, session: str) -> int:
        """Remove the transfer's commands to its session, and its lock. Those of other transfers stay."""
        if not session:
            return 0
        subject = subjects.of_session(session)
        stored = await self._bus.history(subject, MAX_OF_SESSION, stream=subjects.CORE)
        own = [each for each in stored if _owner(each) == id]
        if own and all(_owner(each) == id for each in stored if each.seq <= own[-1].seq):
            return await self.take(subjects.CORE, subject, before=own[-1].seq + 1)
        for each in own:
            await self._bus.delete(subjects.CORE, each.seq, overwrite=self._overwrite)
        return len(own)


def _owner(stored: Stored) -> str | None:
    """Return the transfer that a command to a session, or the lock of its caller, belongs to."""
    if stored.subject.endswith(".lock"):
        return lock_holder(stored)
    return undecoded_transfer_id(stored.data)
