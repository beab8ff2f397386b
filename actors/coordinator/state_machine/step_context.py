"""Working copy of one transition, and the type of a command's policy row.

Handlers read and write `ctx.state` and call the methods of `StepContext`. A context lives for one `step()`.
It works on a copy of the state, and changes nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from warmxfer.schemas import (
    Command,
    CommandFailed,
    InternalError,
    Outcome,
    PhaseChanged,
    WarmTransferConfig,
    WarmTransferPhase,
    WarmTransferRequest,
    apology_for,
)

from .record import Output
from .state import Decision, EvidenceValue, PendingCommand, PreparationTask, Stage, Transfer, wire_name


class ReplyingActor(NamedTuple):
    """An actor that replies to commands: its name in sentences, and how an operator starts it."""

    name: str
    remedy: str


class CommandPolicy(NamedTuple):
    """Everything the state machine knows about one command. `command_policy.py` has one row for each."""

    actor: ReplyingActor
    """The actor that replies."""
    timeout_s: Callable[[WarmTransferConfig], float]
    """How long the actor may take."""
    on_failed: Callable[[StepContext, CommandFailed], None]
    """What the transfer does when the actor replies `CommandFailed`."""
    on_timeout: Callable[[StepContext, type[Command]], None]
    """What the transfer does when no reply came in time."""
    if_failed: Outcome = Outcome.BROKEN
    """The outcome of a transfer that ends by the failure."""
    if_absent: Outcome = Outcome.BROKEN
    """The outcome of a transfer that ends by the missing reply."""
    blocks_cleanup: bool = False
    """True if clean-up waits for the reply before the transfer ends."""
    grace_s: float = 0.0
    """How much longer than `timeout_s` the coordinator waits."""
    in_session: ReplyingActor | None = None
    """The actor that replies when the config says `brief_by: session`."""

    def missing_reply_detail(self, command: type[Command], config: WarmTransferConfig) -> str:
        """Return the sentence about a reply that did not come: what is missing, and how to start it."""
        actor = self.in_session if self.in_session and config.brief_by == "session" else self.actor
        waited_s = self.timeout_s(config)
        return f"No {actor.name} answered {wire_name(command)} within {waited_s:g} s; {actor.remedy}."


Policies = Mapping[type[Command], CommandPolicy]


class StepContext:
    """Working copy of one transition.

    `now` is the broker's time of the event being handled. `policies` has the row of each command.
    """

    def __init__(self, state: Transfer, now: float, policies: Policies) -> None:
        self.state = copy.copy(state)
        self.state.done = list(state.done)
        self.state.begun = list(state.begun)
        self.state.pending = dict(state.pending)
        self.now = now
        self.policies = policies
        self.replied_to: PendingCommand | None = None
        """The command that the event being handled replies to."""
        self.outbox: list[Output] = []

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    @property
    def request(self) -> WarmTransferRequest:
        if self.state.request is None:
            raise InternalError(f"transfer {self.state.id} acts without a request in {self.state.stage}")
        return self.state.request

    @property
    def config(self) -> WarmTransferConfig:
        return self.request.config

    def is_done(self, task: PreparationTask) -> bool:
        return task in self.state.done

    def is_started(self, task: PreparationTask) -> bool:
        return task in self.state.begun

    @property
    def replied_command(self) -> type[Command]:
        """The type of the command that the event being handled replies to."""
        if self.replied_to is None:
            raise InternalError("the event being handled replies to no command that is awaited")
        return self.command_of(self.replied_to)

    def command_of(self, pending: PendingCommand) -> type[Command]:
        """Return the type of a command whose reply is awaited."""
        return next(each for each in self.policies if wire_name(each) == pending.kind)

    # ── messages ─────────────────────────────────────────────────────────────────────────────────

    def publish_phase(self, phase: WarmTransferPhase, **data: Any) -> None:
        """Publish a phase to the users."""
        self.state.phases += 1
        self.outbox.append(
            PhaseChanged(
                phase=phase,
                data=data,
                timestamp=self.now,
                consultation_room_id=self.state.room_id,
                seq=self.state.phases,
            )
        )

    def send(
        self, command: type[Command], *, awaited: bool = True, timeout_s: float | None = None, **fields: Any
    ) -> str:
        """Send a command and return its id. If `awaited`, wait for its reply.

        It waits `timeout_s`, or as long as the row of the command says.
        """
        policy = self.policies[command]
        self.state.commands += 1
        command_id = f"{self.state.id}-{self.state.commands}"
        if "fence" in command.__struct_fields__:
            fields["fence"] = self.state.commands
        due_at = self.now + (policy.timeout_s(self.config) if timeout_s is None else timeout_s)
        self.outbox.append(command(command_id=command_id, deadline_at=due_at, **fields))  # pyright: ignore[reportArgumentType]
        if awaited:
            self.state.pending[command_id] = PendingCommand(wire_name(command), due_at + policy.grace_s)
        return command_id

    # ── state ────────────────────────────────────────────────────────────────────────────────────

    def enter_stage(self, stage: Stage, timeout_s: float | None) -> None:
        """Move to `stage`, which may last `timeout_s`. A guard goes on with the check of the handover."""
        self.state.stage = stage
        if stage not in (Stage.COMPLETED, Stage.GUARDING):
            self.state.last_leg_check_id = ""
        self.state.stage_due_at = None if timeout_s is None else self.now + timeout_s
        self.state.check_due_at = None
        self.state.checks = 0

    def mark_done(self, task: PreparationTask) -> None:
        if task not in self.state.done:
            self.state.done.append(task)

    def stop_waiting_for(self, *commands: type[Command]) -> None:
        """Drop the waits for replies to these commands."""
        kinds = {wire_name(each) for each in commands}
        self.state.pending = {
            each: pending for each, pending in self.state.pending.items() if pending.kind not in kinds
        }

    def decide(self, outcome: Outcome, detail: str, **evidence: EvidenceValue) -> None:
        """Decide on the outcome. The first decision stands."""
        if self.state.decision is None:
            self.state.decision = Decision(outcome, detail, evidence)

    def add_evidence(self, **evidence: EvidenceValue) -> None:
        """Add facts to the evidence of the decision, if there is one."""
        if decision := self.state.decision:
            known = {**decision.evidence, **evidence}
            self.state.decision = Decision(decision.outcome, decision.detail, known)

    def apology(self, outcome: Outcome) -> str:
        """Return the line that the caller hears when the AI takes them back."""
        return self.config.lines.apologies.get(outcome) or apology_for(outcome)
