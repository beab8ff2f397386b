"""The ledger: what the sandbox EXECUTED, in order. Nothing that was merely asked for is ever written here."""

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from .clock import now_s
from .limits import MAX_LEDGER_ENTRIES

By = Literal["api", "person", "cloud"]
"""Who made it happen: a REST request or an agent's socket, somebody on a phone, or the cloud itself."""

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """Whom an entry is about; what does not apply is None."""

    call_id: str | None = None
    room_id: str | None = None
    participant_id: str | None = None
    metadata: dict[str, Any] | None = None


class Ledger:
    """A bounded list of entries; when full, the oldest goes and is counted in `dropped`."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_LEDGER_ENTRIES)
        self._written = 0

    @property
    def dropped(self) -> int:
        return self._written - len(self._entries)

    def record(self, kind: str, by: By, about: About, **facts: object) -> None:
        """Write one entry: its number, time, kind, doer, whom it is about, and further facts in camelCase."""
        self._written += 1
        self._entries.append(
            {
                "n": self._written,
                "at": now_s(),
                "kind": kind,
                "by": by,
                "callId": about.call_id,
                "roomId": about.room_id,
                "participantId": about.participant_id,
                "metadata": about.metadata,
                **facts,
            }
        )

    def entries(self, *, room_id: str | None = None, kind: str | None = None) -> list[Entry]:
        """The entries kept, oldest first, optionally of one room or one kind."""
        return [
            entry
            for entry in self._entries
            if (room_id is None or room_id in (entry["roomId"], entry.get("fromRoomId")))
            and (kind is None or entry["kind"] == kind)
        ]
