"""The newest command that the coordinator sent to the agent of one consultation.

Commands arrive on a live subscription. Commands that the subscription missed are read from the stream, by
polling with growing pauses. The subscription misses commands that are published before it begins, or while
the broker is unreachable. It also drops commands if the reader is too slow.

Invariant: of two commands, the one with the higher fencing token is the newer one. Their order in the stream
does not count, because the bus may store an old command again. Held by
`test_a_command_with_a_lower_fencing_token_is_ignored`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from types import TracebackType
from typing import Final

import structlog

from warmxfer.bus import Bus, Subscription, subjects
from warmxfer.bus.polling import poll_ticks
from warmxfer.schemas import (
    BriefSupervisor,
    DecodeError,
    LeaveConsultation,
    NewerMessage,
    ToConsult,
    WarmxferError,
    decode_command,
)

from ..common.command_replies import publish_reply
from ..common.unknown_commands import UnknownCommands
from ..runtime.log_setup import log_task_failure

MAX_COMMANDS: Final = 1_000
"""Commands read in one poll. A transfer has only a few."""

log = structlog.get_logger(__name__)


class ConsultCommands:
    """Commands of one consultation, as an async context manager.

        async with ConsultCommands(bus, transfer_id, fence, role) as commands:
            command = await commands.next()

    `fence` is the fencing token of the JoinConsultation. Commands with a lower token belong to an earlier
    consultation and are ignored. `role` is the actor that replies to a command that it does not know.
    """

    def __init__(self, bus: Bus, transfer_id: str, fence: int, role: str) -> None:
        self._bus = bus
        self._role = role
        self._transfer_id = transfer_id
        self._subject = subjects.consult(transfer_id)
        self._fence = fence
        self._last_seq = 0
        self._newest: ToConsult | None = None
        self._unknown = UnknownCommands("briefing agent")
        self._changed = asyncio.Event()
        self._subscription: Subscription | None = None
        self._polled = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._unregister: Callable[[], None] = lambda: None
        self.leave: asyncio.Future[LeaveConsultation] = asyncio.get_running_loop().create_future()
        """Done when LeaveConsultation arrives."""

    async def next(self) -> ToConsult:
        """Return the newest command not yet returned, and drop older ones; blocks until there is one."""
        while self._newest is None:
            self._changed.clear()
            await self._changed.wait()
        command, self._newest = self._newest, None
        return command

    async def __aenter__(self) -> ConsultCommands:
        self._unregister = self._bus.on_reconnect(self._read_all_again)
        self._subscription = self._bus.subscribe(self._subject)
        await self._subscription.__aenter__()
        self._tasks = (
            asyncio.create_task(
                self._follow(self._subscription), name=f"consult-commands-{self._transfer_id}"
            ),
            asyncio.create_task(self._poll(), name=f"consult-commands-poll-{self._transfer_id}"),
        )
        for task in self._tasks:
            task.add_done_callback(log_task_failure)
        await self._polled.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unregister()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._subscription is not None:
            await self._subscription.__aexit__(kind, error, trace)
        self.leave.cancel()

    async def _follow(self, subscription: Subscription) -> None:
        async for message in subscription:
            await self._accept(message.data)
            if message.lost:
                await self._catch_up()

    async def _poll(self) -> None:
        async with aclosing(poll_ticks(self._bus)) as ticks:
            async for _ in ticks:
                await self._catch_up()
                self._polled.set()

    async def _read_all_again(self) -> None:
        """Start reading at the first command: an old copy of the stream uses its numbers again."""
        self._last_seq = 0

    async def _catch_up(self) -> None:
        try:
            stored = await self._bus.history(self._subject, MAX_COMMANDS, after=self._last_seq)
        except WarmxferError as error:
            log.warning("consult_commands_read_failed", transfer_id=self._transfer_id, why=str(error))
            return
        for message in stored:
            self._last_seq = message.seq
            await self._accept(message.data)

    async def _accept(self, data: bytes) -> None:
        try:
            command = decode_command(data)
        except NewerMessage:
            await self._reject_unknown(data)
            return
        except DecodeError as error:
            log.warning("consult_command_dropped", transfer_id=self._transfer_id, why=str(error))
            return
        if not isinstance(command, BriefSupervisor | LeaveConsultation) or command.fence <= self._fence:
            return
        self._fence, self._newest = command.fence, command
        self._changed.set()
        if isinstance(command, LeaveConsultation) and not self.leave.done():
            self.leave.set_result(command)

    async def _reject_unknown(self, data: bytes) -> None:
        reply = self._unknown.reply_once(self._transfer_id, data)
        try:
            if reply is not None:
                await publish_reply(self._bus, self._transfer_id, reply, role=self._role)
        except WarmxferError as error:
            log.warning("consult_reply_failed", transfer_id=self._transfer_id, why=str(error))
