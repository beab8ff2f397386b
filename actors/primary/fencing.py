"""Fencing tokens: the highest `fence` that was applied, per transfer. Pure.

- Invariant: a command with a higher fence is new.
- Invariant: the command that was applied last is a repeat, and is replied to again.
- Invariant: any other command is old, and is ignored.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto

from warmxfer.schemas import Event, ToPrimary

MAX_TRANSFERS = 64
"""How many transfers of one session are kept. A session has one at a time."""


RETIRED = 1 << 62
"""A fence above that of every command."""


class Freshness(Enum):
    """How a command compares with the last applied command."""

    NEW = auto()
    REPEAT = auto()
    OLD = auto()


@dataclass(slots=True)
class _LastCommand:
    fence: int
    command_id: str
    reply: Event | None = None


class FencingTokens:
    """The fencing tokens of one session. They start empty when the process restarts (see `attach.py`)."""

    def __init__(self) -> None:
        self._last_commands: OrderedDict[str, _LastCommand] = OrderedDict()

    def check(self, transfer_id: str, command: ToPrimary) -> Freshness:
        """Return how `command` compares with the last one. Changes nothing."""
        last = self._last_commands.get(transfer_id)
        if last is None or command.fence > last.fence:
            return Freshness.NEW
        if command.fence == last.fence and command.command_id == last.command_id:
            return Freshness.REPEAT
        return Freshness.OLD

    def advance(self, transfer_id: str, command: ToPrimary) -> None:
        """Mark `command` as the last applied one: older commands of the transfer are old from now on."""
        self._last_commands[transfer_id] = _LastCommand(command.fence, command.command_id)
        self._last_commands.move_to_end(transfer_id)
        while len(self._last_commands) > MAX_TRANSFERS:
            self._last_commands.popitem(last=False)

    def retire(self, transfer_id: str) -> None:
        """Treat every further command of the transfer as old."""
        self._last_commands[transfer_id] = _LastCommand(RETIRED, "")
        self._last_commands.move_to_end(transfer_id)

    def record_reply(self, transfer_id: str, reply: Event) -> None:
        """Keep `reply` as the newest reply of the transfer."""
        if last := self._last_commands.get(transfer_id):
            last.reply = reply

    def reply_to(self, transfer_id: str) -> Event | None:
        """Return the newest reply of the transfer, if there is one."""
        last = self._last_commands.get(transfer_id)
        return last.reply if last else None
