"""The product's own `step()` over abstract states: without ids, texts and times, so that they can be counted.

What is abstracted, and why no behaviour is lost:

- Ids: at most one command of each kind is awaited (asserted). So a reply is either to that command or late.
- Times: `step()` depends only on which waits are due. A deadline is an abstract event. It sets the times so
  that exactly the chosen wait is due, or every wait. So a timer may fire at any moment, in any order.
- Counters (`seq`, `phases`, `commands`, `checks`) only number things. A guard counts its checks.
- Texts: the state machine passes on the summary, the detail, the evidence and the result of the recording.
  It does not read them. Of the outcome the phase is kept. Of the evidence one fact is kept: whether it admits
  that a dial, a return or the legs at completion could not be confirmed.
- Fields that are not read after clean-up has begun (`NOT_READ_IN_CLEANUP`).

`test_abstraction.py` checks this on random walks: a step from the abstract state and a step from the concrete
state lead to the same abstract state and send the same messages.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from warmxfer.actors.coordinator.state_machine import (
    MACHINE_VERSION,
    CallerPlace,
    Decision,
    Ignored,
    Stage,
    SupervisorLeg,
    Transfer,
    step,
)
from warmxfer.actors.coordinator.state_machine.record import Output
from warmxfer.actors.coordinator.state_machine.rescue_replies import RESCUED_BY
from warmxfer.actors.coordinator.state_machine.state import PendingCommand
from warmxfer.schemas import (
    AnyEvent,
    CheckLegs,
    InternalError,
    NoticeKind,
    Outcome,
    PhaseChanged,
    RecordParticipant,
    SIPDestination,
    TransferNotice,
    TransferRequested,
    WarmTransferConfig,
    WarmTransferRequest,
    WarmTransferResult,
)
from warmxfer.schemas.fields import snake_case

from .events import (
    ABSTRACT_EVENTS,
    BRIDGE,
    CALLER_HANG_UPS,
    CALLER_SEEN,
    CHECKED,
    FAR,
    NOW,
    RECORDING_SETTLED,
    START,
    SUPERVISOR_LOST,
    SUPERVISOR_SEEN,
    AbstractEvent,
)

NOT_READ_IN_CLEANUP: dict[str, Any] = {
    "agent_asked_to_leave": False,
    "done": [],
    "begun": [],
    "caller_participant_id": None,
    "consultation_session_id": None,
    "supervisor_call_id": None,
}
"""Fields that are only passed on from clean-up on, with the values that stand for all."""

DECIDED_AGAINST = frozenset({Stage.UNWINDING, Stage.CANCELLED, Stage.FAILED})
COMPLETE = frozenset({Stage.GUARDING, Stage.COMPLETED})
GUARD_OUTPUTS = frozenset(
    {
        "check_legs",
        "return_caller",
        "release_caller",
        "rescue_caller",
        "leave_call",
        "close_room",
        "set_timer",
        *(f"notice:{kind.value}" for kind in NoticeKind if kind is not NoticeKind.ID_IN_USE),
    }
)
"""What a guard may send and publish."""

OUTCOME_BY_CANCELLED = {True: Outcome.CANCELLED, False: Outcome.BROKEN}
"""One outcome for each final phase except `transfer_complete`."""


def abstract(transfer: Transfer) -> Transfer:
    """Return the transfer that stands for all that differ only in what is abstracted."""
    kinds = sorted(pending.kind for pending in transfer.pending.values())
    assert len(kinds) == len(set(kinds)), f"two commands of one kind are awaited: {kinds}"
    same = msgspec.structs.replace(
        transfer,
        started_at=START,
        seq=0,
        phases=0,
        commands=0,
        checks=transfer.checks if _counts_checks(transfer) else 0,
        done=sorted(transfer.done),
        begun=sorted(transfer.begun),
        pending={kind: PendingCommand(kind, FAR) for kind in kinds},
        stage_due_at=None if transfer.stage_due_at is None else FAR,
        check_due_at=None if transfer.check_due_at is None else FAR,
        timer_due_at=None if transfer.timer_due_at is None else FAR,
        ended_at=None if transfer.ended_at is None else NOW,
        found_alone_at=None,  # It limits a search, as `started_at` does. No search ends by time here.
        leg_reported=False,
        summary="",
        recording="",
        last_leg_check_id="check" if transfer.last_leg_check_id else "",
        last_end_call_id="end" if transfer.last_end_call_id else "",
        decision=_abstract_decision(transfer.decision),
    )
    unheard = SupervisorLeg.UNHEARD
    leg = unheard.with_end(confirmed=False) if transfer.supervisor_leg.may_be_up else unheard
    in_cleanup = transfer.stage.ended or transfer.stage is Stage.UNWINDING
    if not in_cleanup:
        return same
    return msgspec.structs.replace(same, supervisor_leg=leg, **NOT_READ_IN_CLEANUP)


def _counts_checks(transfer: Transfer) -> bool:
    return transfer.stage is Stage.GUARDING and transfer.caller is CallerPlace.ARRIVED


def _abstract_decision(decision: Decision | None) -> Decision | None:
    if decision is None:
        return None
    complete = decision.outcome is Outcome.COMPLETE
    outcome = decision.outcome if complete else OUTCOME_BY_CANCELLED[decision.outcome.cancelled]
    return Decision(outcome, "", dict.fromkeys(sorted(admitted_effects(decision)), True))


def admitted_effects(decision: Decision) -> set[str]:
    """Return what the evidence admits could not be confirmed at the provider."""
    admitted: set[str] = set()
    unconfirmed = str(decision.evidence.get("unconfirmed", ""))
    if "end_call" in unconfirmed or {"end_call", "end_call_failed"} & decision.evidence.keys():
        admitted.add("end_call")
    if "return_fault" in decision.evidence:
        admitted.add("return_fault")
    if "legs" in decision.evidence:
        admitted.add("legs")
    return admitted


def has_open_check(transfer: Transfer) -> bool:
    """Return whether a leg check may still decide, so that a leg that is seen must replace it.

    In a transfer that a version without this rule admitted, a sighting does not.
    """
    assert transfer.request is not None
    if transfer.request.config.bridge_guard_s is None:
        return False
    searches = transfer.stage in DECIDED_AGAINST and transfer.caller.may_be_in_consultation
    decides_late = transfer.stage in CHECKED or searches
    return transfer.awaits(CheckLegs) or (decides_late and bool(transfer.last_leg_check_id))


def names(outbox: list[Output]) -> tuple[str, ...]:
    """Return the names of the messages of an outbox."""
    return tuple(map(_name, outbox))


def _name(output: Output) -> str:
    if isinstance(output, PhaseChanged):
        return f"final:{output.phase.value}" if output.phase.final else f"phase:{output.phase.value}"
    if isinstance(output, WarmTransferResult):
        return "result"
    if isinstance(output, TransferNotice):
        return f"notice:{output.notice.value}"
    return snake_case(type(output).__name__)


class Step(NamedTuple):
    """An event that takes effect in one abstract state."""

    event: AbstractEvent
    event_type: type[AnyEvent]
    target: int
    """Number of the state that it leads to."""
    outbox: tuple[str, ...]
    violation: str
    """The invariant that this step breaks, or empty."""


class AbstractMachine:
    """All abstract states met so far, by number; number 0 is a transfer that was just requested."""

    def __init__(self, **config: Any) -> None:
        destination = SIPDestination(
            routing_rule_id="rule", sip_call_to="+14155550123", sip_call_from="+14155559876"
        )
        request = WarmTransferRequest(
            room_id="primary", config=WarmTransferConfig(destination=destination, **config)
        )
        self.states: list[Transfer] = []
        self._numbers: dict[bytes, int] = {}
        self._steps: dict[int, list[Step]] = {}
        requested = TransferRequested(transfer_id="t", request=request, begun_by_version=MACHINE_VERSION)
        applied = step(None, requested, START)
        assert not isinstance(applied, Ignored)
        self.first = applied.state
        self._number(self.first)
        self.first_outbox = names(applied.outbox)

    def steps(self, number: int) -> list[Step]:
        """Return every event that has an effect in this state.

        Ignored events are left out, except reports about people. The world remembers that such a report was
        delivered, because it may not come again.
        """
        if number not in self._steps:
            found = (self._step(number, event) for event in ABSTRACT_EVENTS)
            self._steps[number] = [each for each in found if each is not None]
        return self._steps[number]

    def _step(self, number: int, event: AbstractEvent) -> Step | None:
        arguments = event.concrete(self.states[number])
        if arguments is None:
            return None
        event_type = type(arguments[1])
        try:
            result = step(*arguments)
        except (InternalError, KeyError, ValueError) as error:
            return Step(event, event_type, number, (), f"step() raises {error!r}")
        if isinstance(result, Ignored):
            remembered = event.name in SUPERVISOR_SEEN | CALLER_HANG_UPS
            remembered = remembered or (event.name in CALLER_SEEN and has_open_check(self.states[number]))
            remembered = remembered or (event.name in SUPERVISOR_LOST and self.states[number].stage in BRIDGE)
            return Step(event, event_type, number, (), "") if remembered else None
        outbox = names(result.outbox)
        before = self.states[number]
        violation = (
            _step_violation(before, result.state, outbox)
            or _recording_violation(before, result.state, event, outbox)
            or _lost_session_violation(before, result.state, event)
        )
        return Step(event, event_type, self._number(result.state), outbox, violation)

    def _number(self, transfer: Transfer) -> int:
        state = abstract(transfer)
        key = msgspec.json.encode(state)
        if key not in self._numbers:
            self._numbers[key] = len(self.states)
            self.states.append(state)
        return self._numbers[key]


def _step_violation(before: Transfer, after: Transfer, outbox: tuple[str, ...]) -> str:
    """Return the invariant of a single step that this one breaks, or an empty string."""
    finals = [name for name in outbox if name.startswith("final:")]
    if before.stage is Stage.GUARDING:
        return _guard_violation(after, outbox)
    if before.stage.ended:
        if after.stage is not before.stage:
            return "I11: a final phase changed"
        if set(outbox) - {
            "end_call",
            "close_room",
            "return_caller",
            "release_caller",
            "rescue_caller",
            "check_legs",
            "set_timer",
        }:
            return f"I17: a late event did more than clean up: {outbox}"
        return ""
    if (len(finals), outbox.count("result")) != (after.stage.ended, after.stage.ended):
        return f"I11: not exactly one final phase and one result at the end: {outbox}"
    if after.stage in COMPLETE and after.caller is not CallerPlace.ARRIVED:
        return "I3: complete, and the caller was never seen to arrive"
    if after.stage is Stage.GUARDING:
        return "" if after.timer_due_at is not None else "I18: a guard without a deadline"
    if not after.stage.ended and (after.stage_due_at is None or after.timer_due_at is None):
        return "I18: a live state without a deadline"
    if after.stage.ended and (after.pending or after.stage_due_at):
        return "I18: an ended transfer still waits"
    if after.stage.ended and (after.timer_due_at is None) is not (after.check_due_at is None):
        return "I18: an ended transfer has a timer without a clean-up check, or a check without a timer"
    return ""


def _guard_violation(after: Transfer, outbox: tuple[str, ...]) -> str:
    """Return the invariant that a step of a guard breaks, or an empty string."""
    if after.stage not in COMPLETE or any(name.startswith(("final:", "phase:")) for name in outbox):
        return "I11: a final phase changed"
    if set(outbox) - GUARD_OUTPUTS:
        return f"I17: a guard did more than check and return: {outbox}"
    waits = bool(after.pending) or after.check_due_at is not None or after.stage_due_at is not None
    if not (waits == (after.stage is Stage.GUARDING) == (after.timer_due_at is not None)):
        return "I18: a guard without a deadline, or a deadline without a guard"
    return ""


def _recording_violation(
    before: Transfer, after: Transfer, event: AbstractEvent, outbox: tuple[str, ...]
) -> str:
    """Return the invariant about recordings that this step breaks, or an empty string."""
    assert after.request is not None
    if not after.request.config.record:
        return "I28: recorded without a request for it" if "record_participant" in outbox else ""
    begins = after.stage is Stage.HANDING_OVER and before.stage is not Stage.HANDING_OVER
    if begins and "record_participant" not in outbox:
        return "I28: handed over without a command to record the caller"
    settled = event.is_deadline or event.name in RECORDING_SETTLED
    if after.stage in COMPLETE and before.awaits(RecordParticipant) and not settled:
        return "I28: complete before it was settled whether the caller is recorded"
    return ""


def _lost_session_violation(before: Transfer, after: Transfer, event: AbstractEvent) -> str:
    """Return the invariant about a lost session that this step breaks, or an empty string."""
    evidence = after.decision.evidence if after.decision else {}
    if evidence.get("caller_rescued") in RESCUED_BY.values() and event.name != "rescued":
        return "I29: the evidence says that the caller was rescued, and no reply said so"
    known = before.session_lost and before.stage in DECIDED_AGAINST
    concerns = (
        after.session_lost and after.stage in DECIDED_AGAINST and after.caller is not CallerPlace.HUNG_UP
    )
    if concerns and not known and "caller" not in evidence:
        return "I29: the session is lost, and the evidence does not say that the caller may be alone"
    return ""
