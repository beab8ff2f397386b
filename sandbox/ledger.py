"""Ledger of the actions that the sandbox executed, in order.

Invariant: a request that the sandbox did not execute has no entry.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from .clock import now_s
from .limits import MAX_LEDGER_ENTRIES

By = Literal["api", "person", "cloud"]
"""Origin of an action: a REST request or an agent's socket, a person on a phone, or the cloud itself."""

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LedgerRef:
    """Call, room and participant that an entry refers to. Fields that do not apply are None."""

    call_id: str | None = None
    room_id: str | None = None
    participant_id: str | None = None
    metadata: dict[str, Any] | None = None


class Ledger:
    """Bounded list of entries. A full ledger removes the oldest entry and counts it in `dropped`."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_LEDGER_ENTRIES)
        self._written = 0

    @property
    def dropped(self) -> int:
        return self._written - len(self._entries)

    def record(self, kind: str, by: By, ref: LedgerRef, **details: object) -> None:
        """Append one entry. `details` are additional fields in camelCase."""
        self._written += 1
        self._entries.append(
            {
                "n": self._written,
                "at": now_s(),
                "kind": kind,
                "by": by,
                "callId": ref.call_id,
                "roomId": ref.room_id,
                "participantId": ref.participant_id,
                "metadata": ref.metadata,
                **details,
            }
        )

    def entries(self, *, room_id: str | None = None, kind: str | None = None) -> list[Entry]:
        """Return the stored entries, oldest first, optionally of one room or one kind."""
        return [
            entry
            for entry in self._entries
            if (room_id is None or room_id in (entry["roomId"], entry.get("fromRoomId")))
            and (kind is None or entry["kind"] == kind)
        ]
