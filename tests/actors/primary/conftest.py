"""A bus, a room id, and a coordinator that commands the attached session."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from tests.testkit.sent_log import store_in_log
from warmxfer.bus import Bus, LiveMessage, Subscription, subjects
from warmxfer.schemas import (
    AnyEvent,
    HoldCaller,
    LeaveCall,
    LivenessReply,
    PhaseChanged,
    ReleaseCaller,
    ToPrimary,
    WarmTransferPhase,
    decode_event,
    encode,
)

REPLY_TIMEOUT_S = 20.0


@pytest.fixture
def room() -> str:
    return f"room-{secrets.token_hex(4)}"


async def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


@dataclass
class Boss:
    """A coordinator's side of one transfer: sends commands to one session and receives its events."""

    bus: Bus
    session: str
    transfer_id: str
    events: Subscription
    live: bool | None = True
    fails: bool = False
    fence: int = 0
    queries: int = 0
    """Liveness queries received so far."""

    def hold(self, line: str = "Please hold.", fence: int | None = None) -> HoldCaller:
        return HoldCaller(line=line, **self._head(fence))

    def release(
        self, line: str | None = "Sorry.", fence: int | None = None, stay_s: float = 0.0
    ) -> ReleaseCaller:
        return ReleaseCaller(line=line, stay_s=stay_s, **self._head(fence))

    def leave(self) -> LeaveCall:
        return LeaveCall(**self._head(None))

    def _head(self, fence: int | None) -> dict:
        if fence is None:
            fence = self.fence = self.fence + 1
        return {
            "command_id": f"{self.transfer_id}-{fence}",
            "deadline_at": time.time() + 10,
            "fence": fence,
            "transfer_id": self.transfer_id,
        }

    async def send(self, command: ToPrimary) -> None:
        """Send a command that the log holds."""
        await store_in_log(self.bus, self.transfer_id, command, session=self.session)
        await self.bus.publish(subjects.session_commands(self.session), encode(command))

    async def hears(self, within_s: float = REPLY_TIMEOUT_S) -> AnyEvent:
        message = await self.events.next(within_s)
        assert message is not None, f"no event within {within_s} s"
        return decode_event(message.data)

    async def hears_nothing(self, for_s: float = 0.3) -> None:
        assert await self.events.next(for_s) is None

    async def phase(self, seq: int, phase: WarmTransferPhase) -> None:
        changed = PhaseChanged(phase=phase, data={}, timestamp=0.0, consultation_room_id=None, seq=seq)
        await self.bus.publish(subjects.phase(self.transfer_id), encode(changed))

    async def reply_liveness(self, _: LiveMessage) -> bytes:
        self.queries += 1
        if self.fails:
            raise LookupError("a record of a newer version")
        if self.live is None:
            await asyncio.sleep(3_600)
        return encode(LivenessReply(bool(self.live)))


@pytest.fixture
async def boss(bus: Bus, room: str, transfer_id: str) -> AsyncIterator[Boss]:
    async with bus.subscribe(subjects.event(transfer_id, "primary")) as events:
        boss = Boss(bus, room, transfer_id, events)
        async with bus.serve(subjects.ASK_LIVENESS, boss.reply_liveness, deadline_s=1.0):
            yield boss
