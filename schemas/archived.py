"""What the archive says of a transfer in the first line of its record: a user reads it without warmxfer."""

from __future__ import annotations

from msgspec import Struct

from .fields import Id
from .transfer import WarmTransferPhase, WarmTransferResult


class ArchivedTransfer(Struct, frozen=True, kw_only=True):
    """A transfer that has ended and left the working streams."""

    id: Id
    phase: WarmTransferPhase
    """The final phase."""
    seq: int
    """Number of the final phase."""
    at: float
    """When the final phase was published, in epoch seconds by the broker's clock."""
    result: WarmTransferResult | None = None
    """The result. None only if no record of the log has it."""
    records: int = 0
    """Number of records in the log."""
    left_out: int = 0
    """How many records in the middle of the log were left out, because the archived record has a limit."""
    erased: bool = False
    """True if an operator erased the transfer. Then nothing but this line is left of it, without a result."""
