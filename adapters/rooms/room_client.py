"""How an agent is present in a room: it joins, notices, speaks, listens, leaves. No vendor's words.

The law of this file: what happens in the room is told in one order. `events()` carries the ends of our own
utterances too, so that whoever must know whether something was heard before or after the question ended
reads it off that order and never off two clocks.

An utterance does not outlive the connection it was said on: it ends as interrupted.
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
"""What is longer is cut before it is said."""

TokenSource = Callable[[], Awaitable[RoomToken]]
"""Gives a fresh token for this seat; asked again before every new connection."""


def token_source(bus: Bus, room_id: str, participant_id: str) -> TokenSource:
    """A ticket that asks the SIP gateway; it raises `NoOneAnswered` (a `Retry`) when no gateway is there."""
    query = encode(RoomTokenQuery(room_id=room_id, participant_id=participant_id))

    async def request_token() -> RoomToken:
        return decode_as(RoomToken, await bus.request(subjects.ASK_ROOM_TOKEN, query, TOKEN_TIMEOUT_S))

    return request_token


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """Where to be, as whom. The same participant id twice: the later one takes the place of the first.

    `listens_to` is the one whose words the agent is there for. A cloud that tells speakers apart lets all of
    them be heard; where they would be one voice, only this one is listened to.
    """

    room_id: str
    participant_id: str
    name: str
    token_source: TokenSource
    listens_to: str | None = None


class NoSuchRoom(InvalidRequest):
    """Nobody has opened this room yet, or it is forgotten."""

    def __init__(self, room_id: str) -> None:
        super().__init__(f"Room {room_id} does not exist; open it, or give another room")


class RoomParticipant(Struct, frozen=True):
    """Somebody else in the room."""

    id: str
    name: str = ""
    audible: bool = False


class RoomSnapshot(Struct, frozen=True):
    """The room as it was found on entering; `participants` are the others."""

    room_id: str
    session_id: str | None
    participants: tuple[RoomParticipant, ...]


class ParticipantJoinedRoom(Struct, frozen=True):
    participant: RoomParticipant


class ParticipantLeftRoom(Struct, frozen=True):
    participant_id: str
    reason: str = ""


class AudioStarted(Struct, frozen=True):
    """From now on this participant can be heard."""

    participant_id: str
    kind: str = "audio"


class UtteranceHeard(Struct, frozen=True):
    """One whole utterance of somebody else, told when it ended."""

    participant_id: str
    text: str


class VoicemailSuspected(Struct, frozen=True):
    """The cloud's own detector takes this participant for an answering machine."""

    participant_id: str


class SpeechEnded(Struct, frozen=True):
    """One utterance of our own is over; `interrupted`: not said to its end."""

    utterance_id: str
    interrupted: bool


class DisconnectReason(StrEnum):
    """Why a presence ended that did not leave by itself."""

    REPLACED = "replaced"
    """Somebody joined under the same participant id: another worker took over."""
    DEACTIVATED = "deactivated"
    KICKED = "kicked"
    LOST = "lost"
    """The connection went down and could not be had back, or the reader fell too far behind."""


class Disconnected(Struct, frozen=True):
    """Always the last event."""

    reason: DisconnectReason


RoomEvent = (
    ParticipantJoinedRoom
    | ParticipantLeftRoom
    | AudioStarted
    | UtteranceHeard
    | VoicemailSuspected
    | SpeechEnded
    | Disconnected
)


@dataclass(frozen=True, slots=True)
class QueuedUtterance:
    """Something being said, or waiting to be said. Await it for its end: True when it was interrupted."""

    id: str
    ended: asyncio.Future[bool] = field(repr=False)

    def __await__(self) -> Generator[None, None, bool]:
        return asyncio.shield(self.ended).__await__()


class RoomClient(Protocol):
    """One presence in one room. Everything but `join` and `leave` returns at once and never raises."""

    @property
    def model(self) -> ChatModel | None:
        """The chat model that came with this presence, if any: from `join` on, until `leave`."""
        ...

    async def join(self) -> RoomSnapshot:
        """Enter. Raises `Refused` when the door stays shut, `Retry` when nobody came to it in time."""
        ...

    def events(self) -> AsyncIterator[RoomEvent]:
        """What happens from the entering on; for one reader. Ends after `Closed`, or when we left.

        Who comes, goes or becomes audible while a lost connection is being had back is told then.
        """
        ...

    def say(self, text: str, *, interruptible: bool = True) -> QueuedUtterance:
        """Speak, after what is being said already. Its end is certain: a limit in seconds sees to it."""
        ...

    def interrupt(self) -> None:
        """Stop speaking now, and drop what was queued behind; what is not interruptible stays."""
        ...

    def listen(self, enabled: bool) -> None:
        """Open or close our ears; stays as it is through a reconnect."""
        ...

    async def leave(self) -> None:
        """Go, within seconds; utterances end as interrupted. Twice, or before `join`: nothing happens."""
        ...
