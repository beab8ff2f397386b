"""Control API of the sandbox: faults, people and the ledger, which no real cloud has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .cloud import Cloud

BUSY, NO_ANSWER, REJECTS = "+14155550102", "+14155550103", "+14155550104"
PATIENT_CALLER = "+14155550201"


@dataclass
class SandboxAdmin:
    """The control API of `cloud`, which is a sandbox that the suite started."""

    cloud: Cloud

    async def add_fault(self, kind: str, match: dict[str, Any], times: int = 1, **more: Any) -> None:
        """Add a fault."""
        await self.cloud.post("/sandbox/faults", {"match": match, "kind": kind, "times": times, **more})

    async def clear_faults(self) -> None:
        """Remove every fault."""
        (await self.cloud.http.delete("/sandbox/faults")).raise_for_status()

    async def caller(self, room_id: str) -> str:
        """Let a caller call into the room; return the call id."""
        caller = await self.cloud.post("/sandbox/calls", {"from": PATIENT_CALLER, "roomId": room_id})
        self.cloud.calls.append(caller["callId"])
        return caller["callId"]

    async def executed(self, room_id: str, kind: str) -> list[dict[str, Any]]:
        """Return what the sandbox executed in the room, oldest first."""
        return (await self.cloud.get("/sandbox/ledger", room=room_id, kind=kind))["entries"]
