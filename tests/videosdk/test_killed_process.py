"""H22 with the drop-in: kill -9 of the user's agent process, which is not started again.

The process runs the real framework. It asked for the transfer, and its transfer goes on without it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import asdict

from warmxfer.cli.local_stack.stack import LocalStack, PlacedCall
from warmxfer.schemas import Outcome, WarmTransferResult

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).resolve().parents[2]
SUPERVISOR = "+14155550121"
DIAL = {
    "by": "dial",
    "routing_rule_id": "rr_1",
    "sip_call_to": "+14155550114",
    "sip_call_from": "+14155550100",
}
AGENT = {"by": "agent", "agent_id": "sandbox-agent"}
SLOW_S = 15.0
"""Simulated seconds that the supervisor rings and thinks: long enough to kill a process meanwhile."""
WITHIN_S = 100.0
KILLED_AT = ["supervisor_dialed", "briefing_started"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_stack() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=0.1) as local_stack:
        yield local_stack


@asynccontextmanager
async def agent_process(
    local_stack: LocalStack, caller: PlacedCall, rescue: dict[str, Any] | None
) -> AsyncIterator[Process]:
    """Run the user's agent in a process of its own."""
    arguments = (local_stack.url_of("agent"), local_stack.sandbox_url, local_stack.secret, SUPERVISOR)
    known = (json.dumps(rescue), json.dumps(asdict(caller)))
    command = (sys.executable, "-m", "tests.videosdk.agent_process", *arguments, *known)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@dataclass
class Killed:
    """A caller whose agent's process was killed, and how their transfer ended."""

    local_stack: LocalStack
    caller: PlacedCall
    transfer_id: str
    result: WarmTransferResult

    async def report(self) -> dict[str, Any]:
        return await self.local_stack.report(self.caller, self.transfer_id)

    async def wait_for(self, **fields: Any) -> dict[str, Any]:
        """Return the transfer report once it has these fields."""
        async with asyncio.timeout(WITHIN_S):
            while not fields.items() <= (report := await self.report()).items():
                await asyncio.sleep(0.05)
        return report


async def killed_at(
    local_stack: LocalStack, phase: str, script: str, rescue: dict[str, Any] | None
) -> Killed:
    """Kill the agent's process at `phase`, and wait for the end of its transfer."""
    person = {"script": script, "ringS": SLOW_S, "replyS": SLOW_S}
    await local_stack.put(f"/sandbox/people/{SUPERVISOR}", person)
    caller = await local_stack.call()
    async with asyncio.timeout(WITHIN_S), local_stack.client() as client:
        phases = client.all_phases()
        async with aclosing(phases), agent_process(local_stack, caller, rescue) as process:
            async for transfer_id, changed in phases:
                assert not changed.phase.final, f"ended before {phase}: {changed.data}"
                if changed.phase.value == phase:
                    process.kill()
                    await process.wait()
                    result = await client.transfer(transfer_id).result(WITHIN_S)
                    return Killed(local_stack, caller, transfer_id, result)
    raise AssertionError("the phases ended")


@pytest.mark.parametrize("phase", KILLED_AT)
@pytest.mark.parametrize("rescue", [DIAL, AGENT, None], ids=["dial", "agent", "none"])
@pytest.mark.parametrize(
    ("script", "outcome"), [("declines", Outcome.DECLINED), ("silent", Outcome.BRIEFING_TIMEOUT)]
)
async def test_h22_a_caller_whose_agent_died_is_rescued_or_the_result_says_that_they_may_be_alone(
    local_stack: LocalStack, phase: str, rescue: dict[str, Any] | None, script: str, outcome: Outcome
) -> None:
    killed = await killed_at(local_stack, phase, script, rescue)
    assert killed.result.outcome is outcome
    company = "rescued" if rescue else "may be alone"
    assert killed.result.evidence["caller"] == f"{company}: no session answered the release"
    report = await killed.wait_for(callerAlone=rescue is None, supervisorLegsUp=0)
    assert report["rescues"] == (1 if rescue else 0)
    assert report["callerRoom"] == killed.caller.room_id


@pytest.mark.parametrize("phase", KILLED_AT)
async def test_h22_a_supervisor_who_says_yes_gets_the_caller_and_there_is_no_rescue(
    local_stack: LocalStack, phase: str
) -> None:
    killed = await killed_at(local_stack, phase, "ready", DIAL)
    assert killed.result.outcome is Outcome.COMPLETE
    report = await killed.wait_for(callerAlone=False, supervisorLegsUp=1)
    assert report["rescues"] == 0
    assert report["callerRoom"] == killed.result.consultation_room_id
