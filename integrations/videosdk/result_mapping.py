"""From our words to the original's: phases, results and errors. Its configuration is read in `asked.py`.

Ours are the original's by name; what differs is said here and nowhere else.
"""

from __future__ import annotations

from typing import Any

from warmxfer.adapters.rooms.videosdk import framework
from warmxfer.adapters.rooms.videosdk.framework import OriginalError
from warmxfer.schemas import Outcome, PhaseChanged, WarmTransferResult
from warmxfer.schemas import WarmTransferPhase as Phase
from warmxfer.schemas import WarmxferError as OurError


class WarmTransferError(OriginalError, OurError):
    """What the drop-in raises: caught by `except` clauses for the original's class and for ours."""


def to_payload(phase: PhaseChanged) -> dict[str, Any]:
    """What a `warm_transfer` handler receives."""
    return payload(phase.phase, phase.data, phase.timestamp, phase.consultation_room_id)


def payload(phase: Phase, data: dict[str, Any], timestamp: float, room_id: str | None) -> dict[str, Any]:
    return {
        "phase": framework.WarmTransferPhase(phase.value),
        "data": data,
        "timestamp": timestamp,
        "consultation_room_id": room_id,
    }


def to_result(result: WarmTransferResult) -> framework.WarmTransferResult:
    """The original's result; raises `WarmTransferError` where the original raises.

    It returns what people ended (`transfer_cancelled`) and a switch that failed, and raises the rest.
    """
    if result.phase is Phase.TRANSFER_FAILED and result.outcome is not Outcome.SWITCH_FAILED:
        raise WarmTransferError(result.detail or result.error or result.outcome.value)
    return framework.WarmTransferResult(
        success=result.success,
        phase=framework.WarmTransferPhase(result.phase.value),
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
