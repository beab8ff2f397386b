"""Commands of one session that were received live: each is applied once the log of its transfer holds it.

Anyone who may publish on the session's subject could otherwise mute a caller, speak to them, or make the AI
leave.

- Invariant: a command that the log has not sent is never applied.
- Invariant: a command that cannot be checked delays no other one.
- Invariant: a release is applied also if its transfer has no log any more. The lease would release the caller
  a few seconds later anyway.

Test: `tests/actors/primary/test_received_commands.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from warmxfer.schemas import ReleaseCaller, ToPrimary, WarmxferError

from ..common.log_check import LogCheck
from ..common.sent_by_log import FoundInLog
from .named_tasks import NamedTasks
from .session_controller import SessionController

CHECKS = tuple(f"check-{place}" for place in range(8))
"""The tasks that check commands again which the log does not hold yet."""

log = structlog.get_logger(__name__)


class ReceivedCommands:
    """Checks the commands of one session, and applies them. `on_dropped` is called if too many wait."""

    def __init__(
        self,
        check: LogCheck,
        session: str,
        controller: SessionController,
        tasks: NamedTasks,
        on_dropped: Callable[[], None] = lambda: None,
    ) -> None:
        self._check = check
        self._session = session
        self._controller = controller
        self._tasks = tasks
        self.on_dropped = on_dropped
        self._checking: dict[str, str] = {}
        """The command id that each running check is about, by the name of its task."""

    async def apply(self, transfer_id: str, command: ToPrimary, data: bytes) -> None:
        """Apply a command that was received live, now or once its log holds it."""
        if not self._controller.is_new(transfer_id, command):
            await self._controller.apply(transfer_id, command)
            return
        try:
            found = await self._check.find(transfer_id, data, self._session)
        except WarmxferError as error:
            log.info("log_read_failed", transfer_id=transfer_id, error=str(error))
            found = FoundInLog.UNKNOWN
        if found is FoundInLog.UNKNOWN:
            self._check_again(transfer_id, command, data)
        else:
            await self._decide(transfer_id, command, found)

    async def is_held(self, transfer_id: str, command: ToPrimary, data: bytes) -> bool | None:
        """Return whether a stored command may be applied; None if the log does not say."""
        found = await self._check.find_patiently(transfer_id, data, self._session)
        if found is FoundInLog.UNKNOWN:
            return True if await self._may_release(transfer_id, command) else None
        if found is not FoundInLog.SENT:
            _log_not_applied(transfer_id, command, found)
        return found is FoundInLog.SENT

    async def is_sent(self, transfer_id: str, data: bytes) -> bool:
        """Return whether the log holds a command of which this version knows only the id."""
        try:
            return await self._check.find(transfer_id, data, self._session) is FoundInLog.SENT
        except WarmxferError:
            return False

    def _check_again(self, transfer_id: str, command: ToPrimary, data: bytes) -> None:
        if command.command_id in self._checking.values():
            return
        name = next((each for each in CHECKS if each not in self._checking), None)
        if name is None:
            log.warning("command_check_dropped", transfer_id=transfer_id, waiting=len(CHECKS))
            self.on_dropped()
            return
        self._checking[name] = command.command_id
        self._tasks.start(name, self._apply_later(name, transfer_id, command, data))

    async def _apply_later(self, name: str, transfer_id: str, command: ToPrimary, data: bytes) -> None:
        try:
            found = await self._check.find_patiently(transfer_id, data, self._session)
            if found is FoundInLog.UNKNOWN and await self._may_release(transfer_id, command):
                found = FoundInLog.SENT
            await self._decide(transfer_id, command, found)
        finally:
            del self._checking[name]

    async def _decide(self, transfer_id: str, command: ToPrimary, found: FoundInLog) -> None:
        if found is FoundInLog.SENT:
            await self._controller.apply(transfer_id, command)
        else:
            _log_not_applied(transfer_id, command, found)

    async def _may_release(self, transfer_id: str, command: ToPrimary) -> bool:
        """Return whether `command` releases a caller whose transfer has no log any more."""
        if not isinstance(command, ReleaseCaller) or self._controller.holding_transfer != transfer_id:
            return False
        try:
            gone = not await self._check.exists(transfer_id)
        except WarmxferError:
            return False
        if gone:
            log.warning("release_applied_without_log", transfer_id=transfer_id)
        return gone


def _log_not_applied(transfer_id: str, command: ToPrimary, found: FoundInLog) -> None:
    log.warning(
        "command_not_applied",
        transfer_id=transfer_id,
        command_id=command.command_id,
        log_says=found.name.lower(),
    )
