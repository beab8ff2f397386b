"""One dial of the supervisor: what became of it, and what decided it."""

from __future__ import annotations

from collections.abc import Sequence

from warmxfer.schemas import (
    CallCause,
    DialSupervisor,
    LegsChecked,
    SupervisorCallEnded,
    SupervisorDialed,
    SupervisorReady,
    SwitchCaller,
)
from warmxfer.schemas.report import Attempt

from ..state_machine import Record

ACCEPTED = "accepted"
PROCEEDED = "proceeded"
"""The briefing ran out of time, and the request said that the caller is moved all the same."""


def attempts(records: Sequence[Record]) -> list[Attempt]:
    """Return the attempts in `records`, in their order."""
    found: list[Attempt] = []
    for index, record in enumerate(records):
        for sent in record.outbox:
            if isinstance(sent, DialSupervisor) and all(each.number != sent.attempt for each in found):
                found.append(_attempt(sent.attempt, record.at, records[index + 1 :]))
    return found


def _attempt(number: int, asked_at: float, later: Sequence[Record]) -> Attempt:
    """Follow one attempt through the records after its dial, up to the one that decides it."""
    ringing_at = heard_at = sip_code = None
    cause = outcome = decided_by = timer = ""
    for record in later:
        event, state = record.event, record.state
        if state.attempt != number:
            break
        if isinstance(event, SupervisorDialed) and ringing_at is None:
            ringing_at = record.at
        if state.supervisor_leg.was_heard and heard_at is None:
            heard_at = record.at
        cause, sip_code = _leg_end(record) or (cause, sip_code)
        if outcome := _outcome(record):
            decided_by, timer = str(event.__struct_config__.tag), _timer(record)
            break
    return Attempt(
        number=number,
        asked_at=asked_at,
        ringing_at=ringing_at,
        heard_at=heard_at,
        outcome=outcome,
        decided_by=decided_by,
        timer=timer,
        cause=cause,
        sip_code=sip_code,
    )


def _timer(record: Record) -> str:
    """Return the name of the timer that decided; empty if none did."""
    timer = record.state.decision.evidence.get("timer") if record.state.decision else None
    return timer if isinstance(timer, str) else ""


def _outcome(record: Record) -> str:
    """Return how `record` decides the attempt; empty if it does not."""
    if isinstance(record.event, SupervisorReady):
        return ACCEPTED
    if record.state.decision is not None:
        return str(record.state.decision.outcome)
    return PROCEEDED if any(isinstance(each, SwitchCaller) for each in record.outbox) else ""


def _leg_end(record: Record) -> tuple[str, int | None] | None:
    """Return the cause and the SIP status if `record` tells that the supervisor's leg is down."""
    event = record.event
    if isinstance(event, SupervisorCallEnded) and record.state.is_supervisors_leg(event):
        return event.cause.value, event.sip_code
    if isinstance(event, LegsChecked) and event.supervisor is not None and not event.supervisor.up:
        return (event.supervisor.cause or CallCause.HUNG_UP).value, event.supervisor.sip_code
    return None
