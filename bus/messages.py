"""What travels: the small values actors see. Payloads are bytes; the bus knows no message types.

Times are epoch seconds by the broker's clock, to the microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MSG_ID = "Nats-Msg-Id"
"""The header in which a writer's own id is stored; the broker drops a repeat within `DUPLICATE_WINDOW_S`."""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish. Without `msg_id` the bus gives it one, so that its own repeats are dropped."""

    subject: str
    data: bytes
    msg_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the stream keeps it."""

    subject: str
    seq: int
    at: float
    data: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)

    @property
    def msg_id(self) -> str | None:
        """The id its writer gave it."""
        return self.headers.get(MSG_ID)


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """A message heard live. `lost` messages before it were dropped because the reader was slow."""

    subject: str
    data: bytes
    lost: int = 0


@dataclass(frozen=True, slots=True)
class ConsumerMessage:
    """A message a consumer handed out; it comes back until it is acknowledged through `receipt`."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    seq: int
    at: float
    delivery_count: int
    ack_subject: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to handle. `tries` counts this time too, so it is 1 the first time."""

    transfer_id: str
    kind: str
    rest: str
    subject: str
    data: bytes
    seq: int
    at: float
    delivery_count: int
    headers: Mapping[str, str]
