"""Mutations that leave a caller alone, muted or with the wrong party. The others are in `mutations.py`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from warmxfer.actors.briefing import dialogue
from warmxfer.actors.common.log_check import LogCheck
from warmxfer.actors.common.sent_by_log import FoundInLog
from warmxfer.actors.coordinator import inbound_events, transfer_start
from warmxfer.actors.coordinator.state_machine import CallerPlace, Stage, bridge, cleanup, failures, guard
from warmxfer.actors.coordinator.state_machine.command_policy import POLICY
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS, Handler, Transition
from warmxfer.actors.gateway import command_handler as gateway
from warmxfer.actors.gateway.handlers import rescue
from warmxfer.actors.primary import session_controller
from warmxfer.actors.primary.caller_hold import CallerHold
from warmxfer.actors.primary.fencing import FencingTokens, Freshness
from warmxfer.schemas import (
    CallerSwitched,
    CloseRoom,
    Command,
    CommandFailed,
    Event,
    FailureKind,
    LeaveCall,
    LeaveConsultation,
    LegsChecked,
    RecordParticipant,
    ReleaseCaller,
    RescueCaller,
    ReturnCaller,
)

from .provider import SimProvider

Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]


def leave_after_release(patch: Patch) -> None:
    """Let the AI leave the call after the release."""
    real = CallerHold.release

    async def release(self: CallerHold) -> None:
        await real(self)
        await self._session.leave()

    patch.setattr(CallerHold, "release", release)


def fail_the_return(patch: Patch) -> None:
    """Fail each return at once, and do not check it again."""

    async def give_up(context: Any, transfer_id: str, command: Any) -> CommandFailed:
        return CommandFailed(
            command_id=command.command_id, failure=FailureKind.REFUSED, detail="return failed"
        )

    patch.setitem(gateway.HANDLERS, ReturnCaller, give_up)


def say_nothing_of_a_failing_return(patch: Patch) -> None:
    """Fail each return, and publish no notice before the search ends."""
    fail_the_return(patch)
    patch.setattr(guard, "_publish_caller_alone", lambda ctx: None)


def never_unmute(patch: Patch) -> None:
    """End the hold without unmuting the caller."""
    patch.setattr(CallerHold, "_unmute", do_nothing)


def take_acceptance_for_arrival(patch: Patch) -> None:
    """Treat the provider's acceptance of a move as the caller's arrival."""

    def switched(ctx: Any, event: CallerSwitched) -> None:
        ctx.state.caller = CallerPlace.SEEN_EARLY
        bridge.caller_switched(ctx, event)

    _set_handler(patch, CallerSwitched, Stage.SWITCHING, switched)


def end_supervisor_at_complete(patch: Patch) -> None:
    """End the supervisor's leg at complete."""
    _and_then(patch, bridge, "complete", lambda ctx: cleanup.end_supervisor_leg(ctx, awaited=False))


def complete_as_older_versions(patch: Patch) -> None:
    """Complete without a leg check and without a guard."""
    patch.setattr(inbound_events, "with_defaults", lambda request: request)


def complete_at_the_deadline(patch: Patch) -> None:
    """Complete when a reply of the handover is overdue."""

    def overdue(ctx: Any, command: type[Command]) -> None:
        if ctx.state.stage is Stage.HANDING_OVER:
            bridge.complete(ctx)
        else:
            cleanup.cleanup_timed_out(ctx, command)

    for command in (LeaveConsultation, RecordParticipant):
        patch.setitem(POLICY, command, POLICY[command]._replace(on_timeout=overdue))  # type: ignore[arg-type]
    patch.setitem(failures.ON_STAGE_TIMEOUT, Stage.HANDING_OVER, bridge.complete)  # type: ignore[arg-type]


def complete_by_any_check(patch: Patch) -> None:
    """Complete when the leg check is answered, whatever it says."""
    _set_handler(patch, LegsChecked, Stage.HANDING_OVER, lambda ctx, event: bridge.complete(ctx))


def return_no_caller_in_the_guard(patch: Patch) -> None:
    """End the guard although the caller is alone."""
    patch.setattr(guard, "supervisor_gone", guard.caller_gone)


def leave_at_complete(patch: Patch) -> None:
    """Let the AI leave the call at complete, and return a caller who is alone to the empty room."""
    _and_then(patch, guard, "start_guard", lambda ctx: ctx.send(LeaveCall, awaited=False))


def repeat_summary_to_both(patch: Patch) -> None:
    """Repeat the summary after the decision, when the caller may already be in the room."""
    real = dialogue.Dialogue._decide

    def decide(self: dialogue.Dialogue, decision: dialogue.Decide) -> list[dialogue.Action]:
        summary = self._briefing.summary if self._briefing else ""
        return [*real(self, decision), dialogue.Say(summary)]

    patch.setattr(dialogue.Dialogue, "_decide", decide)


def take_the_echo_for_a_yes(patch: Patch) -> None:
    """Take our own question, given back by a speakerphone, for a reply, and any reply for a yes."""

    def decide(self: dialogue.Dialogue, *_: Any, **__: Any) -> list[dialogue.Action]:
        return self._decide(dialogue.Decide(dialogue.ReplyIntent.READY))

    patch.setattr(dialogue, "is_echo", lambda *_: False)
    patch.setattr(dialogue, "without_echo", lambda text, _: text)
    patch.setattr(dialogue.Dialogue, "reply_classified", decide)


def brief_whatever_answers(patch: Patch) -> None:
    """Take the first words of every line for those of a person."""
    patch.setattr(dialogue, "is_machine", lambda text: False)
    patch.setattr(dialogue.Dialogue, "_classify_first_words", lambda self, text: self._found_person())


def close_room_at_complete(patch: Patch) -> None:
    """Close the room at complete, without a check of who is in it."""
    found = SimProvider.find_caller_call

    def close(ctx: Any) -> None:
        ctx.send(CloseRoom, awaited=False, room_id=ctx.state.room_id, key=ctx.state.id)

    async def find(self: SimProvider, room_id: str, **more: Any) -> Any:
        return None if room_id.startswith("room-x") else await found(self, room_id, **more)

    patch.setattr(SimProvider, "find_caller_call", find)
    _and_then(patch, bridge, "complete", close)


def forget_a_lost_session(patch: Patch) -> None:
    """Treat a release that no session answers like any other clean-up command."""
    policy = POLICY[ReleaseCaller]._replace(on_timeout=cleanup.cleanup_timed_out)
    patch.setitem(POLICY, ReleaseCaller, policy)  # type: ignore[arg-type]


def rescue_every_time(patch: Patch) -> None:
    """Rescue twice, each time under a new claim."""
    count, real = itertools.count(), rescue.rescue_caller

    async def rescue_caller(context: Any, transfer_id: str, command: Any) -> Any:
        for _ in range(2):
            patch.setattr(rescue, "RESCUE", f"rescue-{next(count)}")
            reply = await real(context, transfer_id, command)
        return reply

    patch.setitem(gateway.HANDLERS, RescueCaller, rescue_caller)  # type: ignore[arg-type]


def never_expire_the_lease(patch: Patch) -> None:
    """Keep the hold when its lease has expired."""

    async def wait(*_: object) -> None:
        await asyncio.Event().wait()

    patch.setattr(session_controller, "wait_until_expired", wait)


def apply_outdated_commands(patch: Patch) -> None:
    """Apply a hold that comes after the release. The fencing tokens prevent it, and so does the log."""
    find = LogCheck.find

    async def find_any(
        self: LogCheck, transfer_id: str, data: bytes, session: str | None = None
    ) -> FoundInLog:
        found = await find(self, transfer_id, data, session)
        return FoundInLog.SENT if found is FoundInLog.OUTDATED and session is not None else found

    patch.setattr(FencingTokens, "check", lambda self, transfer_id, command: Freshness.NEW)
    patch.setattr(LogCheck, "find", find_any)


def lock_no_caller(patch: Patch) -> None:
    """Give each transfer its caller without a lock."""
    patch.setattr(transfer_start, "lock_caller", do_nothing)


def _and_then(patch: Patch, module: Any, name: str, more: Callable[[Any], object]) -> None:
    """Replace the function `name` of the state machine by itself and `more`."""
    real = getattr(module, name)

    def both(ctx: Any) -> None:
        real(ctx)
        more(ctx)

    patch.setattr(module, name, both)


def _set_handler(patch: Patch, event: type[Event], stage: Stage, handler: Handler) -> None:
    """Replace the handler of one row of the transition table."""
    row = TRANSITIONS[stage][event]
    patch.setitem(TRANSITIONS[stage], event, Transition(handler, row.to))  # type: ignore[arg-type]


async def do_nothing(*_: Any, **__: Any) -> None:
    """Replace a function that the mutation leaves out."""
