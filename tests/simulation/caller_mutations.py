"""Mistakes with a caller: each leaves them with nobody, or with the wrong one. The others: `mistakes.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from warmxfer.actors.briefing import dialogue
from warmxfer.actors.coordinator import coordinator
from warmxfer.actors.coordinator.state_machine import CallerPlace, Stage, bridge, cleanup, failures
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS, Transition
from warmxfer.actors.gateway import actor as gateway
from warmxfer.actors.primary import session_controller
from warmxfer.actors.primary.caller_hold import CallerHold
from warmxfer.actors.primary.fencing import FencingTokens, Freshness
from warmxfer.schemas import CallerSwitched, CloseRoom, CommandFailed, FailureKind, ReturnCaller

from .provider import SimProvider

Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]


def leaves_after_letting_go(patch: Patch) -> None:
    """The AI takes the release for the end of its call."""
    real = CallerHold.release

    async def release(self: CallerHold) -> None:
        await real(self)
        await self._session.leave()

    patch.setattr(CallerHold, "release", release)


def gives_up_the_way_back(patch: Patch) -> None:
    """A way back is not looked at again once it has failed, and it fails at once."""

    async def give_up(desk: Any, transfer_id: str, command: Any) -> CommandFailed:
        return CommandFailed(
            command_id=command.command_id, failure=FailureKind.REFUSED, detail="not this time"
        )

    patch.setitem(gateway.HANDLERS, ReturnCaller, give_up)


def never_unmutes(patch: Patch) -> None:
    """The hold is over in the books only."""
    patch.setattr(CallerHold, "_unmute", _nothing)


def takes_the_order_for_the_deed(patch: Patch) -> None:
    """The provider took the move on, so the caller has arrived."""

    def switched(turn: Any, event: CallerSwitched) -> None:
        turn.state.caller = CallerPlace.SEEN_EARLY
        bridge.caller_switched(turn, event)

    rule = TRANSITIONS[Stage.SWITCHING][CallerSwitched]
    patch.setitem(
        TRANSITIONS[Stage.SWITCHING],  # type: ignore[arg-type]
        CallerSwitched,
        Transition(switched, rule.to),
    )


def hangs_up_on_the_helper(patch: Patch) -> None:
    """Complete clears everything away, the supervisor too."""
    real = bridge.complete

    def complete(turn: Any) -> None:
        real(turn)
        cleanup.end_supervisor_leg(turn, awaited=False)

    patch.setattr(bridge, "complete", complete)
    patch.setitem(failures.ON_STAGE_TIMEOUT, Stage.HANDING_OVER, complete)  # type: ignore[arg-type]


def sums_up_for_both(patch: Patch) -> None:
    """The agent says once more what it was told, when the caller may be there already."""
    real = dialogue.Dialogue._decide

    def decide(self: dialogue.Dialogue, verdict: Any, reason: str) -> list[dialogue.Action]:
        told = self._briefing.summary if self._briefing else ""
        return [*real(self, verdict, reason), dialogue.Say(told)]

    patch.setattr(dialogue.Dialogue, "_decide", decide)


def clears_away_at_once(patch: Patch) -> None:
    """Complete closes the room, as every other end does, and nobody looks who is there."""
    real, found = bridge.complete, SimProvider.find_caller_call

    def complete(turn: Any) -> None:
        real(turn)
        turn.send(CloseRoom, awaited=False, room_id=turn.state.room_id, key=turn.state.id)

    async def find(self: SimProvider, room_id: str, **more: Any) -> Any:
        return None if room_id.startswith("room-x") else await found(self, room_id, **more)

    patch.setattr(SimProvider, "find_caller_call", find)
    patch.setattr(bridge, "complete", complete)


def holds_for_ever(patch: Patch) -> None:
    """Nobody is in charge any more, and the session does not mind."""

    async def outlive(*_: object) -> None:
        await asyncio.Event().wait()

    patch.setattr(session_controller, "wait_until_expired", outlive)


def obeys_anything(patch: Patch) -> None:
    """A hold that comes late holds a caller who was released."""
    patch.setattr(FencingTokens, "check", lambda self, transfer_id, command: Freshness.NEW)


def asks_nobody_whose_caller_it_is(patch: Patch) -> None:
    """Every transfer may have any caller."""
    patch.setattr(coordinator, "lock_caller", _nothing)


async def _nothing(*_: Any, **__: Any) -> None:
    """What was forgotten."""
