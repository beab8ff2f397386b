"""One turn of the machine: the state being changed, and what shall go out because of it.

Handlers read and write `turn.state` and call the verbs below. A turn lives for one `step()` only, works on
a copy, and touches nothing outside itself.
"""

from __future__ import annotations

import copy
from typing import Any

from warmxfer.schemas import (
    Command,
    Outcome,
    PhaseChanged,
    WarmTransferConfig,
    WarmTransferPhase,
    WarmTransferRequest,
    apology_for,
)
from warmxfer.schemas.errors import InternalError
from warmxfer.schemas.fields import snake_case

from .record import Output
from .state import Decision, PendingCommand, PreparationTask, Stage, Transfer


class StepContext:
    """`now` is the broker's time of the event being handled."""

    def __init__(self, state: Transfer, now: float) -> None:
        self.state = copy.copy(state)
        self.state.done = list(state.done)
        self.state.begun = list(state.begun)
        self.state.pending = dict(state.pending)
        self.now = now
        self.replied_to: PendingCommand | None = None
        """The command that the event being handled answers."""
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

    # ── what goes out ────────────────────────────────────────────────────────────────────────────

    def publish_phase(self, phase: WarmTransferPhase, **data: Any) -> None:
        """Tell the users."""
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
        self, kind: type[Command], *, timeout_factor: float = 1.0, awaited: bool = True, **fields: Any
    ) -> str:
        """Command an actor, and wait for its answer `patience` times the usual command timeout. The id."""
        return self.send_within(
            kind, self.config.command_timeout_s * timeout_factor, awaited=awaited, **fields
        )

    def send_within(
        self,
        kind: type[Command],
        timeout_s: float,
        *,
        grace_s: float = 0.0,
        awaited: bool = True,
        **fields: Any,
    ) -> str:
        """Command an actor that has `timeout_s`; its answer is awaited `grace_s` longer."""
        self.state.commands += 1
        command_id = f"{self.state.id}-{self.state.commands}"
        if "fence" in kind.__struct_fields__:
            fields["fence"] = self.state.commands
        due_at = self.now + timeout_s
        self.outbox.append(kind(command_id=command_id, deadline_at=due_at, **fields))  # pyright: ignore[reportArgumentType]
        if awaited:
            self.state.pending[command_id] = PendingCommand(snake_case(kind.__name__), due_at + grace_s)
        return command_id

    # ── what changes ─────────────────────────────────────────────────────────────────────────────

    def enter_stage(self, stage: Stage, timeout_s: float | None) -> None:
        """Move to `stage`, which may last `timeout_s`."""
        self.state.stage = stage
        self.state.stage_due_at = None if timeout_s is None else self.now + timeout_s
        self.state.check_due_at = None
        self.state.checks = 0

    def mark_done(self, task: PreparationTask) -> None:
        """Tick off a task."""
        if task not in self.state.done:
            self.state.done.append(task)

    def stop_waiting_for(self, *kinds: str) -> None:
        """Stop waiting for answers of these kinds."""
        self.state.pending = {
            each: pending for each, pending in self.state.pending.items() if pending.kind not in kinds
        }

    def decide(self, outcome: Outcome, detail: str, **evidence: str | int | float | bool | None) -> None:
        """Decide how this ends. The first verdict stands."""
        if self.state.decision is None:
            self.state.decision = Decision(outcome, detail, evidence)

    def add_evidence(self, **evidence: str | int | float | bool | None) -> None:
        """Add what was seen on the way to the verdict's evidence."""
        if verdict := self.state.decision:
            known = {**verdict.evidence, **evidence}
            self.state.decision = Decision(verdict.outcome, verdict.detail, known)

    def apology(self, outcome: Outcome) -> str:
        """What the caller hears on being given back."""
        return self.config.lines.apologies.get(outcome) or apology_for(outcome)
