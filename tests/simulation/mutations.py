"""Mutations: faulty implementations, one at a time. `MUTATIONS` names the invariant that each one breaks.

A mutation replaces a row of the transition table, or a function of an actor, of the bus or of its worker.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from warmxfer.actors.coordinator import Coordinator, coordinator, outbox, records
from warmxfer.actors.coordinator.records import Records
from warmxfer.actors.coordinator.state_machine import (
    Record,
    Stage,
    cleanup,
    failures,
    late_events,
    leg_checks,
    step,
)
from warmxfer.actors.coordinator.state_machine.command_policy import POLICY
from warmxfer.actors.coordinator.state_machine.step_context import StepContext
from warmxfer.actors.gateway import at_most_once, orphan_calls
from warmxfer.actors.gateway import command_handler as gateway
from warmxfer.bus import Bus, ClaimResult, Worker, pull_consumer, transfer_log
from warmxfer.bus.failed_messages import FailedMessages
from warmxfer.bus.pull_consumer import PullConsumer
from warmxfer.bus.recovery import StreamRecovery
from warmxfer.schemas import DialSupervisor, Outcome, Summarize

from . import caller_mutations as callers
from .caller_mutations import Mutation, Patch, do_nothing
from .cloud import Cloud
from .patches import PATCHES
from .provider import SimProvider

DIAL_DELAY_S = 30.0
HANDLE_DELAY_S = 4.0

# ── effects that happen at most once ─────────────────────────────────────────────────────────────────


def claim_nothing(patch: Patch) -> None:
    """Grant each claim: every gateway that receives the command executes it."""

    async def claim(bus: Any, id: str, effect: str, data: bytes, **_: Any) -> ClaimResult:
        assert PATCHES.world is not None
        return ClaimResult(True, PATCHES.world.now, data)

    patch.setattr(at_most_once, "claim_effect", claim)


def end_no_leg(patch: Patch) -> None:
    """End the transfer and leave the supervisor's phone ringing.

    Closing a room ends no call here, and no gateway looks for orphan calls.
    """
    patch.setattr(cleanup, "end_supervisor_leg", lambda ctx, **_: None)
    patch.setattr(late_events, "end_supervisor_leg", lambda ctx, **_: None)
    patch.setattr(Cloud, "close_room", lambda self, room_id: setattr(self.room(room_id), "open", False))
    patch.setattr(orphan_calls.OrphanCallReaper, "scan", do_nothing)


def close_room_once(patch: Patch) -> None:
    """Do not repeat the order to close a room when the provider has refused it."""
    for stage in (Stage.CANCELLED, Stage.FAILED):
        patch.setitem(failures.ON_CHECK_DUE, stage, leg_checks.schedule_cleanup_check)


def dial_late(patch: Patch) -> None:
    """Execute a dial late, even if the order to end the call came before."""
    dial = gateway.HANDLERS[DialSupervisor]

    async def late(context: Any, transfer_id: str, command: DialSupervisor) -> Any:
        await asyncio.sleep(PATCHES.random.uniform(0.0, DIAL_DELAY_S))
        return await dial(context, transfer_id, command)

    async def forbid(
        self: at_most_once.EffectClaims, transfer_id: str, effect: str, command: Any
    ) -> at_most_once.EffectClaim:
        begun = await self.find_claim(transfer_id, effect)
        return begun or at_most_once.EffectClaim(
            at_most_once.ClaimRecord(command_id="", token=""), False, True, 0.0
        )

    patch.setattr(at_most_once, "_is_forbidden", lambda record, at: False)
    patch.setattr(at_most_once.EffectClaims, "forbid", forbid)
    patch.setitem(gateway.HANDLERS, DialSupervisor, late)


# ── one history and one end ───────────────────────────────────────────────────────────────────


def send_without_msg_id(patch: Patch) -> None:
    """Store a message again when it is sent again."""
    real = Bus.publish_all

    async def publish_all(self: Bus, messages: Any, **more: Any) -> list[int]:
        return await real(self, [msgspec.structs.replace(each, msg_id=None) for each in messages], **more)

    patch.setattr(Bus, "publish_all", publish_all)


def count_no_phase(patch: Patch) -> None:
    """Number each phase 1."""
    real = StepContext.publish_phase

    def phase(self: StepContext, phase: Any, **data: Any) -> None:
        real(self, phase, **data)
        self.state.phases = 0

    patch.setattr(StepContext, "publish_phase", phase)


def use_the_workers_clock(patch: Patch) -> None:
    """Decide by the worker's clock and record the broker's time."""
    real = coordinator.step
    patch.setattr(coordinator, "step", lambda state, event, now: real(state, event, PATCHES.time.time()))


def set_no_timer(patch: Patch) -> None:
    """Set no deadline."""
    patch.setattr(sys.modules[step.__module__], "_schedule_timer", lambda ctx: None)


def count_the_guard_as_running(patch: Patch) -> None:
    """Give the timer of a guard the name of that of a running transfer."""
    patch.setattr(outbox, "GUARD_TIMER", outbox.TIMER)


def send_outbox_once(patch: Patch) -> None:
    """Do not send the outbox of a record again after the process that wrote it died."""
    real = Records.read

    async def read(self: Records, id: str) -> Any:
        known = await real(self, id)
        if known is not None:
            known.sent = True
        return known

    patch.setattr(Records, "read", read)


def forget_triggers(patch: Patch) -> None:
    """Treat a redelivered trigger as a new one."""
    patch.setattr(records, "record_id", lambda *deliveries: PATCHES.secrets.token_hex(8))


def forget_further_triggers(patch: Patch) -> None:
    """Know only the first trigger of a record when one of the others is redelivered."""

    def handle_slowly(real: Any) -> Any:
        async def handle(self: Coordinator, *args: Any) -> Any:
            await asyncio.sleep(PATCHES.random.uniform(0.0, HANDLE_DELAY_S))
            return await real(self, *args)

        return handle

    # Events wait more often for a slow coordinator.
    patch.setattr(Coordinator, "handle", handle_slowly(Coordinator.handle))
    patch.setattr(Record, "triggers", property(lambda self: [(self.at, self.trigger)]))
    patch.setattr(Record, "is_due_to", lambda self, at, trigger: (self.at, self.trigger) == (at, trigger))
    patch.setattr(transfer_log, "trigger_ids", lambda msg_id: [str(msg_id).partition("+")[0]])


def wait_without_end(patch: Patch) -> None:
    """Wait without end in every stage and for every reply.

    In the stages with a hold alone this breaks nothing: the session releases the caller when its lease
    expires, and that ends the transfer.
    """
    for stage in failures.ON_STAGE_TIMEOUT:
        patch.setitem(failures.ON_STAGE_TIMEOUT, stage, lambda ctx: None)  # type: ignore[arg-type]
    for command, policy in POLICY.items():
        patch.setitem(POLICY, command, policy._replace(on_timeout=lambda ctx, command: None))  # type: ignore[arg-type]


# ── messages ──────────────────────────────────────────────────────────────────────────────────


def acknowledge_first(patch: Patch) -> None:
    """Acknowledge a trigger when it arrives, and handle it a moment later."""
    real = Worker._handle

    async def handle(self: Worker, in_flight: Any, behind: Any) -> Any:
        await self._puller_of(in_flight.message).ack(in_flight.message)
        await asyncio.sleep(PATCHES.random.uniform(0.0, HANDLE_DELAY_S))
        return await real(self, in_flight, behind)

    patch.setattr(Worker, "_handle", handle)


def drop_poison(patch: Patch) -> None:
    """Drop an unreadable message without a dead letter."""

    async def dead_letter(self: FailedMessages, in_flight: Any, cause: str) -> None:
        await self._puller_of(in_flight.message).term(in_flight.message)

    patch.setattr(FailedMessages, "_dead_letter", dead_letter)


def notice_no_silence(patch: Patch) -> None:
    """Pull again only after a status, although the broker may have lost the pull."""
    patch.setattr(pull_consumer, "SILENCE_S", float("inf"))


def keep_the_pull_after_a_reconnect(patch: Patch) -> None:
    """Wait for the messages of a pull that the broker forgot with the connection, and notice no silence."""
    notice_no_silence(patch)
    patch.setattr(PullConsumer, "_on_reconnect", do_nothing)


def create_no_consumer_again(patch: Patch) -> None:
    """Take a consumer that vanished for one that exists."""
    patch.setattr(StreamRecovery, "ensure", do_nothing)


def require_a_summary(patch: Patch) -> None:
    """End the transfer if there is no summary."""

    def end(ctx: Any, _: Any) -> None:
        cleanup.start_cleanup(ctx, Outcome.BROKEN, "summarize failed")

    policy = POLICY[Summarize]._replace(on_failed=end, on_timeout=end)
    patch.setitem(POLICY, Summarize, policy)  # type: ignore[arg-type]


def assume_recorded(patch: Patch) -> None:
    """Report a recording as started without asking the provider."""
    patch.setattr(SimProvider, "record_participant", do_nothing)


MUTATIONS: tuple[tuple[Mutation, str], ...] = (
    (callers.leave_after_release, "I1"),
    (callers.close_room_at_complete, "I1"),
    (callers.never_unmute, "I2"),
    (callers.take_acceptance_for_arrival, "I3"),
    (callers.end_supervisor_at_complete, "I3"),
    (callers.complete_as_older_versions, "I3"),
    (callers.complete_at_the_deadline, "I3"),
    (callers.complete_by_any_check, "I3"),
    (callers.return_no_caller_in_the_guard, "I4"),
    (callers.leave_at_complete, "I1"),
    (count_the_guard_as_running, "I18"),
    (callers.fail_the_return, "I4"),
    (callers.repeat_summary_to_both, "I5"),
    (claim_nothing, "I6"),
    (claim_nothing, "I7"),
    (dial_late, "I8"),
    (callers.lock_no_caller, "I9"),
    (send_without_msg_id, "I11"),
    (count_no_phase, "I12"),
    (use_the_workers_clock, "I13"),
    (send_outbox_once, "I14"),
    (callers.apply_outdated_commands, "I15"),
    (end_no_leg, "I16"),
    (close_room_once, "I16"),
    (set_no_timer, "I18"),
    (wait_without_end, "L3"),
    (forget_triggers, "I20"),
    (forget_further_triggers, "I20"),
    (acknowledge_first, "L1"),
    (notice_no_silence, "L3"),
    (keep_the_pull_after_a_reconnect, "L3"),
    (create_no_consumer_again, "L3"),
    (drop_poison, "I22"),
    (require_a_summary, "I24"),
    (callers.never_expire_the_lease, "I25"),
    (assume_recorded, "I28"),
    (callers.forget_a_lost_session, "I29"),
    (callers.rescue_every_time, "I30"),
    (callers.take_the_echo_for_a_yes, "I33"),
    (callers.brief_whatever_answers, "I34"),
    (callers.say_nothing_of_a_failing_return, "I36"),
)
"""I19 is broken together with L3: a transfer that never ends lives too long. I21 is the same as L1."""
