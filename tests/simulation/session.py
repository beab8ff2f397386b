"""The live AI session of one caller: a minimal voice-agent framework that records what it did.

The session lives in a process of its own. If that process dies, the AI is gone. A new process starts unmuted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from warmxfer.actors.primary import Attachment
from warmxfer.schemas import PhaseChanged, TranscriptTurn

from .cloud import Participant
from .loop import CURRENT, Process

if TYPE_CHECKING:
    from .world import World

NOTICE_S = 0.05
RETURN_GRACE_S = 5.0
"""As the port requires: a caller who was moved may come back after the release."""
TURNS = [
    TranscriptTurn("agent", "Hi, how can I help you today?"),
    TranscriptTurn("caller", "My name is Ann and I was charged twice for order 4417."),
    TranscriptTurn("agent", "I can see both charges. Let me get a supervisor for you."),
]


class SimSession:
    """The session. `holds` are the spans in which the caller was muted: begin, and end if it has ended."""

    def __init__(self, world: World, room_id: str) -> None:
        self._world = world
        self._process: Process = CURRENT.get()  # type: ignore[assignment]
        self.room_id = room_id
        self.muted = False
        self.auto_end = True
        self._grace_s = 0.0
        self.over = False
        self.attachment: Attachment | None = None
        self.holds: list[list[float]] = []
        world.cloud.enter(
            world.cloud.room(room_id),
            Participant(f"ai-{room_id}", audible=True, on_event=self._on_room_event),
        )

    @property
    def live(self) -> bool:
        """Whether the AI can talk to the caller."""
        return not self.over and not self._process.dead

    @property
    def killed(self) -> bool:
        """Whether its process died and no new one has started."""
        return self._process.dead

    @property
    def caller_participant_id(self) -> str | None:
        participants = self._world.cloud.rooms[self.room_id].participants.values()
        return next((each.participant_id for each in participants if each.call is not None), None)

    async def mute(self) -> None:
        if not self.muted:
            self.muted = True
            self.holds.append([self._world.now])
            self._note("mutes")

    async def unmute(self) -> None:
        if self.muted:
            self.muted = False
            self.end_hold()
            self._note("unmutes")

    def end_hold(self) -> None:
        """Write the end of the newest hold, if it has not ended."""
        if self.holds and len(self.holds[-1]) == 1:
            self.holds[-1].append(self._world.now)

    async def suspend_auto_end(self) -> None:
        self.auto_end = False

    async def restore_auto_end(self) -> None:
        if not self.auto_end:
            self.auto_end, self._grace_s = True, RETURN_GRACE_S
            self._end_if_alone()

    async def say(self, text: str, *, interruptible: bool) -> None:
        self._note(f"says {text}")
        await asyncio.sleep(0.2 + 0.02 * len(text))

    async def history(self) -> list[TranscriptTurn]:
        return TURNS

    async def summarize(self, prompt: str) -> str | None:
        return "Ann was charged twice for order 4417 and wants a refund."

    async def leave(self) -> None:
        self._note("leaves the call")
        self._end()

    async def on_phase(self, phase: PhaseChanged) -> None:
        """Do nothing: a real session would show the phase."""

    # ── called by the room ─────────────────────────────────────────────────────────────────

    def _on_room_event(self, what: str, participant_id: str, words: str) -> None:
        if what in ("left", "audible", "closed"):
            self._world.loop.call_later(
                NOTICE_S, self._notice, what, participant_id, words, context=self._process.context
            )

    def _notice(self, what: str, participant_id: str, words: str) -> None:
        if self.attachment is None or self.over:
            return
        if what == "closed":
            self._end()
        elif what == "audible":
            self.attachment.audio_enabled(participant_id)
        else:
            self.attachment.participant_left(participant_id, words)
            self._end_if_alone()

    def _end_if_alone(self) -> None:
        if self._alone:
            self._world.loop.call_later(
                self._grace_s, self._end_unless_they_return, context=self._process.context
            )

    @property
    def _alone(self) -> bool:
        return self.auto_end and not self.over and self.caller_participant_id is None

    def _end_unless_they_return(self) -> None:
        if self._alone:
            self._note("ends: the caller is not there")
            self._end()

    def _end(self) -> None:
        if not self.over:
            self.over = True
            self.end_hold()
            room = self._world.cloud.rooms[self.room_id]
            self._world.cloud.leave(room, f"ai-{self.room_id}", "session ended")
            if self.attachment is not None:
                self.attachment.closed()

    def _note(self, what: str) -> None:
        self._world.trace.add(f"session {self.room_id}", what)
