"""Queries and replies of the API: request and reply on `warmxfer.api.v1.<verb>`, for users.

A query is read strictly, like every message of a user. `validate` takes a `WarmTransferRequest` itself. The
reply to `report` is a `TransferReport`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from .fields import Id, ReasonText, Sentence, SubjectText, Token
from .outcomes import Outcome
from .transfer import CancelRequest, WarmTransferPhase, WarmTransferRequest, WarmTransferResult

MAX_API_LISTED = 100
"""Transfers in one reply: with their details they fit in one message."""

ListLimit = Annotated[
    int, Meta(ge=1, le=MAX_API_LISTED, extra={"remedy": f"give a number from 1 to {MAX_API_LISTED}"})
]


class ValidateReply(Struct, frozen=True):
    """The request is valid, and the dial policy allows its calls."""

    request: WarmTransferRequest
    """The request with its defaults."""


class StartQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Start a transfer. The same query again starts nothing and gets the same reply."""

    id: Token
    """You choose it. Without it a repeat after a lost reply would be a second transfer."""
    request: WarmTransferRequest


class StartReply(Struct, frozen=True):
    """The request is stored. Coordinators start the transfer."""

    id: Id
    phase_subject: SubjectText
    """Where its phases are published."""
    result_subject: SubjectText
    """Where its result is published, once."""


class TransferQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for the status or the report of a transfer."""

    id: Token


class TransferStatus(Struct, frozen=True, kw_only=True):
    """Where a transfer is."""

    id: Id
    phase: WarmTransferPhase | None = None
    """The newest phase. None: the request is stored and no coordinator has started it."""
    seq: int = 0
    """Number of that phase."""
    at: float | None = None
    """When the phase began: epoch seconds by the broker's clock."""
    ended: bool = False
    result: WarmTransferResult | None = None
    """None until the transfer has ended."""


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for the transfers with the newest phases."""

    limit: ListLimit = 20
    only: Literal["running", "all"] = "all"


class TransferSummary(Struct, frozen=True, kw_only=True):
    """One transfer in a list. `outcome` and `detail` are None while it runs."""

    id: Id
    phase: WarmTransferPhase
    seq: int
    at: float
    """When the phase began: epoch seconds by the broker's clock."""
    outcome: Outcome | None = None
    detail: Sentence | None = None


class ListReply(Struct, frozen=True):
    """The newest first."""

    transfers: Annotated[list[TransferSummary], Meta(max_length=MAX_API_LISTED)] = field(
        default_factory=list[TransferSummary]
    )


class CancelQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Cancel a transfer. The caller returns to the AI."""

    id: Token
    reason: ReasonText = CancelRequest().reason


class CancelReply(Struct, frozen=True):
    """The cancel is stored. Once the caller is being moved, a cancel may come too late: see the result."""

    id: Id
