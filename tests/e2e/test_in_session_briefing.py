"""Briefing in the process of the session: it works, its process dies, its process restarts."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from warmxfer.cli.local_stack.managed_process import ManagedProcess
from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.schemas import Outcome, WarmTransferPhase

from .stack_fixture import DECLINES, READY, SILENT, Call, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRAM = Path(__file__).with_name("agent_process.py")
SLOW_TO_SAY_YES = "+14155550123"


class Agent:
    """The process of one caller's AI."""

    def __init__(self, driver: TransferDriver, caller: PlacedCall) -> None:
        self._stage = driver
        self._caller = caller
        self._child: ManagedProcess | None = None

    async def start(self) -> None:
        stack = self._stage.stack
        log_path = stack.directory / f"primary-{self._caller.room_id}.log"
        command = [sys.executable, str(PROGRAM), stack.nats_url, self._caller.room_id]
        self._child = await ManagedProcess.spawn("agent", command, stack.actor_env("agent"), log_path)

    async def kill(self) -> None:
        assert self._child is not None
        await self._child.kill()

    async def stop(self) -> None:
        assert self._child is not None
        await self._child.stop()


@asynccontextmanager
async def agent(driver: TransferDriver) -> AsyncIterator[tuple[Agent, PlacedCall]]:
    """A caller on the phone with an AI that briefs by itself; no briefing worker runs."""
    await driver.stack.stop("briefing")
    caller = await driver.stack.call()
    agent = Agent(driver, caller)
    await agent.start()
    try:
        yield agent, caller
    finally:
        await agent.stop()


async def briefed(driver: TransferDriver, caller: PlacedCall, supervisor: str, **config: object) -> Call:
    call = await driver.begin(caller, supervisor, brief_by="session", **config)
    await call.until(WarmTransferPhase.BRIEFING_STARTED)
    return call


@pytest.mark.parametrize(("supervisor", "outcome"), [(READY, Outcome.COMPLETE), (DECLINES, Outcome.DECLINED)])
async def test_the_session_process_briefs_the_supervisor(
    driver: TransferDriver, supervisor: str, outcome: Outcome
) -> None:
    async with agent(driver) as (_, caller):
        call = await driver.begin(caller, supervisor, brief_by="session")
        assert (await call.result()).outcome is outcome
        await call.assert_clean_end()


async def test_a_restarted_process_continues_the_briefing(driver: TransferDriver) -> None:
    await driver.person(SLOW_TO_SAY_YES, script="ready", replyS=20)
    async with agent(driver) as (process, caller):
        call = await briefed(driver, caller, SLOW_TO_SAY_YES)
        await process.kill()
        await process.start()
        assert (await call.result()).outcome is Outcome.COMPLETE
        report = await call.assert_clean_end()
        assert report["switches"] == {"forward": 1, "back": 0}


async def test_a_dead_session_process_leaves_no_leg_behind(driver: TransferDriver) -> None:
    async with agent(driver) as (process, caller):
        call = await briefed(driver, caller, SILENT, briefing_timeout_s=3, command_timeout_s=2)
        await process.kill()
        assert (await call.result()).outcome is Outcome.BRIEFING_TIMEOUT
        report = await call.assert_clean_end(ai_killed=True)
        assert report["callerLegUp"], "the caller stays in the room of the AI"


async def test_without_a_session_process_the_result_names_what_is_missing(driver: TransferDriver) -> None:
    (caller,) = await driver.callers(1)
    await driver.conversation(caller, lines=1)
    call = await driver.begin(caller, brief_by="session", command_timeout_s=2)
    result = await call.result()
    assert (result.outcome, result.detail) == (
        Outcome.BRIEFING_ABSENT,
        "No process that holds this session (brief_by is session) answered join_consultation within 2 s; "
        "keep it running with `brief_here` open, or set brief_by to briefing.",
    )
    await call.assert_clean_end()
