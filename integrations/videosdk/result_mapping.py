"""Mapping of warmxfer's phases, results and errors to upstream's.

Most names are equal. Only this module knows the differences. `request_mapping.py` maps the configuration.
"""

from __future__ import annotations

from typing import Any

from warmxfer.adapters.rooms.videosdk import framework
from warmxfer.adapters.rooms.videosdk.framework import UpstreamError
from warmxfer.schemas import Outcome, PhaseChanged, WarmTransferResult, WarmxferError, is_known
from warmxfer.schemas import WarmTransferPhase as Phase


class WarmTransferError(UpstreamError, WarmxferError):
    """Error of the drop-in: `except` clauses for upstream's class and for ours catch it."""


def to_payload(phase: PhaseChanged) -> dict[str, Any]:
    """Return what a `warm_transfer` handler receives."""
    return payload(phase.phase, phase.data, phase.timestamp, phase.consultation_room_id)


def payload(phase: Phase, data: dict[str, Any], timestamp: float, room_id: str | None) -> dict[str, Any]:
    return {
        "phase": framework.WarmTransferPhase(phase.value),
        "data": data,
        "timestamp": timestamp,
        "consultation_room_id": room_id,
    }


def to_result(result: WarmTransferResult) -> framework.WarmTransferResult:
    """Return upstream's result; raises `WarmTransferError` where upstream raises.

    A cancelled transfer and a failed switch are returned. Any other failure is raised.
    """
    if result.phase is Phase.TRANSFER_FAILED and result.outcome is not Outcome.SWITCH_FAILED:
        raise WarmTransferError(result.detail or result.error or result.outcome.value)
    phase = result.phase
    if not is_known(phase):
        phase = Phase.TRANSFER_COMPLETE if result.success else Phase.TRANSFER_CANCELLED
    return framework.WarmTransferResult(
        success=result.success,
        phase=framework.WarmTransferPhase(phase.value),
        consultation_room_id=result.consultation_room_id,
        supervisor_call_id=result.supervisor_call_id,
        switched_call_id=result.switched_call_id,
        summary=result.summary,
        error=result.error,
        consultation_session_id=result.consultation_session_id,
        supervisor_participant_id=result.supervisor_participant_id,
        caller_participant_id=result.caller_participant_id,
        briefing_agent_participant_id=result.briefing_agent_participant_id,
    )
