"""The supervisor is briefed in the process of the session itself: it does, it dies, it comes up again."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from warmxfer.cli.local_stack.managed_process import ManagedProcess
from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.schemas import Outcome, WarmTransferPhase

from .stack_fixture import DECLINES, READY, SILENT, Call, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRAM = Path(__file__).with_name("agent_process.py")
SLOW_TO_SAY_YES = "+14155550123"


class Agent:
    """The process of one caller's AI."""

    def __init__(self, stage: Stage, caller: PlacedCall) -> None:
        self._stage = stage
        self._caller = caller
        self._child: ManagedProcess | None = None

    async def start(self) -> None:
        house = self._stage.house
        log_path = house.directory / f"primary-{self._caller.room_id}.log"
        command = [sys.executable, str(PROGRAM), house.nats_url, self._caller.room_id]
        self._child = await ManagedProcess.spawn("agent", command, house.actor_env("primary"), log_path)

    async def kill(self) -> None:
        assert self._child is not None
        await self._child.kill()

    async def stop(self) -> None:
        assert self._child is not None
        await self._child.stop()


@asynccontextmanager
async def agent(stage: Stage) -> AsyncIterator[tuple[Agent, PlacedCall]]:
    """A caller on the phone with such an AI; no worker briefs anybody."""
    await stage.house.stop("briefing")
    caller = await stage.house.call()
    agent = Agent(stage, caller)
    await agent.start()
    try:
        yield agent, caller
    finally:
        await agent.stop()


async def briefed(stage: Stage, caller: PlacedCall, supervisor: str, **config: object) -> Call:
    call = await stage.begin(caller, supervisor, brief_by="session", **config)
    await call.until(WarmTransferPhase.BRIEFING_STARTED)
    return call


@pytest.mark.parametrize(("supervisor", "outcome"), [(READY, Outcome.COMPLETE), (DECLINES, Outcome.DECLINED)])
async def test_it_briefs_whom_no_worker_does(stage: Stage, supervisor: str, outcome: Outcome) -> None:
    async with agent(stage) as (_, caller):
        call = await stage.begin(caller, supervisor, brief_by="session")
        assert (await call.result()).outcome is outcome
        await call.assert_nobody_stranded()


async def test_a_process_that_comes_up_again_goes_on_with_the_briefing(stage: Stage) -> None:
    await stage.person(SLOW_TO_SAY_YES, script="ready", replyS=20)
    async with agent(stage) as (process, caller):
        call = await briefed(stage, caller, SLOW_TO_SAY_YES)
        await process.kill()
        await process.start()
        assert (await call.result()).outcome is Outcome.COMPLETE
        verdict = await call.assert_nobody_stranded()
        assert verdict["switches"] == {"forward": 1, "back": 0}


async def test_a_process_that_dies_leaves_no_leg_behind(stage: Stage) -> None:
    async with agent(stage) as (process, caller):
        call = await briefed(stage, caller, SILENT, briefing_timeout_s=3, command_timeout_s=2)
        await process.kill()
        assert (await call.result()).outcome is Outcome.BRIEFING_TIMEOUT
        verdict = await call.assert_nobody_stranded(ai_killed=True)
        assert verdict["callerLegUp"], "the caller is where their AI was"


async def test_where_no_process_holds_the_session_it_is_said_who_is_missing(stage: Stage) -> None:
    (caller,) = await stage.callers(1)
    await stage.conversation(caller, lines=1)
    call = await stage.begin(caller, brief_by="session", command_timeout_s=2)
    result = await call.result()
    assert (result.outcome, result.detail) == (
        Outcome.BRIEFING_ABSENT,
        "No process that holds this session (brief_by is session) answered join_consultation within 2 s; "
        "keep it running with `brief_here` open, or set brief_by to briefing.",
    )
    await call.assert_nobody_stranded()
