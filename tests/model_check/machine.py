"""The product's own `step()`, with ids, texts and times taken away so that its states can be counted.

Abstracted, and why nothing is lost by it:

- *ids*: of each kind at most one command is awaited (asserted), so an answer is either to that one or late.
- *times*: only which waits are due matters to `step()`. A deadline is a symbol; the transfer is given times
  at which exactly the chosen one, or every one, is due. So a timer may fire at any moment, in any order.
- *counters* (`seq`, `phases`, `commands`, `checks`) number things and decide nothing.
- *texts*: the summary, the detail, the evidence and how the recording went are told on, not read. Of the
  outcome its phase is kept, of the evidence whether it admits that a dial or a return could not be confirmed.
- what is not read any more once unwinding has begun (`UNREAD`).

`test_abstraction.py` holds this to account: over random walks, a step from the abstract state and a step
from the concrete one lead to the same abstract state and send the same things.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from warmxfer.actors.coordinator.state_machine import (
    Decision,
    Ignored,
    Stage,
    SupervisorLeg,
    Transfer,
    step,
)
from warmxfer.actors.coordinator.state_machine.record import Output
from warmxfer.actors.coordinator.state_machine.state import PendingCommand
from warmxfer.schemas import (
    AnyEvent,
    InternalError,
    Outcome,
    PhaseChanged,
    RecordParticipant,
    SIPDestination,
    TransferRequested,
    WarmTransferConfig,
    WarmTransferRequest,
    WarmTransferResult,
)
from warmxfer.schemas.fields import snake_case

from .events import BRIDGE, FAR, HANG_UPS, LOSSES, NOW, RECORDED, SIGHTINGS, START, SYMBOLS, Symbol

UNREAD: dict[str, Any] = {
    "done": [],
    "begun": [],
    "caller_participant_id": None,
    "consultation_session_id": None,
    "supervisor_call_id": None,
}
"""What is only told, never asked, from unwinding on."""

WORDS = {True: Outcome.CANCELLED, False: Outcome.BROKEN}
"""One word for each phase that is not `transfer_complete`."""


def abstract(transfer: Transfer) -> Transfer:
    """The one transfer that stands for all that differ only in what is abstracted."""
    kinds = sorted(pending.kind for pending in transfer.pending.values())
    assert len(kinds) == len(set(kinds)), f"two commands of one kind are awaited: {kinds}"
    same = msgspec.structs.replace(
        transfer,
        started_at=START,
        seq=0,
        phases=0,
        commands=0,
        checks=0,
        done=sorted(transfer.done),
        begun=sorted(transfer.begun),
        pending={kind: PendingCommand(kind, FAR) for kind in kinds},
        stage_due_at=None if transfer.stage_due_at is None else FAR,
        check_due_at=None if transfer.check_due_at is None else FAR,
        timer_due_at=None if transfer.timer_due_at is None else FAR,
        ended_at=None if transfer.ended_at is None else NOW,
        summary="",
        recording="",
        last_leg_check_id="check" if transfer.last_leg_check_id else "",
        decision=_abstract_verdict(transfer.decision),
    )
    unheard = SupervisorLeg.UNHEARD
    leg = unheard.with_end(confirmed=False) if transfer.supervisor_leg.may_be_up else unheard
    over = transfer.stage.ended or transfer.stage is Stage.UNWINDING
    return msgspec.structs.replace(same, supervisor_leg=leg, **UNREAD) if over else same


def _abstract_verdict(verdict: Decision | None) -> Decision | None:
    if verdict is None:
        return None
    complete = verdict.outcome is Outcome.COMPLETE
    word = verdict.outcome if complete else WORDS[verdict.outcome.cancelled]
    return Decision(word, "", dict.fromkeys(sorted(admits(verdict)), True))


def admits(verdict: Decision) -> set[str]:
    """Which effects at the provider the evidence admits not to have seen the end of."""
    said: set[str] = set()
    unconfirmed = str(verdict.evidence.get("unconfirmed", ""))
    if "end_call" in unconfirmed or {"end_call", "end_call_failed"} & verdict.evidence.keys():
        said.add("end_call")
    if "return_fault" in verdict.evidence:
        said.add("return_fault")
    return said


def names(outbox: list[Output]) -> tuple[str, ...]:
    """What goes out, by name."""
    return tuple(map(_name, outbox))


def _name(output: Output) -> str:
    if isinstance(output, PhaseChanged):
        return f"final:{output.phase.value}" if output.phase.final else f"phase:{output.phase.value}"
    if isinstance(output, WarmTransferResult):
        return "result"
    return snake_case(type(output).__name__)


class Step(NamedTuple):
    """One event that takes effect: where it leads, what goes out, and which law of the machine it breaks."""

    symbol: Symbol
    event: type[AnyEvent]
    target: int
    outbox: tuple[str, ...]
    broken: str


class Machine:
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
        moved = step(None, TransferRequested(transfer_id="t", request=request), START)
        assert not isinstance(moved, Ignored)
        self.first = moved.state
        self._number(self.first)
        self.first_outbox = names(moved.outbox)

    def steps(self, number: int) -> list[Step]:
        """Every event that has an effect in this state. What is ignored is left out, but for news of
        people: that it was told is remembered by the world, for it may not be told again."""
        if number not in self._steps:
            found = (self._step(number, symbol) for symbol in SYMBOLS)
            self._steps[number] = [each for each in found if each is not None]
        return self._steps[number]

    def _step(self, number: int, symbol: Symbol) -> Step | None:
        told = symbol.tell(self.states[number])
        if told is None:
            return None
        event = type(told[1])
        try:
            outcome = step(*told)
        except (InternalError, KeyError, ValueError) as error:
            return Step(symbol, event, number, (), f"step() raises {error!r}")
        if isinstance(outcome, Ignored):
            noted = symbol.name in SIGHTINGS | HANG_UPS
            noted = noted or (symbol.name in LOSSES and self.states[number].stage in BRIDGE)
            return Step(symbol, event, number, (), "") if noted else None
        outbox = names(outcome.outbox)
        before = self.states[number]
        broken = _broken(before, outcome.state, outbox) or _unrecorded(before, outcome.state, symbol, outbox)
        return Step(symbol, event, self._number(outcome.state), outbox, broken)

    def _number(self, transfer: Transfer) -> int:
        state = abstract(transfer)
        key = msgspec.json.encode(state)
        if key not in self._numbers:
            self._numbers[key] = len(self.states)
            self.states.append(state)
        return self._numbers[key]


def _broken(before: Transfer, after: Transfer, outbox: tuple[str, ...]) -> str:
    """Which law of the machine itself one step breaks, if any."""
    finals = [name for name in outbox if name.startswith("final:")]
    if before.stage.ended:
        if after.stage is not before.stage:
            return "I11: a final phase changed"
        if set(outbox) - {
            "end_call",
            "close_room",
            "return_caller",
            "release_caller",
            "check_legs",
            "set_timer",
        }:
            return f"I17: something late did more than clear away: {outbox}"
        return ""
    if (len(finals), outbox.count("result")) != (after.stage.ended, after.stage.ended):
        return f"I11: not exactly one final phase and one result at the end: {outbox}"
    if not after.stage.ended and (after.stage_due_at is None or after.timer_due_at is None):
        return "I18: a live state without a deadline"
    if after.stage.ended and (after.pending or after.stage_due_at):
        return "I18: an ended transfer still waits"
    if after.stage.ended and (after.timer_due_at is None) is not (after.check_due_at is None):
        return "I18: an ended transfer has a deadline for nothing, or none to look for what may be up"
    return ""


def _unrecorded(before: Transfer, after: Transfer, symbol: Symbol, outbox: tuple[str, ...]) -> str:
    """Which promise about recordings one step breaks, if any."""
    assert after.request is not None
    if not after.request.config.record:
        return "I28: recorded, and nobody asked for it" if "record_participant" in outbox else ""
    begins = after.stage is Stage.HANDING_OVER and before.stage is not Stage.HANDING_OVER
    if begins and "record_participant" not in outbox:
        return "I28: handed over, and nobody is told to record the caller"
    answered = symbol.is_time or symbol.name in RECORDED
    if after.stage is Stage.COMPLETED and before.awaits(RecordParticipant) and not answered:
        return "I28: complete, and whether the caller is recorded was not waited for"
    return ""
