"""The port through which the gateway reaches a telephony provider, in no vendor's words.

One file beside this one knows one vendor. All methods raise only what `errors.py` lists, keep their own
total deadline (`within_s` shortens it), and log neither numbers nor tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from warmxfer.schemas import CallCause, SIPDestination

Direction = Literal["inbound", "outbound", ""]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One leg as the provider's book has it. An empty string or None is what the book does not say."""

    call_id: str
    up: bool
    status: str = ""
    direction: Direction = ""
    room_id: str | None = None
    participant_id: str | None = None
    moving: bool = False
    """A switch to another room was accepted and has neither completed nor failed."""
    completed_moves: int = 0
    failed_moves: int = 0
    """How many switches completed and failed in the life of the call: they only ever grow, so a number
    taken before a switch tells afterwards, without any clock, whether *that* switch came through."""
    cause: CallCause | None = None
    sip_code: int | None = None
    started: str = ""
    """ISO 8601, only good for telling the newer of two."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """The record as it came, bounded in size."""


@dataclass(frozen=True, slots=True)
class DialRequest:
    """A call to place: ring `destination` into `room_id`, where it appears as `participant_id`."""

    room_id: str
    participant_id: str
    ringing_timeout_s: int
    destination: SIPDestination = field(repr=False)
    metadata: Mapping[str, str]
    """Metadata of ours, by which the call is found again. It wins over the destination's own."""


@dataclass(frozen=True, slots=True)
class Dialed:
    """The provider has the call."""

    call_id: str
    response: dict[str, Any] = field(repr=False)


# ── what a provider tells of its own accord ──────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CallEndedNotice:
    """A leg ended."""

    call_id: str
    participant_id: str | None
    direction: Direction
    metadata: Mapping[str, Any] = field(repr=False)
    cause: CallCause
    sip_code: int | None


@dataclass(frozen=True, slots=True)
class ParticipantJoinedNotice:
    """Somebody entered a room."""

    room_id: str
    participant_id: str


@dataclass(frozen=True, slots=True)
class ParticipantLeftNotice:
    """Somebody left a room."""

    room_id: str
    participant_id: str
    reason: str


Notice = CallEndedNotice | ParticipantJoinedNotice | ParticipantLeftNotice


class Provider(Protocol):
    """A telephony cloud: rooms, legs, and the tokens that open rooms."""

    @property
    def name(self) -> str:
        """One word for addresses and logs."""
        ...

    @property
    def signaling_url(self) -> str:
        """The base URL of the cloud whose rooms the tokens open."""
        ...

    @property
    def timeout_s(self) -> float:
        """No request of this provider is under way for longer."""
        ...

    async def find_caller_call(self, room_id: str, *, within_s: float | None = None) -> CallRecord | None:
        """The leg of the person who talks with the AI in `room_id`: up, and none that warmxfer dialled."""
        ...

    async def look_up_call(self, call_id: str, *, within_s: float | None = None) -> CallRecord | None:
        """One leg by its id; None when the provider knows no such call."""
        ...

    async def find_calls(
        self, room_id: str, participant_id: str, attempt_key: str, *, within_s: float | None = None
    ) -> list[CallRecord]:
        """Every leg dialled under our mark, those that are up first. Empty: the provider has none."""
        ...

    async def find_marked_calls(
        self, marks: Mapping[str, str], began_within_s: float, *, within_s: float | None = None
    ) -> list[CallRecord]:
        """Every leg that is up, began no longer ago than that, and was dialled under these marks."""
        ...

    async def create_room(self, key: str, *, within_s: float | None = None) -> str:
        """The room of this key: the same key gives the same room, so a doubt is asked again."""
        ...

    async def dial(self, order: DialRequest, *, within_s: float | None = None) -> Dialed:
        """Place a call. Sent at most once."""
        ...

    async def switch(
        self, call_id: str, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> dict[str, Any]:
        """Begin to move a leg into `room_id`, where it appears as `participant_id`. Sent at most once."""
        ...

    async def end(self, call_id: str, *, within_s: float | None = None) -> None:
        """Hang up. Ending twice is harmless; `NotDone` when the leg was down already."""
        ...

    async def record_participant(
        self, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> None:
        """See to it that somebody in a room is recorded until they leave it: being recorded already is done,
        so a doubt is asked again. `NotYet` when they are not there yet, `Gone` when nobody is there."""
        ...

    async def close_room(self, room_id: str, *, within_s: float | None = None) -> None:
        """Deactivate a room; `Gone` when it was not there."""
        ...

    async def register_webhooks(self) -> None:
        """Have what happens to calls told to the webhook address, if there is one; told already is fine."""
        ...

    def mint_token(self, room_id: str, participant_id: str) -> str:
        """A key to one room for one participant, for minutes. A secret."""
        ...

    async def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        """What a webhook says, None when it does not concern us.

        `headers` are lower case. Raises `Forged` (not signed by the provider), `Refused` (unreadable) and
        `Retry` (the signature cannot be checked now).
        """
        ...

    async def aclose(self) -> None:
        """Hang up the connections."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A provider that is set up and not yet opened."""

    name: str
    open: Callable[[str | None, str | None], Provider] = field(repr=False)
    """(webhook_url, webhook_key) -> Provider; raises `Refused` when the key is none."""
    local: bool
    """It is on this machine, and can reach a loopback address of ours."""
    timeout_s: float
