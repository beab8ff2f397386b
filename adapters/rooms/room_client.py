"""`RoomClient`: how an agent joins a room, receives events, speaks, listens and leaves. No vendor's terms.

- Invariant: all events of a room arrive in one order. `events()` includes the ends of our own utterances.
  So a reader sees whether an utterance was heard before or after our question ended, without any clock.
- Invariant: an utterance ends with the connection on which it was said. It then counts as interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from warmxfer.bus import Bus, subjects
from warmxfer.schemas import InvalidRequest, RoomToken, RoomTokenQuery, decode_as, encode

from ..llm import ChatModel

TOKEN_TIMEOUT_S: Final = 3.0
MAX_UTTERANCE_CHARS = 4_000
"""Longer text is cut before it is said."""

TokenSource = Callable[[], Awaitable[RoomToken]]
"""Returns a fresh token for this participant id. Called before every new connection."""


def token_source(bus: Bus, room_id: str, participant_id: str, *, session: str | None = None) -> TokenSource:
    """Return a source that requests tokens from the gateway. Tokens are never stored and never logged.

    `session`: the session that asks, for its own participant id or for its own briefing; None for a briefing
    worker.
    The source raises `NoReply` if no gateway replies, and `Busy` if the gateway cannot say yet; both are
    `RetryableError`. It raises `InvalidRequest` if no live transfer needs this participant in this room.
    """
    query = encode(RoomTokenQuery(room_id=room_id, participant_id=participant_id))
    subject = subjects.ASK_ROOM_TOKEN if session is None else subjects.ask_session_token(session)

    async def request_token() -> RoomToken:
        return decode_as(RoomToken, await bus.request(subject, query, TOKEN_TIMEOUT_S))

    return request_token


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """The room to join, and the participant id. A second join with the same id disconnects the first.

    `listens_to`: the participant whose speech the agent is there for. A cloud that separates speakers
    reports all of them. A cloud that mixes them reports only this one.
    """

    room_id: str
    participant_id: str
    name: str
    token_source: TokenSource
    listens_to: str | None = None


class NoSuchRoom(InvalidRequest):
    """The room was not opened yet, or has been closed."""

    def __init__(self, room_id: str) -> None:
        super().__init__(f"Room {room_id} does not exist; open it, or give another room")


class RoomParticipant(Struct, frozen=True):
    """Another participant in the room."""

    id: str
    name: str = ""
    audible: bool = False


class RoomSnapshot(Struct, frozen=True):
    """The room at the time of joining; `participants` are the others."""

    room_id: str
    session_id: str | None
    participants: tuple[RoomParticipant, ...]


class ParticipantJoinedRoom(Struct, frozen=True):
    participant: RoomParticipant


class ParticipantLeftRoom(Struct, frozen=True):
    participant_id: str
    reason: str = ""


class AudioStarted(Struct, frozen=True):
    """The audio of this participant has started."""

    participant_id: str
    kind: str = "audio"


class UtteranceHeard(Struct, frozen=True):
    """One whole utterance of another participant, reported at its end.

    `unfinished`: the speech recognition stalled, and the participant may still speak.
    """

    participant_id: str
    text: str
    unfinished: bool = False


class KeyPressed(Struct, frozen=True):
    """A participant pressed a key of the phone: 0 to 9, * or #. In order with their utterances."""

    participant_id: str
    digit: str


class VoicemailSuspected(Struct, frozen=True):
    """The cloud's own detector takes this participant for an answering machine."""

    participant_id: str


class SpeechEnded(Struct, frozen=True):
    """One utterance of our own has ended; `interrupted`: before its last word."""

    utterance_id: str
    interrupted: bool


class DisconnectReason(StrEnum):
    """Why the connection ended without our leaving."""

    REPLACED = "replaced"
    """Another worker joined with our participant id, and takes over."""
    DEACTIVATED = "deactivated"
    KICKED = "kicked"
    LOST = "lost"
    """The connection could not be reopened, or the reader fell too far behind."""


class Disconnected(Struct, frozen=True):
    """Always the last event."""

    reason: DisconnectReason


RoomEvent = (
    ParticipantJoinedRoom
    | ParticipantLeftRoom
    | AudioStarted
    | UtteranceHeard
    | KeyPressed
    | VoicemailSuspected
    | SpeechEnded
    | Disconnected
)


@dataclass(frozen=True, slots=True)
class QueuedUtterance:
    """An utterance that is queued or being said. Await its end: True if it was interrupted."""

    id: str
    ended: asyncio.Future[bool] = field(repr=False)

    def __await__(self) -> Generator[None, None, bool]:
        return asyncio.shield(self.ended).__await__()


class RoomClient(Protocol):
    """One participant in one room. All methods but `join` and `leave` return at once and never raise."""

    @property
    def model(self) -> ChatModel | None:
        """The chat model of the cloud's framework, between `join` and `leave`; None if there is none."""
        ...

    @property
    def reports_keys(self) -> bool:
        """Whether pressed keys are reported. Known after `join`."""
        ...

    async def join(self) -> RoomSnapshot:
        """Join the room. Raises `InvalidRequest` if the join is rejected, `RetryableError` on timeout."""
        ...

    def events(self) -> AsyncIterator[RoomEvent]:
        """Yield events from the join on, to one reader. Ends after `Disconnected`, or when we leave.

        Joins, leaves and audio starts during a lost connection are reported after the reconnect.
        """
        ...

    def say(self, text: str, *, interruptible: bool = True) -> QueuedUtterance:
        """Speak after the utterances that are queued. Every utterance ends: a limit in seconds applies."""
        ...

    def interrupt(self) -> None:
        """Stop speaking now, and drop queued utterances. Uninterruptible ones stay."""
        ...

    def listen(self, enabled: bool) -> None:
        """Take or mute input; the setting survives a reconnect."""
        ...

    async def leave(self) -> None:
        """Leave the room within seconds; utterances end as interrupted. Idempotent, also before `join`."""
        ...
