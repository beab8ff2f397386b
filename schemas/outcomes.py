"""The outcomes of a transfer, with the final phase and the apology to the caller for each.

Five outcomes have the words of VideoSDK's `WarmTransferRunner`: `declined`, `voicemail`,
`supervisor_disconnected`, `supervisor_join_timeout`, `switch_failed`. The others split what upstream reports
as one of these, as free text, or not at all.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """Why a transfer ended. `evidence` in the result says how this is known."""

    COMPLETE = "complete"
    # the supervisor's side
    DECLINED = "declined"
    VOICEMAIL = "voicemail"
    SUPERVISOR_DISCONNECTED = "supervisor_disconnected"
    SUPERVISOR_JOIN_TIMEOUT = "supervisor_join_timeout"
    SUPERVISOR_BUSY = "supervisor_busy"
    SUPERVISOR_NO_ANSWER = "supervisor_no_answer"
    SUPERVISOR_REJECTED = "supervisor_rejected"
    SUPERVISOR_UNREACHABLE = "supervisor_unreachable"
    BRIEFING_TIMEOUT = "briefing_timeout"
    # the caller's side, and the user's
    CALLER_LEFT = "caller_left"
    CANCELLED = "cancelled"
    # failures
    INVALID_REQUEST = "invalid_request"
    TOO_BUSY = "too_busy"
    CALLER_IN_TRANSFER = "caller_in_transfer"
    CALLER_NOT_FOUND = "caller_not_found"
    ROOM_FAILED = "room_failed"
    DIAL_FAILED = "dial_failed"
    SWITCH_FAILED = "switch_failed"
    CALLER_NEVER_ARRIVED = "caller_never_arrived"
    SESSION_RELEASED = "session_released"
    PRIMARY_ABSENT = "primary_absent"
    GATEWAY_ABSENT = "gateway_absent"
    BRIEFING_ABSENT = "briefing_absent"
    BRIEFING_FAILED = "briefing_failed"
    BROKEN = "broken"

    @property
    def cancelled(self) -> bool:
        """True if a person ended the transfer: the final phase is `transfer_cancelled`."""
        return self in _CANCELLED


_CANCELLED = frozenset(
    {
        Outcome.DECLINED,
        Outcome.VOICEMAIL,
        Outcome.SUPERVISOR_DISCONNECTED,
        Outcome.SUPERVISOR_JOIN_TIMEOUT,
        Outcome.SUPERVISOR_BUSY,
        Outcome.SUPERVISOR_NO_ANSWER,
        Outcome.SUPERVISOR_REJECTED,
        Outcome.SUPERVISOR_UNREACHABLE,
        Outcome.BRIEFING_TIMEOUT,
        Outcome.CALLER_LEFT,
        Outcome.CANCELLED,
    }
)

FALLBACK_SUMMARY = "Caller escalated; no conversation summary is available."
"""The summary if neither a model nor the transcript gives one."""

UNREACHED = "Sorry, I couldn't reach a supervisor; let me continue helping you."
PROBLEM = "I ran into a problem transferring you. Let me keep helping you."
INCOMPLETE = "I couldn't complete the transfer; please try again in a moment."

APOLOGIES: dict[Outcome, str] = {
    Outcome.DECLINED: "The supervisor isn't able to take this call right now; let me keep helping you.",
    Outcome.VOICEMAIL: "I couldn't reach a live supervisor; let me keep helping you.",
    Outcome.SUPERVISOR_DISCONNECTED: (
        "I lost the supervisor before we could connect you; let me keep helping you."
    ),
    Outcome.SUPERVISOR_JOIN_TIMEOUT: UNREACHED,
    Outcome.SUPERVISOR_BUSY: UNREACHED,
    Outcome.SUPERVISOR_NO_ANSWER: UNREACHED,
    Outcome.SUPERVISOR_REJECTED: UNREACHED,
    Outcome.SUPERVISOR_UNREACHABLE: UNREACHED,
    Outcome.BRIEFING_TIMEOUT: "I couldn't complete the transfer; let me keep helping you.",
    Outcome.CANCELLED: "I couldn't complete the transfer; let me keep helping you.",
    Outcome.SWITCH_FAILED: INCOMPLETE,
    Outcome.CALLER_NEVER_ARRIVED: INCOMPLETE,
}
"""What the caller hears when they are returned to the AI. Every other outcome uses `PROBLEM`."""


def apology_for(outcome: Outcome) -> str:
    """Return the default line for the caller after `outcome`."""
    return APOLOGIES.get(outcome, PROBLEM)
