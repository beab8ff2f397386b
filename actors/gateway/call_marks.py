"""Metadata that marks a transfer's legs at the provider: built and parsed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from warmxfer.schemas import participant_ids
from warmxfer.schemas.participant_ids import ParticipantId

_ID = re.compile(participant_ids.TRANSFER_ID, re.ASCII)
_ATTEMPT = re.compile(participant_ids.ATTEMPT, re.ASCII)
RESCUE_ATTEMPT = "rescue"
"""Stands for the number of the dial attempt in the metadata of a rescue."""


def attempt_key(transfer_id: str, attempt: int) -> str:
    """Return the key that identifies the leg of one dial attempt."""
    return f"{transfer_id}-{attempt}"


def call_metadata(transfer_id: str, attempt: int, deployment: str | None = None) -> dict[str, str]:
    """Return the metadata of a dialled leg."""
    return {
        "warmxferId": transfer_id,
        "attempt": str(attempt),
        "attemptKey": attempt_key(transfer_id, attempt),
        **(deployment_metadata(deployment) if deployment else {}),
    }


def rescue_key(transfer_id: str) -> str:
    """Return the key that identifies the leg of the rescue."""
    return f"{transfer_id}-{RESCUE_ATTEMPT}"


def rescue_metadata(transfer_id: str, deployment: str | None = None) -> dict[str, str]:
    """Return the metadata of the rescue: of its leg, or of its dispatched agent."""
    return {
        "warmxferId": transfer_id,
        "attempt": RESCUE_ATTEMPT,
        "attemptKey": rescue_key(transfer_id),
        **(deployment_metadata(deployment) if deployment else {}),
    }


def deployment_metadata(deployment: str) -> dict[str, str]:
    """Return the metadata that all legs of a deployment share."""
    return {"warmxferHouse": deployment}


def parse_call_metadata(metadata: Mapping[str, Any]) -> ParticipantId | None:
    """Parse the metadata of a dialled leg; return None if warmxfer did not dial it."""
    transfer_id, attempt = metadata.get("warmxferId"), metadata.get("attempt")
    if not isinstance(transfer_id, str) or not isinstance(attempt, str):
        return None
    if _ID.fullmatch(transfer_id) is not None and attempt == RESCUE_ATTEMPT:
        return ParticipantId("rescuer", transfer_id)
    if _ID.fullmatch(transfer_id) is None or _ATTEMPT.fullmatch(attempt) is None:
        return None
    return ParticipantId("supervisor", transfer_id, int(attempt))
