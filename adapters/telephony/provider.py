"""The port through which the gateway reaches a telephony provider. Names no vendor.

Invariants:

- Methods raise only the errors that `errors.py` lists.
- Each method keeps a total deadline of its own; `within_s` shortens it.
- No method logs a phone number or a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from warmxfer.schemas import CallCause, SIPDestination

Direction = Literal["inbound", "outbound", ""]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One leg in the provider's call records. A missing fact is an empty string or None."""

    call_id: str
    up: bool
    status: str = ""
    direction: Direction = ""
    room_id: str | None = None
    participant_id: str | None = None
    moving: bool = False
    """Whether a switch to another room was accepted and has neither completed nor failed."""
    completed_moves: int = 0
    failed_moves: int = 0
    """How many switches of the call completed and failed.

    Both numbers only grow. Compared with their values before a switch, they tell without a clock whether
    *that* switch completed.
    """
    cause: CallCause | None = None
    sip_code: int | None = None
    started: str = ""
    """ISO 8601. Use it only to find the newer of two calls."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """The provider's record, bounded in size."""


@dataclass(frozen=True, slots=True)
class DialRequest:
    """A call to place: dial `destination` into `room_id`, where it joins as `participant_id`."""

    room_id: str
    participant_id: str
    ringing_timeout_s: int
    destination: SIPDestination = field(repr=False)
    metadata: Mapping[str, str]
    """Our metadata, by which the call is found again. It overrides the destination's own."""


@dataclass(frozen=True, slots=True)
class Dialed:
    """The provider accepted the call."""

    call_id: str
    response: dict[str, Any] = field(repr=False)


# ── notices from a provider's webhooks ───────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CallUpNotice:
    """A leg began, rings or was answered: the provider reports what happens to it."""

    call_id: str


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
    """A participant joined a room."""

    room_id: str
    participant_id: str


@dataclass(frozen=True, slots=True)
class ParticipantLeftNotice:
    """A participant left a room."""

    room_id: str
    participant_id: str
    reason: str


Notice = CallUpNotice | CallEndedNotice | ParticipantJoinedNotice | ParticipantLeftNotice


class Provider(Protocol):
    """A telephony cloud: rooms, legs, and tokens to join rooms."""

    @property
    def name(self) -> str:
        """One word for URL paths and logs."""
        ...

    @property
    def signaling_url(self) -> str:
        """The base URL of the cloud to which the room tokens belong."""
        ...

    @property
    def timeout_s(self) -> float:
        """The longest time that one request may take."""
        ...

    async def find_caller_call(self, room_id: str, *, within_s: float | None = None) -> CallRecord | None:
        """Return the caller's leg in `room_id`: a leg that is up and that warmxfer did not dial."""
        ...

    async def look_up_call(self, call_id: str, *, within_s: float | None = None) -> CallRecord | None:
        """Return one leg by its id; None if the provider has no such call."""
        ...

    async def find_calls(
        self, room_id: str, participant_id: str, attempt_key: str, *, within_s: float | None = None
    ) -> list[CallRecord]:
        """Return each leg of this dial attempt, legs that are up first; empty if there is none."""
        ...

    async def find_marked_calls(
        self, marks: Mapping[str, str], began_within_s: float, *, within_s: float | None = None
    ) -> list[CallRecord]:
        """Return each leg that is up, began within `began_within_s`, and carries `marks` as metadata."""
        ...

    async def create_room(self, key: str, *, within_s: float | None = None) -> str:
        """Create the room of this key; return its id. Idempotent: the same key gives the same room."""
        ...

    async def dial(self, order: DialRequest, *, within_s: float | None = None) -> Dialed:
        """Place a call, at most once. A request is sent again only if the provider did nothing."""
        ...

    async def dispatch_agent(
        self,
        agent_id: str,
        room_id: str,
        *,
        version_id: str | None,
        metadata: Mapping[str, str],
        within_s: float | None = None,
    ) -> None:
        """Have the provider start an agent that joins `room_id`, at most once.

        Returns when the provider has assigned the agent, before it joins. Raises `Rejected` if no agent is
        available, or if the provider runs no agents.
        """
        ...

    async def switch(
        self, call_id: str, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> dict[str, Any]:
        """Start to move a leg into `room_id`, where it joins as `participant_id`. At most once."""
        ...

    async def end(self, call_id: str, *, within_s: float | None = None) -> None:
        """Hang up. Idempotent. Raises `Rejected` if the leg was down already."""
        ...

    async def record_participant(
        self, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> None:
        """Record a participant until they leave the room. Idempotent.

        Raises `NotReady` if they have not joined yet, `NotFound` if the room has no session.
        """
        ...

    async def close_room(self, room_id: str, *, within_s: float | None = None) -> None:
        """Deactivate a room. Raises `NotFound` if it does not exist."""
        ...

    async def register_webhooks(self) -> None:
        """Register the webhook address for call events, if there is an address. Idempotent."""
        ...

    def mint_token(self, room_id: str, participant_id: str) -> str:
        """Return a token for one participant to join one room. Valid for minutes. A secret."""
        ...

    async def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        """Return the notice in a webhook; None if it is of no interest.

        Names in `headers` are lower case. Raises `InvalidWebhookSignature`, `InvalidRequest` if it cannot be
        read, and `RetryableError` if the signature cannot be checked now.
        """
        ...

    def can_connect(self) -> bool:
        """Return whether the last request found a connection to the provider.

        True before the first request. If it is false, tries again in the background, so that a later call
        returns true once a connection can be opened.
        """
        ...

    async def check_credentials(self) -> None:
        """Make one authenticated query. Raises as every query does: `Rejected` for wrong credentials."""
        ...

    def credentials_refused(self) -> str | None:
        """Return the sentence with which the provider refused our credentials, or None.

        None before the first request, and once a request was accepted. If it is a sentence, asks again in the
        background, so that a later call returns None once the credentials are accepted.
        """
        ...

    async def room_exists(self, room_id: str, *, within_s: float | None = None) -> bool:
        """Return whether the provider has an open room with this id."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A provider that is configured and not opened yet."""

    name: str
    open: Callable[[str | None, str | None], Provider] = field(repr=False)
    """(webhook_url, webhook_key) -> Provider. Raises `InvalidRequest` if the key is not a public key."""
    local: bool
    """Whether it runs on this machine, and can reach our loopback address."""
    timeout_s: float
