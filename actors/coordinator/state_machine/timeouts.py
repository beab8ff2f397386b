"""The machine's fixed numbers, and the sentences about who is missing.

Everything a user may want different is in `WarmTransferConfig`; these are the rest. Seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from warmxfer.schemas import CallCause, Outcome, WarmTransferConfig

from .step_context import StepContext

EFFECT_TIMEOUT_FACTOR = 2.0
"""Dial, switch, return and end may need a look-up after a doubtful answer: twice the usual wait."""

SUMMARY_GRACE_S = 2.0
"""The summarizer falls back on its own when its time is up; this is how much later we stop waiting."""

CHECK_FIRST_S = 2.0
CHECK_GROWTH = 1.5
CHECK_LONGEST_S = 15.0
"""How often the provider is asked about the legs, in case a webhook was lost or none is configured."""

RING_MARGIN_S = 5
"""Our own timeout fires first; the provider's is the net under it, should all of us be dead."""

MAX_OUTAGE_S = 120.0
"""So much an outage of the broker may add to preparing before the caller is given back instead."""

UNWINDING_TIMEOUT_FACTOR = 6.0
"""Clearing away may last this many command timeouts; what is then still open is named in the evidence."""

CLEANUP_CHECK_FACTOR = 3.0
CLEANUP_CHECKS_END_FACTOR = 18.0
"""A leg or a room in doubt is looked for this many command timeouts apart, until so many after the end."""

MAX_CALLER_SEARCH_S = 3_600.0
"""After so long nobody asks a provider any more that cannot say where the caller is. So long the AI stays for
them, unless they come or are known to have hung up."""

RECORDING_UNCONFIRMED = "not confirmed: the SIP gateway did not answer in time"
"""A caller's recording of which nobody told."""

CALLER_HUNG_UP = "The caller hung up."


def ringing_timeout_s(join_timeout_s: float) -> int:
    """How long the provider shall let it ring."""
    return min(600, ceil(join_timeout_s) + RING_MARGIN_S)


def schedule_check(turn: StepContext) -> None:
    """Set when the legs are looked at next; each wait is longer than the one before."""
    wait_s = min(CHECK_LONGEST_S, CHECK_FIRST_S * CHECK_GROWTH**turn.state.checks)
    turn.state.checks += 1
    turn.state.check_due_at = turn.now + wait_s


def schedule_cleanup_check(turn: StepContext) -> None:
    """Set when an ended transfer looks again for what may still be up, if it still does."""
    unit_s, ended_at = turn.config.command_timeout_s, turn.state.ended_at or turn.now
    goes_on = turn.now < ended_at + CLEANUP_CHECKS_END_FACTOR * unit_s
    turn.state.check_due_at = turn.now + CLEANUP_CHECK_FACTOR * unit_s if goes_on else None


def preparing_timeout_s(command_timeout_s: float, summary_timeout_s: float) -> float:
    """Longer than any legal order of preparations: a net under the commands' own deadlines."""
    return 6 * command_timeout_s + summary_timeout_s + SUMMARY_GRACE_S


class MissingActor:
    """Who did not answer, and how to start them."""

    def __init__(self, outcome: Outcome, who: str, remedy: str) -> None:
        self.outcome = outcome
        self.actor = who
        self.remedy = remedy

    def sentence(self, kind: str, waited_s: float) -> str:
        return f"No {self.actor} answered {kind} within {waited_s:g} s; {self.remedy}."


_PRIMARY = MissingActor(
    Outcome.PRIMARY_ABSENT,
    "primary session",
    "attach the session in its voice-agent process, or start `warmxfer run primary`",
)
_GATEWAY = MissingActor(Outcome.GATEWAY_ABSENT, "SIP gateway", "start one with `warmxfer run gateway`")
_BRIEFING = MissingActor(Outcome.BRIEFING_ABSENT, "briefing agent", "start one with `warmxfer run briefing`")
_SESSION = MissingActor(
    Outcome.BRIEFING_ABSENT,
    "process that holds this session (brief_by is session)",
    "keep it running with `brief_here` open, or set brief_by to briefing",
)

_ABSENT: Mapping[str, MissingActor] = {
    "hold_caller": _PRIMARY,
    "find_caller_call": _GATEWAY,
    "create_room": _GATEWAY,
    "dial_supervisor": _GATEWAY,
    "switch_caller": _GATEWAY,
    "join_consultation": _BRIEFING,
}


def missing_actor(kind: str, config: WarmTransferConfig) -> MissingActor:
    """Who was to do `kind`, which nobody did."""
    hosted = kind == "join_consultation" and config.brief_by == "session"
    return _SESSION if hosted else _ABSENT[kind]


FAILED: Mapping[str, Outcome] = {
    "hold_caller": Outcome.PRIMARY_ABSENT,
    "find_caller_call": Outcome.CALLER_NOT_FOUND,
    "create_room": Outcome.ROOM_FAILED,
    "dial_supervisor": Outcome.DIAL_FAILED,
    "switch_caller": Outcome.SWITCH_FAILED,
    "join_consultation": Outcome.BRIEFING_FAILED,
    "brief_supervisor": Outcome.BRIEFING_FAILED,
}
"""What it means for the transfer when an actor answers that it could not."""

OUTCOME_BY_CALL_CAUSE: Mapping[CallCause, Outcome] = {
    CallCause.BUSY: Outcome.SUPERVISOR_BUSY,
    CallCause.NO_ANSWER: Outcome.SUPERVISOR_NO_ANSWER,
    CallCause.REJECTED: Outcome.SUPERVISOR_REJECTED,
    CallCause.ABANDONED: Outcome.SUPERVISOR_UNREACHABLE,
    CallCause.FAILED: Outcome.SUPERVISOR_UNREACHABLE,
    CallCause.HUNG_UP: Outcome.SUPERVISOR_DISCONNECTED,
}
"""What a supervisor's leg that went down before anybody was heard means."""
