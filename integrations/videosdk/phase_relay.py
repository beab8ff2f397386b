"""Relays one transfer to the session's handlers: each phase, then the result.

Invariant: a transfer that is no longer followed is cancelled, for whatever reason. Otherwise the caller would
stay on hold although the agent no longer waits.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import structlog

from warmxfer.client import NoSuchTransfer, TransferHandle
from warmxfer.schemas import PhaseChanged, RetryableError, WarmTransferPhase, WarmTransferResult

from .session_adapter import AgentSessionAdapter

ENDING_TIMEOUT_S = 15.0
"""How long a cancelled transfer is followed, until the caller is back and the legs are down."""

NO_IDS = {
    "consultation_session_id": None,
    "supervisor_participant_id": None,
    "caller_participant_id": None,
    "briefing_agent_participant_id": None,
}

log = structlog.get_logger(__name__)


async def relay_phases(
    transfer: TransferHandle, adapter: AgentSessionAdapter, limit_s: float
) -> WarmTransferResult:
    """Emit each phase, then return the result.

    Raises `RetryableError` after `limit_s` or when the bus is lost; the transfer is then cancelled.
    """
    try:
        async with asyncio.timeout(limit_s):
            await _emit_phases(transfer, adapter)
            return await transfer.result()
    except Exception as error:
        await cancel(transfer, "The voice agent does not wait for it any more.")
        if not isinstance(error, RetryableError | TimeoutError):
            raise
        raise RetryableError(str(error) or f"The transfer has not ended within {limit_s:g} s.") from error


async def end_early(transfer: TransferHandle, adapter: AgentSessionAdapter) -> None:
    """Cancel `transfer`; return when the caller is back, or after `ENDING_TIMEOUT_S`.

    The task may have been cancelled before it published its request. Then there is nothing to end.
    """
    if not await cancel(transfer, "The voice agent's own task for it was cancelled."):
        return
    try:
        async with asyncio.timeout(ENDING_TIMEOUT_S):
            await _emit_phases(transfer, adapter)
    except NoSuchTransfer:
        log.info("transfer_never_requested", transfer_id=transfer.id)
    except (RetryableError, TimeoutError) as error:
        log.warning("transfer_end_missed", transfer_id=transfer.id, error=type(error).__name__)


def emit_failure(adapter: AgentSessionAdapter, reason: str) -> None:
    """Emit that the transfer failed, where no other phase does. Emits STARTED before it, as upstream does."""
    now, last = time.time(), adapter.last_phase
    if last is None:
        adapter.emit_phase(_phase(WarmTransferPhase.STARTED, now, start_time=now))
    if last is None or not last.final:
        adapter.emit_phase(_phase(WarmTransferPhase.TRANSFER_FAILED, now, reason=reason, **NO_IDS))


async def _emit_phases(transfer: TransferHandle, adapter: AgentSessionAdapter) -> None:
    async with aclosing(transfer.phases()) as phases:
        async for phase in phases:
            adapter.emit_phase(phase)


async def cancel(transfer: TransferHandle, reason: str) -> bool:
    """Cancel `transfer`; return whether the cancel is stored. Logs a failure."""
    try:
        await transfer.cancel(reason)
    except RetryableError as error:
        log.warning("transfer_cancel_failed", transfer_id=transfer.id, error=str(error))
        return False
    return True


def _phase(phase: WarmTransferPhase, now: float, **data: Any) -> PhaseChanged:
    return PhaseChanged(phase=phase, data=data, timestamp=now, consultation_room_id=None, seq=0)
