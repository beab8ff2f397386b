"""`TransferHandle`: follow one transfer, wait for its result, cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from warmxfer.bus import AccessDenied, Bus, Busy, Stored, Unavailable, subjects
from warmxfer.bus.polling import Follower, growing_pauses
from warmxfer.schemas import (
    CancelRequest,
    InvalidRequest,
    PhaseChanged,
    RetryableError,
    TransferNotice,
    WarmTransferResult,
    decode_result,
    encode,
    read_cancel,
)
from warmxfer.schemas.api import TransferQuery
from warmxfer.schemas.id_in_use import IdInUse, same_request

from .archived import archived_phases, archived_result, find_archived, find_archived_summary
from .errors import (
    MAX_START_WAIT_S,
    START_TIMEOUT_S,
    ErasedTransfer,
    NoCoordinator,
    NoSuchTransfer,
    NotStarted,
    StillRunning,
)
from .notice_stream import follow_notices, stored_notices
from .phase_stream import follow_phases, phase_of

RESULT_TIMEOUT_S = 600.0
MAX_POLL_PAUSE_S = 5.0


class TransferHandle:
    """One transfer, as returned by `Client.request` and `Client.transfer`."""

    def __init__(self, bus: Bus, id: str) -> None:
        self._bus = bus
        self.id = subjects.check_token(id)

    async def phases(self, *, from_start: bool = True) -> AsyncGenerator[PhaseChanged, None]:
        """Yield every phase once, in order, the final one last. `from_start` False: only later phases.

        If the first phase does not arrive, raises `NoSuchTransfer` if no transfer with this id was requested,
        `NoCoordinator` if none answers, and `NotStarted` if one does.
        """
        seen = None if from_start else await self.newest_phase()
        if seen and seen.phase.final:
            return
        phases = follow_phases(self._bus, self.id, after_seq=seen.seq if seen else 0)
        async with aclosing(phases):
            if seen is None:
                yield await self._first_phase(phases)
            async for phase in phases:
                yield phase

    async def notices(self, *, follow: bool = True) -> AsyncGenerator[TransferNotice, None]:
        """Yield every notice once, in order. `follow` False: only those so far.

        With `follow` it does not end by itself, because a notice may come after the result.
        """
        if not follow:
            for notice in await stored_notices(self._bus, self.id):
                yield notice
            return
        async with aclosing(follow_notices(self._bus, self.id)) as notices:
            async for notice in notices:
                yield notice

    async def result(self, timeout_s: float = RESULT_TIMEOUT_S) -> WarmTransferResult:
        """Block until the transfer has ended, and return its result.

        Raises as `phases` does, and `StillRunning` after `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                async with aclosing(follow_phases(self._bus, self.id)) as phases:
                    await self._first_phase(phases)
                return await self._wait_for_result()
        except TimeoutError as error:
            raise StillRunning(f"Transfer {self.id} has not ended within {timeout_s:g} s") from error

    async def cancel(self, reason: str = CancelRequest().reason) -> None:
        """Cancel the transfer: the caller is returned to the AI, and it ends with `transfer_cancelled`.

        Only publishes. One that no coordinator can carry out becomes a dead letter; `Client.cancel` raises
        instead if there is no such transfer, or if it has ended.
        """
        cancel = read_cancel(encode(CancelRequest(reason)))
        await self._bus.publish(subjects.cancel(self.id), encode(cancel), msg_id=f"{self.id}:cancel")

    async def exists(self) -> bool:
        """Return whether the transfer was requested."""
        if await self._bus.get_last(subjects.request(self.id)) is not None:
            return True
        return await archived_result(self._bus, self.id) is not None

    async def check_same_request(self, data: bytes) -> None:
        """Raise `IdInUse` if the stored request with this id is not `data`.

        It owns the id: coordinators remove a request that they refuse for its id. Until then the newest one
        counts. Raises `Unavailable` if no replica shows it in time.
        """
        if not same_request((await self._stored_request()).data, data):
            newest = await self.newest_phase()
            raise IdInUse(self.id, newest.phase if newest else None)

    async def check_not_archived(self, data: bytes) -> bool:
        """Return False if the transfer is archived with this request. Raises `IdInUse` for another one."""
        archived = await find_archived(self._bus, self.id)
        if archived is None:
            return True
        if not same_request(archived.request, data, archived.without):
            summary = await find_archived_summary(self._bus, self.id)
            raise IdInUse(
                self.id,
                None if summary is None else summary.phase,
                erased=summary is not None and summary.erased,
            )
        return False

    async def unknown(self) -> NoSuchTransfer:
        """Return the error for a transfer without a stored message: it was erased, or never existed."""
        summary = await find_archived_summary(self._bus, self.id)
        erased = summary is not None and summary.erased
        return ErasedTransfer(self.id) if erased else NoSuchTransfer(self.id)

    async def newest_phase(self) -> PhaseChanged | None:
        """Return the newest phase, or None if the transfer has not started, or does not exist."""
        stored = await self._bus.get_last(subjects.phase(self.id))
        if stored is not None:
            return phase_of(stored)
        return next(reversed(await archived_phases(self._bus, self.id)), None)

    async def _stored_request(self) -> Stored:
        """Return the request with this id. Waits while the replica that answers has none yet."""
        pauses_s = growing_pauses(MAX_POLL_PAUSE_S)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while True:
                    if stored := await self._bus.get_last(subjects.request(self.id)):
                        return stored
                    await asyncio.sleep(next(pauses_s))
        except TimeoutError as error:
            raise Unavailable(f"The broker did not show the request of transfer {self.id} in time") from error

    async def _first_phase(self, phases: AsyncIterator[PhaseChanged]) -> PhaseChanged:
        """Return the first phase. While a coordinator is there, the request may wait for a free place."""
        arriving = asyncio.ensure_future(anext(phases))
        try:
            if (await asyncio.wait({arriving}, timeout=START_TIMEOUT_S))[0]:
                return arriving.result()
            if not await self.exists():
                raise await self.unknown()
            if not await self._a_coordinator_answers():
                raise NoCoordinator(START_TIMEOUT_S)
            if (await asyncio.wait({arriving}, timeout=MAX_START_WAIT_S))[0]:
                return arriving.result()
            raise NotStarted(self.id)
        finally:
            if not arriving.done():
                arriving.cancel()
                await asyncio.wait({arriving})

    async def _a_coordinator_answers(self) -> bool:
        try:
            await self._bus.request(subjects.api("status"), encode(TransferQuery(self.id)), START_TIMEOUT_S)
        except Busy:
            return True
        except RetryableError:
            return False
        except InvalidRequest as error:
            # Any other answer comes from a coordinator, which may know no such transfer yet.
            return not isinstance(error, AccessDenied)
        return True

    async def _wait_for_result(self) -> WarmTransferResult:
        subject = subjects.result(self.id)
        async with Follower(self._bus, subject) as follower:
            while True:
                if stored := await self._bus.get_last(subject):
                    return decode_result(stored.data)
                if archived := await archived_result(self._bus, self.id):
                    return archived
                if message := await follower.next():
                    return decode_result(message.data)
