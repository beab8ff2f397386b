"""The function that makes the report of one transfer from its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from warmxfer.schemas import (
    CallerHeld,
    CallerReleased,
    Outcome,
    RecordingStarted,
    SupervisorReady,
)
from warmxfer.schemas.report import Attempt, Durations, EndedBy, Moments, TransferReport

from ..state_machine import CallerPlace, Record, Stage, Transfer, expand_log
from .attempts import attempts
from .commands import command_times

ENDED_BY: Mapping[Outcome, EndedBy] = {
    Outcome.DECLINED: EndedBy.SUPERVISOR,
    Outcome.SUPERVISOR_DISCONNECTED: EndedBy.SUPERVISOR,
    Outcome.SUPERVISOR_BUSY: EndedBy.SUPERVISOR,
    Outcome.SUPERVISOR_REJECTED: EndedBy.SUPERVISOR,
    Outcome.VOICEMAIL: EndedBy.MACHINE,
    Outcome.SUPERVISOR_JOIN_TIMEOUT: EndedBy.TIMER,
    Outcome.SUPERVISOR_NO_ANSWER: EndedBy.TIMER,
    Outcome.BRIEFING_TIMEOUT: EndedBy.TIMER,
    Outcome.CALLER_NEVER_ARRIVED: EndedBy.TIMER,
    Outcome.CALLER_LEFT: EndedBy.CALLER,
    Outcome.CANCELLED: EndedBy.USER,
    Outcome.INVALID_REQUEST: EndedBy.ADMISSION,
    Outcome.TOO_BUSY: EndedBy.ADMISSION,
    Outcome.CALLER_IN_TRANSFER: EndedBy.ADMISSION,
    Outcome.SUPERVISOR_UNREACHABLE: EndedBy.PROVIDER,
    Outcome.CALLER_NOT_FOUND: EndedBy.PROVIDER,
    Outcome.ROOM_FAILED: EndedBy.PROVIDER,
    Outcome.DIAL_FAILED: EndedBy.PROVIDER,
    Outcome.SWITCH_FAILED: EndedBy.PROVIDER,
    Outcome.SESSION_RELEASED: EndedBy.ACTOR,
    Outcome.PRIMARY_ABSENT: EndedBy.ACTOR,
    Outcome.GATEWAY_ABSENT: EndedBy.ACTOR,
    Outcome.BRIEFING_ABSENT: EndedBy.ACTOR,
    Outcome.BRIEFING_FAILED: EndedBy.ACTOR,
    Outcome.BROKEN: EndedBy.ACTOR,
}
"""Who ended a transfer of each outcome. After `complete`, the end of the talk says it, where it is known."""


def report(log: Sequence[Record]) -> TransferReport:
    """Return the report of the transfer whose records are `log`, oldest first; at least one."""
    records = [*expand_log(log)]
    last = records[-1].state
    dials = attempts(records)
    moments = _moments(records, dials)
    decision = last.decision
    return TransferReport(
        transfer_id=last.id,
        stage=last.stage.value,
        outcome=str(decision.outcome) if decision else "",
        detail=decision.detail if decision else "",
        ended_by=_ended_by(records, moments),
        moments=moments,
        durations=_durations(moments),
        attempts=dials,
        commands=command_times(records),
        recordings=sorted(
            {each.event.participant_id for each in records if isinstance(each.event, RecordingStarted)}
        ),
        unconfirmed=_unconfirmed(last),
        evidence=dict(decision.evidence) if decision else {},
        records=len(records),
    )


def _moments(records: Sequence[Record], dials: Sequence[Attempt]) -> Moments:
    def first(shows: Callable[[Record], bool], after: float | None = 0.0) -> float | None:
        """Return when the first record was made that `shows` it, not before `after`; None after None."""
        if after is None:
            return None
        return next((each.at for each in records if each.at >= after and shows(each)), None)

    together_at = first(lambda each: each.state.stage is Stage.HANDING_OVER)
    held_at = first(lambda each: isinstance(each.event, CallerHeld))
    return Moments(
        asked_at=records[0].state.started_at,
        held_at=held_at,
        first_ring_at=next((each.ringing_at for each in dials if each.ringing_at is not None), None),
        heard_at=first(lambda each: each.state.supervisor_leg.was_heard),
        accepted_at=first(lambda each: isinstance(each.event, SupervisorReady)),
        together_at=together_at,
        over_at=first(lambda each: each.state.stage.ended),
        released_at=first(lambda each: isinstance(each.event, CallerReleased), held_at),
        talk_ended_at=first(lambda each: _talk_ended_by(each) is not None, together_at),
    )


def _durations(moments: Moments) -> Durations:
    def between(start: float | None, *ends: float | None) -> float | None:
        """Return the seconds from `start` to the earliest of `ends`."""
        known = [each for each in ends if each is not None]
        return round(max(0.0, min(known) - start), 3) if start is not None and known else None

    return Durations(
        to_human_s=between(moments.asked_at, moments.together_at),
        hold_s=between(moments.held_at, moments.together_at, moments.released_at, moments.over_at),
        ring_s=between(moments.first_ring_at, moments.heard_at),
        briefing_s=between(moments.heard_at, moments.accepted_at),
        talk_s=between(moments.together_at, moments.talk_ended_at),
        total_s=between(moments.asked_at, moments.over_at),
    )


def _talk_ended_by(record: Record) -> EndedBy | None:
    """Return who has left the other alone in the state after `record`, which is later than the handover."""
    state = record.state
    if state.caller is CallerPlace.HUNG_UP:
        return EndedBy.CALLER
    if state.stage is Stage.GUARDING and state.caller in (CallerPlace.IN_TRANSIT, CallerPlace.WITH_AI):
        return EndedBy.SUPERVISOR
    if state.stage is Stage.RETURNING and state.decision is not None:
        return ENDED_BY.get(state.decision.outcome)
    return None


def _ended_by(records: Sequence[Record], moments: Moments) -> EndedBy | None:
    decision = records[-1].state.decision
    if decision is None:
        return None
    if decision.outcome is not Outcome.COMPLETE:
        return ENDED_BY.get(decision.outcome)
    if moments.talk_ended_at is None:
        return None
    later = [each for each in records if each.at >= moments.talk_ended_at]
    return next(by for each in later if (by := _talk_ended_by(each)) is not None)


def _unconfirmed(last: Transfer) -> list[str]:
    """Return one sentence for each thing of an ended transfer that is not confirmed."""
    if not last.stage.ended:
        return []
    found: list[str] = []
    if last.supervisor_leg.may_be_up:
        found.append("The supervisor's leg may be up: no reply confirmed its end.")
    if last.room.may_be_open:
        found.append("The consultation room may be open: no reply confirmed that it was closed.")
    if last.session_lost:
        found.append("No session answered the release of the caller: the caller may be alone.")
    evidence = last.decision.evidence if last.decision else {}
    for name, value in evidence.items():
        if name.endswith("_unanswered") and value is True:
            found.append(f"No reply came to {name.removesuffix('_unanswered')}.")
        elif name.endswith("_failed") and value is True:
            found.append(f"{name.removesuffix('_failed')} failed.")
    waited_for = evidence.get("unconfirmed")
    if isinstance(waited_for, str) and waited_for:
        found.append(f"The transfer ended without the replies to: {waited_for}.")
    if evidence.get("legs") is not None:
        found.append("No leg check confirmed that caller and supervisor were together.")
    return found
