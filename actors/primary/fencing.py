"""Which level command still counts: the highest number acted on, per transfer.

The law of this file: pure. A command with a higher number is new; the very command acted on last is a
repeat, and is answered again; anything else is older than what stands, and is ignored.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto

from warmxfer.schemas import Event, ToPrimary

MAX_TRANSFERS = 64
"""How many transfers of one session are remembered; a session sees one at a time."""


class Freshness(Enum):
    """How a command stands to what was acted on before."""

    NEW = auto()
    REPEAT = auto()
    OLD = auto()


@dataclass(slots=True)
class _LastCommand:
    fence: int
    command_id: str
    reply: Event | None = None


class FencingTokens:
    """The memory of one session. A session that restarts begins without one, see `proxy.py`."""

    def __init__(self) -> None:
        self._last_commands: OrderedDict[str, _LastCommand] = OrderedDict()

    def check(self, transfer_id: str, command: ToPrimary) -> Freshness:
        """How `command` stands; changes nothing."""
        last = self._last_commands.get(transfer_id)
        if last is None or command.fence > last.fence:
            return Freshness.NEW
        if command.fence == last.fence and command.command_id == last.command_id:
            return Freshness.REPEAT
        return Freshness.OLD

    def advance(self, transfer_id: str, command: ToPrimary) -> None:
        """From now on `command` and all before it are old, or a repeat."""
        self._last_commands[transfer_id] = _LastCommand(command.fence, command.command_id)
        self._last_commands.move_to_end(transfer_id)
        while len(self._last_commands) > MAX_TRANSFERS:
            self._last_commands.popitem(last=False)

    def record_reply(self, transfer_id: str, reply: Event) -> None:
        """What a repeat is told: the newest fact about the caller of this transfer."""
        if last := self._last_commands.get(transfer_id):
            last.reply = reply

    def reply_to(self, transfer_id: str) -> Event | None:
        """The newest fact told about this transfer, if any."""
        last = self._last_commands.get(transfer_id)
        return last.reply if last else None
