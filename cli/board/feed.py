"""Keeps the content current: live phases and notices, and what the broker and the coordinators say.

A live message may be missed: while the connection is down, or if this process is slow. So the stream is read
again every few seconds from where the last read ended, and a transfer with a missing phase is read whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import structlog

from warmxfer.bus import Bus, InvalidRequest
from warmxfer.client import Client
from warmxfer.schemas import RetryableError, WarmxferError
from warmxfer.schemas.timeline import TransferOutline

from .content import Content
from .first_read import archived_since, newest_notices, phases_after, phases_since
from .last_hour import HOUR_S

REREAD_S = 10.0
RETRY_S = 1.0
DETAILS_S = 0.25
"""Pause between two looks for transfers without an outline, or with a missing phase."""
DETAILS_AT_ONCE = 32
LAST_HOUR_S = 1.0
FORGET_S = 30.0
PROCESSES_S = 3.0
DEAD_LETTERS_S = 5.0
MAX_DEAD_LETTERS = 50

log = structlog.get_logger(__name__)


class Feed:
    """Runs while `run` does."""

    def __init__(self, bus: Bus, content: Content) -> None:
        self._bus = bus
        self._client = Client(bus)
        self._content = content
        self._transfers = content.transfers
        self._read_again = asyncio.Event()
        self._last_seq: int | None = None

    async def run(self) -> None:
        """Keep the content current until cancelled. Returns if the connection to the broker is closed."""
        unregister = self._bus.on_reconnect(self._reconnected)
        try:
            async with asyncio.TaskGroup() as tasks:
                loops = [
                    self._follow_notices(),
                    self._reread(),
                    self._every("details", DETAILS_S, self._read_details),
                    self._every("last hour", LAST_HOUR_S, self._refresh_last_hour),
                    self._every("old transfers", FORGET_S, self._forget_old),
                    self._while_watched("processes", PROCESSES_S, self._read_processes),
                    self._while_watched("dead letters", DEAD_LETTERS_S, self._read_dead_letters),
                ]
                running = [tasks.create_task(each) for each in loops]
                await self._follow_phases()
                for task in running:
                    task.cancel()
        finally:
            unregister()

    async def _reconnected(self) -> None:
        self._read_again.set()

    async def _follow_phases(self) -> None:
        async with aclosing(self._client.all_phases()) as phases:
            async for id, phase in phases:
                self._transfers.apply(id, phase)

    async def _follow_notices(self) -> None:
        async with aclosing(self._client.all_notices()) as notices:
            async for id, notice in notices:
                self._transfers.apply_notice(id, notice)

    async def _reread(self) -> None:
        while True:
            succeeded = await self._attempt("transfers", self._read_phases)
            try:
                async with asyncio.timeout(REREAD_S if succeeded else RETRY_S):
                    await self._read_again.wait()
            except TimeoutError:
                continue
            finally:
                self._read_again.clear()

    async def _read_phases(self) -> None:
        """Read what the stream has more than the last time. The first time: the last hour."""
        since = self._content.clock() - HOUR_S
        if self._last_seq is None:
            read = await phases_since(self._bus, since)
            for id, phase in await archived_since(self._bus, since):
                self._transfers.apply(id, phase)
        else:
            read = await phases_after(self._bus, self._last_seq)
        for id, phase in read.phases:
            self._transfers.apply(id, phase)
        for id, notice in await newest_notices(self._bus):
            self._transfers.apply_notice(id, notice)
        self._last_seq = read.last_seq
        self._content.read_done()

    async def _read_details(self) -> None:
        for id in self._transfers.incomplete(DETAILS_AT_ONCE):
            for phase in await self._client.history(id):
                self._transfers.apply(id, phase)
        wanted = self._transfers.without_outline(DETAILS_AT_ONCE)
        found = await asyncio.gather(*(self._outline(id) for id in wanted))
        for id, outline in zip(wanted, found, strict=True):
            self._transfers.apply_outline(id, outline)

    async def _outline(self, id: str) -> TransferOutline | None:
        try:
            return await self._client.outline(id)
        except (InvalidRequest, RetryableError) as error:
            log.info("outline_not_read", transfer_id=id, error=str(error))
            return None

    async def _refresh_last_hour(self) -> None:
        self._content.refresh_last_hour()

    async def _forget_old(self) -> None:
        self._transfers.forget_old(self._content.clock())

    async def _read_processes(self) -> None:
        self._content.set_processes(await self._bus.processes())

    async def _read_dead_letters(self) -> None:
        self._content.set_dead_letters(await self._client.shown_dead_letters(MAX_DEAD_LETTERS))

    async def _every(self, name: str, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._attempt(name, work)
            await asyncio.sleep(period_s)

    async def _while_watched(self, name: str, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._content.until_watched()
            await self._attempt(name, work)
            await asyncio.sleep(period_s)

    async def _attempt(self, name: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Run `work` once and return whether it succeeded. The page shows the sentence of an error."""
        try:
            await work()
        except WarmxferError as error:
            log.info("board_read_failed", what=name, error=str(error))
            self._content.set_problem(name, f"The {name} cannot be read: {error}")
            return False
        self._content.set_problem(name, None)
        return True
