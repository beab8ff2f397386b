"""Following one transfer on screen, phase by phase, until it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .output import console, print_json
from .progress_view import ProgressView

if TYPE_CHECKING:
    from warmxfer.client import TransferHandle

RESULT_TIMEOUT_S = 60.0
"""How long after the final phase the result may take: it comes when nothing is outstanding."""


async def follow_one(transfer: TransferHandle, json: bool) -> bool:
    """Show every phase, then the result; returns whether it succeeded."""
    if json:
        async for phase in transfer.phases():
            print_json(phase)
        result = await transfer.result(RESULT_TIMEOUT_S)
        print_json(result)
        return result.success
    with ProgressView(console(), transfer.id) as checklist:
        async for phase in transfer.phases():
            checklist.add(phase)
        result = await transfer.result(RESULT_TIMEOUT_S)
        checklist.end(result)
    return result.success
