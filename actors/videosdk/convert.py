"""Between the original's words and ours: configuration in, phases, results and errors out.

Ours are the original's by name; what differs is said here and nowhere else.
"""

from __future__ import annotations

from typing import Any

from warmxfer.schemas import Outcome, PhaseChanged, Refused, WarmTransferResult, encode
from warmxfer.schemas import WarmTransferError as OurError
from warmxfer.schemas import WarmTransferPhase as Phase

from . import framework
from .framework import OriginalError


class WarmTransferError(OriginalError, OurError):
    """What the drop-in raises: caught by `except` clauses for the original's class and for ours."""


def to_request(
    config: framework.WarmTransferConfig,
    *,
    room_id: str,
    caller: str | None,
    by_session: bool,
    brief_here: bool,
    **ours: Any,
) -> dict[str, Any]:
    """The request for the original's `config`; `ours` are fields of our own configuration.

    What cannot travel stays here: `by_session`, the model of the summary; `brief_here`, the pipeline of the
    briefing. Raises `Refused` for options that are no JSON.
    """
    destination = config.destination
    return {
        "room_id": room_id,
        "caller_participant_id": caller,
        "config": {
            "destination": {
                "routing_rule_id": destination.routing_rule_id,
                "sip_call_to": destination.sip_call_to,
                "sip_call_from": destination.sip_call_from,
                "participant_display_name": destination.participant_display_name,
                "extra_options": _json(destination.extra_options),
            },
            "summary_prompt": config.summary_prompt,
            "summarize_by": "session" if by_session else "summarizer",
            "brief_by": "session" if brief_here else "briefing",
            "supervisor_join_timeout_s": config.supervisor_join_timeout,
            "briefing_timeout_s": config.briefing_timeout,
            **ours,
        },
    }


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


def _json(options: dict[str, Any]) -> dict[str, Any]:
    for name, value in options.items():
        try:
            encode(value)
        except TypeError as error:
            raise Refused(
                f"config.destination.extra_options.{str(name)[:64]} is a {type(value).__name__}; "
                "write it as JSON: strings, numbers, true, false, lists and objects.",
                field="config.destination.extra_options",
            ) from error
    return options
