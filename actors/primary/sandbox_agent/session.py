"""A live AI call in a sandbox room: the `Session` of `warmxfer run primary`, and an example for your own.

Its participant id is `agent-<room>`, so a restarted process joins under the same id.
"""

from __future__ import annotations

import asyncio
from collections import deque

import structlog

from warmxfer.adapters.rooms import (
    AudioStarted,
    Disconnected,
    DisconnectReason,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    QueuedUtterance,
    RoomClient,
    RoomEvent,
    SpeechEnded,
    UtteranceHeard,
)
from warmxfer.schemas import MAX_TURNS, PhaseChanged, TranscriptTurn

from ..attach import Attachment

GREETING = "Hi, I'm the AI assistant. How can I help you today?"
REPLIES = (
    "I'm sorry about that, Ann. When were you charged?",
    "Thank you, I can see both charges on order 4417. What would you like us to do?",
    "I can open a refund request for you. Would that be all right?",
    "Of course. Let me get a supervisor for you.",
)
FALLBACK_REPLY = "I'm still here with you."
RETURN_GRACE_S = 5.0
"""A caller who was moved and is returned joins shortly after the release."""

log = structlog.get_logger(__name__)


class ScriptedReplies:
    """The demo AI's lines: a refund in five lines, so that a transfer has a conversation to summarize.

    It replies in order, whatever the caller says.
    """

    def __init__(self) -> None:
        self._left = deque(REPLIES)

    def next_reply(self) -> str:
        """Return the reply to the caller's last utterance."""
        return self._left.popleft() if self._left else FALLBACK_REPLY


class SandboxSession:
    """`Session` over a `RoomClient`. Call `join`, attach, then `converse` until the call is over."""

    def __init__(self, room_id: str, room: RoomClient) -> None:
        self.room_id = room_id
        self._room = room
        self._replies = ScriptedReplies()
        self._others: dict[str, None] = {}
        self._turns: deque[TranscriptTurn] = deque(maxlen=MAX_TURNS)
        self._unfinished: dict[str, str] = {}
        self._muted = False
        self._stays_alone = False
        self._grace_s = 0.0
        self._leaving: asyncio.Task[None] | None = None

    @property
    def caller_participant_id(self) -> str | None:
        """The participant who has been here longest: only the caller talks with the AI."""
        return next(iter(self._others), None)

    async def join(self) -> None:
        """Join the room. Raises `InvalidRequest` and `RetryableError` as `RoomClient.join` does."""
        snapshot = await self._room.join()
        self._others = {each.id: None for each in snapshot.participants}
        # A process that was killed under the same id may have left the input muted.
        self._room.listen(True)

    async def converse(self, attachment: Attachment) -> DisconnectReason | None:
        """Talk with the caller until the room closes or we leave. Returns why the room closed, or None."""
        if self._others and not attachment.holding:
            self._speak(GREETING)
        event = None
        try:
            async for event in self._room.events():
                self._handle_event(event, attachment)
        finally:
            attachment.closed()
        return event.reason if isinstance(event, Disconnected) else None

    def _handle_event(self, event: RoomEvent, attachment: Attachment) -> None:
        match event:
            case UtteranceHeard(text=text) if not self._muted:
                self._turns.append(TranscriptTurn("caller", text))
                self._speak(self._replies.next_reply())
            case SpeechEnded(utterance_id=utterance_id, interrupted=interrupted):
                text = self._unfinished.pop(utterance_id, "")
                if text and not interrupted:
                    self._turns.append(TranscriptTurn("agent", text))
            case ParticipantJoinedRoom(participant=participant):
                self._others[participant.id] = None
                if len(self._others) == 1 and not self._turns:
                    self._speak(GREETING)
            case AudioStarted(participant_id=participant_id):
                attachment.audio_enabled(participant_id)
            case ParticipantLeftRoom(participant_id=participant_id, reason=reason):
                self._others.pop(participant_id, None)
                attachment.participant_left(participant_id, reason)
                self._leave_if_alone()
            case Disconnected(reason=reason):
                log.info("session_closed", room_id=self.room_id, reason=str(reason))
            case _:
                pass

    def _speak(self, text: str) -> QueuedUtterance:
        # Always interruptible by us. The caller cannot interrupt a line on hold: their input is muted.
        utterance = self._room.say(text, interruptible=True)
        self._unfinished[utterance.id] = text
        return utterance

    @property
    def _may_leave(self) -> bool:
        return not self._others and not self._stays_alone

    def _leave_if_alone(self) -> None:
        if self._may_leave:
            if self._leaving:
                self._leaving.cancel()
            self._leaving = asyncio.create_task(self._leave_unless_they_return(), name="session-leaving")

    async def _leave_unless_they_return(self) -> None:
        await asyncio.sleep(self._grace_s)
        if self._may_leave:
            await self._room.leave()

    # ── Session ──────────────────────────────────────────────────────────────────────────────────────

    async def mute(self) -> None:
        self._muted = True
        self._room.listen(False)

    async def unmute(self) -> None:
        self._muted = False
        self._room.listen(True)

    async def suspend_auto_end(self) -> None:
        self._stays_alone = True

    async def restore_auto_end(self) -> None:
        if self._stays_alone:
            self._stays_alone, self._grace_s = False, RETURN_GRACE_S
            self._leave_if_alone()

    async def say(self, text: str, *, interruptible: bool) -> None:
        utterance = self._speak(text)
        try:
            await utterance
        except asyncio.CancelledError:
            self._room.interrupt()
            raise

    async def history(self) -> list[TranscriptTurn]:
        return list(self._turns)

    async def summarize(self, prompt: str) -> str | None:
        """Return None: this session has no model."""
        return None

    async def leave(self) -> None:
        await self._room.leave()

    async def on_phase(self, phase: PhaseChanged) -> None:
        log.info("transfer_phase", room_id=self.room_id, phase=phase.phase.value, seq=phase.seq)
