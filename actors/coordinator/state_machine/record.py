"""One transition as it is kept on `warmxfer.<id>.log`: the event, the state it led to, and what goes out.

The record is the commit. Its outbox goes out after it, and again whenever it may not have gone out; every
piece has a Msg-Id of its own, so a repeat is stored once.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.json import Decoder

from warmxfer.schemas import AnyCommand, AnyEvent, PhaseChanged, WarmTransferResult

from .state import Transfer


class SetTimer(Struct, frozen=True, tag="arm_timer", tag_field="type"):
    """Set the transfer's one timer to `due_at`, in place of whatever it was set to."""

    due_at: float


Output = PhaseChanged | WarmTransferResult | AnyCommand | SetTimer


class Record(Struct, frozen=True, kw_only=True):
    """`trigger` is the stream sequence of the message that caused it."""

    trigger: int
    at: float
    event: AnyEvent
    state: Transfer
    outbox: list[Output]


record_decoder = Decoder(Record)
