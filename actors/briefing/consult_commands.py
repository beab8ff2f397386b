"""The newest command that the coordinator sent to the agent of one consultation.

Commands arrive on a live subscription. The newest stored command is read as well, a few times after the
subscription began and after each reconnect, and when the liveness of the transfer shows a new stage. The
subscription misses commands that are published before it begins, or while the broker is unreachable. It also
drops commands if the reader is too slow. The first of these reads is left out if the log, read just before,
had sent no command yet.

Invariant: of two commands, the one with the higher fencing token is the newer one. Their order in the stream
does not count, because the bus may store an old command again. Held by
`test_a_command_with_a_lower_fencing_token_is_ignored`. A user of the bus may read only the newest message of
this subject, so an old command that is stored again hides the command to leave. The log then has it. Held by
`test_a_briefing_command_stored_again_after_the_leave_command_is_ignored` and
`test_a_leave_command_that_is_hidden_is_found_in_the_log`.

Invariant: a command is taken only if the log of the transfer has sent it. Held by
`test_a_command_that_the_log_has_not_sent_is_not_taken`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final

import structlog

from warmxfer.bus import Bus, Subscription, subjects
from warmxfer.bus.polling import Rereads
from warmxfer.schemas import (
    BriefSupervisor,
    DecodeError,
    LeaveConsultation,
    NewerMessage,
    RetryableError,
    ToConsult,
    WarmxferError,
    decode_command,
)

from ..common.command_replies import publish_reply
from ..common.log_check import LogCheck
from ..common.sent_by_log import FoundInLog, leave_in_log
from ..common.unknown_commands import UnknownCommands
from ..runtime.log_setup import log_task_failure

BEFORE_BRIEFING: Final = frozenset({"preparing", "ringing"})
"""Stages in which no agent was told to brief."""
MAX_CHECKS: Final = 8
"""Commands at a time that the log does not hold yet, and that are checked again."""

log = structlog.get_logger(__name__)


class ConsultCommands:
    """Commands of one consultation, as an async context manager.

        async with ConsultCommands(bus, check, transfer_id, fence, role, is_first=True) as commands:
            commands.forward_to(on_command)

    `fence` is the fencing token of the JoinConsultation. Commands with a lower token belong to an earlier
    consultation and are ignored. `role` is the actor that replies to a command that it does not know.
    `is_first`: no other worker was told to join, and `check` has just read the log.
    """

    def __init__(
        self,
        bus: Bus,
        check: LogCheck,
        transfer_id: str,
        fence: int,
        role: str,
        *,
        is_first: bool = False,
    ) -> None:
        self._bus = bus
        self._check = check
        self._role = role
        self._transfer_id = transfer_id
        self._subject = subjects.consult(transfer_id)
        self._fence = fence
        self._newest: ToConsult | None = None
        self._skips_read = is_first
        """Whether the next read is left out."""
        self._read_seq = self._read_fence = 0
        """Of the stored command that was read last: its number, and the highest token so far."""
        self._unknown = UnknownCommands("briefing agent")
        self._on_command: Callable[[ToConsult], None] | None = None
        self._subscription: Subscription | None = None
        self._rereads = Rereads(bus, self._catch_up, f"consult-commands-reads-{transfer_id}")
        self._read_first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._following: asyncio.Task[None] | None = None
        self._checking: set[asyncio.Task[None]] = set()
        self.leave: asyncio.Future[LeaveConsultation] = asyncio.get_running_loop().create_future()
        """Done when LeaveConsultation arrives."""

    def forward_to(self, on_command: Callable[[ToConsult], None]) -> None:
        """Call `on_command` with the newest command, if there is one, and with each that follows."""
        self._on_command = on_command
        if self._newest is not None:
            on_command(self._newest)

    def read_again(self) -> None:
        """Read the stored commands: one may have been missed."""
        self._rereads.read_once()

    async def __aenter__(self) -> ConsultCommands:
        self._subscription = self._bus.subscribe(self._subject)
        await self._subscription.__aenter__()
        self._following = asyncio.create_task(
            self._follow(self._subscription), name=f"consult-commands-{self._transfer_id}"
        )
        self._following.add_done_callback(log_task_failure)
        self._skips_read = self._skips_read and self._none_sent()
        if self._skips_read:
            self._read_first.set_result(None)
        self._rereads.start()
        await self._read_first
        return self

    def _none_sent(self) -> bool:
        """Return whether the log, as it was just read, has told the agent nothing but to join."""
        record = self._check.kept(self._transfer_id)
        return record is not None and record.state.stage in BEFORE_BRIEFING and leave_in_log(record) is None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rereads.stop()
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        for task in self._checking:
            task.cancel()
        if self._subscription is not None:
            await self._subscription.__aexit__(kind, error, trace)
        self.leave.cancel()

    async def _follow(self, subscription: Subscription) -> None:
        async for message in subscription:
            await self._accept(message.data)
            if message.lost:
                self._rereads.restart()

    async def _catch_up(self) -> bool:
        """Read the newest stored command: only that one counts. Returns False if it could not be read."""
        if self._skips_read:
            self._skips_read = False
            return True
        try:
            stored = await self._bus.get_last(self._subject)
            if stored is not None:
                await self._accept(stored.data)
                await self._take_hidden_leave(stored.seq)
            return True
        except WarmxferError as error:
            log.warning("consult_commands_read_failed", transfer_id=self._transfer_id, why=str(error))
            return False
        finally:
            if not self._read_first.done():
                self._read_first.set_result(None)

    async def _take_hidden_leave(self, seq: int) -> None:
        """Take the command to leave that the log awaits, if the stored command number `seq` hides it."""
        is_old = 0 < self._read_seq < seq and self._fence == self._read_fence
        self._read_seq, self._read_fence = seq, self._fence
        id = self._transfer_id
        record = await self._check.read(id) if is_old else self._check.kept(id)
        leave = None if record is None else leave_in_log(record)
        if leave is not None:
            self._take(leave)

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
        found = await self._find_in_log(data)
        if found is FoundInLog.SENT:
            self._take(command)
        elif found is FoundInLog.UNKNOWN and len(self._checking) < MAX_CHECKS:
            task = asyncio.create_task(self._check_again(command, data))
            self._checking.add(task)
            task.add_done_callback(self._checking.discard)
            task.add_done_callback(log_task_failure)
        else:
            log.warning(
                "consult_command_not_taken",
                transfer_id=self._transfer_id,
                command_id=command.command_id,
                log_says=found.name.lower(),
            )

    async def _find_in_log(self, data: bytes) -> FoundInLog:
        try:
            return await self._check.find(self._transfer_id, data)
        except RetryableError as error:
            log.info("log_read_failed", transfer_id=self._transfer_id, error=str(error))
            return FoundInLog.UNKNOWN

    async def _check_again(self, command: ToConsult, data: bytes) -> None:
        """Take a command that the log did not hold at the first read, once it does."""
        found = await self._check.find_patiently(self._transfer_id, data)
        if found is FoundInLog.SENT:
            self._take(command)
            return
        log.warning(
            "consult_command_not_taken",
            transfer_id=self._transfer_id,
            command_id=command.command_id,
            log_says=found.name.lower(),
        )

    def _take(self, command: ToConsult) -> None:
        if command.fence <= self._fence:
            return
        self._fence, self._newest = command.fence, command
        if self._on_command is not None:
            self._on_command(command)
        if isinstance(command, LeaveConsultation) and not self.leave.done():
            self.leave.set_result(command)

    async def _reject_unknown(self, data: bytes) -> None:
        if await self._find_in_log(data) is not FoundInLog.SENT:
            return
        reply = self._unknown.reply_once(self._transfer_id, data)
        try:
            if reply is not None:
                await publish_reply(self._bus, self._transfer_id, reply, role=self._role)
        except WarmxferError as error:
            log.warning("consult_reply_failed", transfer_id=self._transfer_id, why=str(error))
