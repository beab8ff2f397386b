"""What an ordinary implementation would do instead, one mistake at a time: each breaks the promise beside it.

A row of the machine's table, or a function of an actor, of the bus or of its worker, is replaced by one that
does what ours must not.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from warmxfer.actors.coordinator import Coordinator, coordinator
from warmxfer.actors.coordinator.state_machine import Stage, cleanup, failures, late_events, leg_checks, step
from warmxfer.actors.coordinator.state_machine.command_policy import POLICY
from warmxfer.actors.coordinator.state_machine.step_context import StepContext
from warmxfer.actors.gateway import actor as gateway
from warmxfer.actors.gateway import at_most_once, orphan_calls
from warmxfer.bus import ClaimResult, Worker
from warmxfer.schemas import DialSupervisor, Outcome, Summarize

from . import caller_mutations as callers
from .caller_mutations import Mutation, Patch
from .cloud import Cloud
from .patches import PATCHES
from .provider import SimProvider
from .simbus import SimBus

SLOW_TO_DIAL_S = 30.0

# ── of what happens at most once ─────────────────────────────────────────────────────────────────


def claims_nothing(patch: Patch) -> None:
    """Every gateway that gets the command believes it is the first."""

    async def claim(bus: Any, id: str, effect: str, data: bytes, **_: Any) -> ClaimResult:
        assert PATCHES.world is not None
        return ClaimResult(True, PATCHES.world.now, data)

    patch.setattr(at_most_once, "claim_effect", claim)


def ends_no_leg(patch: Patch) -> None:
    """The transfer is over, and the supervisor's phone goes on ringing: closing a room ends no call here, and
    no gateway looks for legs that were forgotten."""
    patch.setattr(cleanup, "end_supervisor_leg", lambda turn, **_: None)
    patch.setattr(late_events, "end_supervisor_leg", lambda turn, **_: None)
    patch.setattr(Cloud, "close_room", lambda self, room_id: setattr(self.room(room_id), "open", False))
    patch.setattr(orphan_calls.OrphanCallReaper, "scan", _nothing)


def closes_once(patch: Patch) -> None:
    """A provider that would not close a room is not asked again."""
    for stage in (Stage.CANCELLED, Stage.FAILED):
        patch.setitem(failures.ON_CHECK_DUE, stage, leg_checks.schedule_cleanup_check)


def dials_when_it_likes(patch: Patch) -> None:
    """A dial is carried out whenever its turn comes, and no order to end it forbids that."""
    dial = gateway.HANDLERS[DialSupervisor]

    async def late(desk: Any, transfer_id: str, command: DialSupervisor) -> Any:
        await asyncio.sleep(PATCHES.random.uniform(0.0, SLOW_TO_DIAL_S))
        return await dial(desk, transfer_id, command)

    async def forbid(
        self: at_most_once.EffectClaims, transfer_id: str, effect: str, command: Any
    ) -> at_most_once.EffectClaim:
        begun = await self.record_seen(transfer_id, effect)
        return begun or at_most_once.EffectClaim(
            at_most_once.ClaimRecord(command_id="", token=""), False, True, 0.0
        )

    patch.setattr(at_most_once, "_is_off", lambda intent, at: False)
    patch.setattr(at_most_once.EffectClaims, "forbid", forbid)
    patch.setitem(gateway.HANDLERS, DialSupervisor, late)


# ── of one history and one end ───────────────────────────────────────────────────────────────────


def names_nothing_it_says(patch: Patch) -> None:
    """What goes out again is stored again."""
    real = SimBus.publish_all

    async def publish_all(self: SimBus, messages: Any, **more: Any) -> list[int]:
        return await real(self, [msgspec.structs.replace(each, msg_id=None) for each in messages], **more)

    patch.setattr(SimBus, "publish_all", publish_all)


def counts_no_phase(patch: Patch) -> None:
    """Every phase is the first."""
    real = StepContext.publish_phase

    def phase(self: StepContext, phase: Any, **data: Any) -> None:
        real(self, phase, **data)
        self.state.phases = 0

    patch.setattr(StepContext, "publish_phase", phase)


def decides_by_its_own_clock(patch: Patch) -> None:
    """A worker's clock decides, and the broker's is written down."""
    real = coordinator.step
    patch.setattr(coordinator, "step", lambda state, event, now: real(state, event, PATCHES.time.time()))


def sets_no_timer(patch: Patch) -> None:
    """What is waited for comes, sooner or later."""
    patch.setattr(sys.modules[step.__module__], "_schedule_timer", lambda turn: None)


def sends_once(patch: Patch) -> None:
    """What a record sends is lost with the process that wrote it."""
    real = Coordinator._read

    async def read(self: Coordinator, id: str) -> Any:
        known = await real(self, id)
        if known is not None:
            known.sent = True
        return known

    patch.setattr(Coordinator, "_read", read)


def forgets_what_it_has_done(patch: Patch) -> None:
    """A trigger that comes again is a new one."""
    patch.setattr(coordinator, "_record_id", lambda delivery: PATCHES.secrets.token_hex(8))


def waits_for_ever(patch: Patch) -> None:
    """A supervisor who says nothing is waited for."""
    patch.setitem(failures.ON_STAGE_TIMEOUT, Stage.BRIEFING, lambda turn: None)
    for command, policy in POLICY.items():
        patch.setitem(POLICY, command, policy._replace(on_timeout=lambda ctx, command: None))  # type: ignore[arg-type]


# ── of messages ──────────────────────────────────────────────────────────────────────────────────


def takes_before_it_has(patch: Patch) -> None:
    """A trigger is acknowledged as soon as it is in hand."""
    real = Worker._handle

    async def handle(self: Worker, held: Any) -> None:
        await self._puller.ack(held.arrival)
        await real(self, held)

    patch.setattr(Worker, "_handle", handle)


def drops_what_it_cannot_read(patch: Patch) -> None:
    """Poison is thrown away, and nobody is told."""

    async def bury(self: Worker, held: Any, cause: str) -> None:
        await self._puller.term(held.arrival)

    patch.setattr(Worker, "_dead_letter", bury)


def needs_a_summary(patch: Patch) -> None:
    """Without a summary there is no transfer."""

    def end(ctx: Any, _: Any) -> None:
        cleanup.start_cleanup(ctx, Outcome.BROKEN, "summarize failed")

    policy = POLICY[Summarize]._replace(on_failed=end, on_timeout=end)
    patch.setitem(POLICY, Summarize, policy)  # type: ignore[arg-type]


def takes_it_for_recorded(patch: Patch) -> None:
    """The provider was asked, and what it answers is not waited for."""
    patch.setattr(SimProvider, "record_participant", _nothing)


async def _nothing(*_: Any, **__: Any) -> None:
    """What was forgotten."""


MUTATIONS: tuple[tuple[Mutation, str], ...] = (
    (callers.leaves_after_letting_go, "I1"),
    (callers.clears_away_at_once, "I1"),
    (callers.never_unmutes, "I2"),
    (callers.takes_the_order_for_the_deed, "I3"),
    (callers.hangs_up_on_the_helper, "I3"),
    (callers.gives_up_the_way_back, "I4"),
    (callers.sums_up_for_both, "I5"),
    (claims_nothing, "I6"),
    (claims_nothing, "I7"),
    (dials_when_it_likes, "I8"),
    (callers.asks_nobody_whose_caller_it_is, "I9"),
    (names_nothing_it_says, "I11"),
    (counts_no_phase, "I12"),
    (decides_by_its_own_clock, "I13"),
    (sends_once, "I14"),
    (callers.obeys_anything, "I15"),
    (ends_no_leg, "I16"),
    (closes_once, "I16"),
    (sets_no_timer, "I18"),
    (waits_for_ever, "L3"),
    (forgets_what_it_has_done, "I20"),
    (takes_before_it_has, "L1"),
    (drops_what_it_cannot_read, "I22"),
    (needs_a_summary, "I24"),
    (callers.holds_for_ever, "I25"),
    (takes_it_for_recorded, "I28"),
)
"""I19 is broken with L3: what never ends lives too long. I21 is: acknowledged, and no record (L1)."""
