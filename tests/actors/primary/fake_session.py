"""The smallest possible `Session`: it records every call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from warmxfer.schemas import PhaseChanged, TranscriptTurn

STEP_GOES_ON_S = 0.2
"""How long a step goes on after the room has closed."""


@dataclass
class RecordingSession:
    room_id: str
    caller_participant_id: str | None = "caller-1"
    speech_s: float = 0.05
    muted: bool = False
    auto_end: bool = True
    gone: bool = False
    done: list[str] = field(default_factory=list)
    phases: list[PhaseChanged] = field(default_factory=list)
    turns: list[TranscriptTurn] = field(default_factory=list)
    own_summary: str | None = None
    fails: dict[str, int] = field(default_factory=dict)
    """Step -> how many more calls of it raise."""
    hangs: set[str] = field(default_factory=set)

    async def _do(self, step: str) -> None:
        self.done.append(step)
        if step in self.hangs:
            await asyncio.sleep(3_600)
        if self.fails.get(step, 0) > 0:
            self.fails[step] -= 1
            raise RuntimeError(f"{step} failed, quoting +14155550199")

    async def mute(self) -> None:
        await self._do("mute")
        self.muted = True

    async def unmute(self) -> None:
        await self._do("unmute")
        self.muted = False

    async def suspend_auto_end(self) -> None:
        await self._do("suspend_auto_end")
        self.auto_end = False

    async def restore_auto_end(self) -> None:
        await self._do("restore_auto_end")
        self.auto_end = True

    async def say(self, text: str, *, interruptible: bool) -> None:
        await self._do(f"say {'interruptible' if interruptible else 'uninterruptible'}: {text}")
        try:
            await asyncio.sleep(self.speech_s)
        except asyncio.CancelledError:
            self.done.append(f"stopped: {text}")
            raise

    async def history(self) -> list[TranscriptTurn]:
        await self._do("history")
        return self.turns

    async def summarize(self, prompt: str) -> str | None:
        await self._do(f"summarize: {prompt}")
        return self.own_summary

    async def leave(self) -> None:
        await self._do("leave")
        self.gone = True

    async def on_phase(self, phase: PhaseChanged) -> None:
        self.phases.append(phase)


class RaisingSession(RecordingSession):
    """Raises when it is asked for the caller, while `raises` is set.

    VideoSDK's does while a participant without a name is in the room.
    """

    raises = False

    def __getattribute__(self, name: str) -> Any:
        if name == "caller_participant_id" and self.raises:
            raise AttributeError("'NoneType' object has no attribute 'lower'")
        return super().__getattribute__(name)


@dataclass
class EndingSession(RecordingSession):
    """Sets `ended` at the start of one step, as a room that closes before the framework has returned."""

    ends_at: str = "leave"
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def _do(self, step: str) -> None:
        await super()._do(step)
        if step == self.ends_at:
            self.ended.set()
            await asyncio.sleep(STEP_GOES_ON_S)
