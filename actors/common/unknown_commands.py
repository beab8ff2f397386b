"""Commands of a newer version that reach one process directly: no other worker could take them.

The process replies `CommandFailed` at once, so that the coordinator does not wait for the command's deadline.
"""

from __future__ import annotations

import structlog

from warmxfer.schemas import CommandFailed, FailureKind, undecoded_command_id

MAX_IDS = 64
"""Command ids kept. A process reads its newest command again and again, and replies once."""

log = structlog.get_logger(__name__)


class UnknownCommands:
    """The commands that one process did not know; `actor` names it in the reply."""

    def __init__(self, actor: str) -> None:
        self._actor = actor
        self._ids: list[str] = []

    def reply_once(self, transfer_id: str, data: bytes) -> CommandFailed | None:
        """Return the reply to the command in `data`; None if it has no id, or was replied to before."""
        command_id = undecoded_command_id(data)
        if command_id is None or command_id in self._ids:
            return None
        self._ids = [*self._ids, command_id][-MAX_IDS:]
        log.error("command_unknown", transfer_id=transfer_id, command_id=command_id, actor=self._actor)
        detail = f"This {self._actor} is of an older version and does not know the command; upgrade it."
        return CommandFailed(command_id=command_id, failure=FailureKind.BROKEN, detail=detail)
