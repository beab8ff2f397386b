"""Runs a hazard with VideoSDK's WarmTransferRunner (upstream) or with warmxfer, against the same sandbox.

The same session of the real framework requests the transfer, in the same process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig

from warmxfer.cli.local_stack.stack import LocalStack, PlacedCall

from .event_loop_stalls import StallWatcher
from .offline import Call, ScriptedLLM
from .upstream_fixture import (
    AgentConnections,
    EscalatingAgent,
    close,
    framework_offline,
    open_escalating,
    sandbox,
    upstream_cloud,
)

HOLD_LINE = "Please hold while I connect you with a supervisor."
LIMIT_S = 25.0
SETTLE_S = 1.0
SESSION_TIMEOUT_S = 5.0
"""How long the framework keeps a session that all participants have left."""
OUR_NUMBER = "+14155550100"
TIME_SCALE = 0.1


@dataclass
class Ending:
    """The state at the end."""

    success: bool = False
    error: str = ""
    legs_up: int = 0
    caller_room: str = ""
    """`ai`, `consultation`, or empty: in no room."""
    caller_up: bool = True
    caller_alone: bool = False
    """The caller is in the consultation room without another person."""
    hold_line_said: bool = False
    input_taken: bool = False
    longest_stall_s: float = 0.0
    thread_wait_s: float = 0.0
    """How long other work waited for a thread of the process's pool."""
    session_stays_open: bool = False
    """The caller hung up long ago, and the session has not ended."""

    def __str__(self) -> str:
        parts = ["success" if self.success else f"`{self.error}`"]
        parts += [f"{self.legs_up} leg left up"] if self.legs_up else []
        parts += ["**caller alone in the consultation room**"] if self.caller_alone else []
        parts += ["**caller in no room**"] if self.caller_up and not self.caller_room else []
        parts += [f"caller with the {'AI' if self.caller_room == 'ai' else 'supervisor'}"] * (
            bool(self.caller_room) and not self.caller_alone
        )
        parts += ["caller's words reach the AI on hold"] if self.input_taken else []
        parts += ["**the session stays open without participants**"] if self.session_stays_open else []
        parts += [] if self.hold_line_said else ["no hold line said"]
        parts += [f"loop stalled {self.longest_stall_s:.1f} s"] if self.longest_stall_s > 1.0 else []
        parts += [f"others wait {self.thread_wait_s:.1f} s for a thread"] * (self.thread_wait_s > 1.0)
        return ", ".join(parts)


@dataclass(frozen=True)
class Hazard:
    """One hazard: what fails, which number is dialled, and how to see that it occurred."""

    id: str
    title: str
    occurred: Callable[[Ending], bool]
    number: str = "+14155550101"
    config: dict[str, Any] = field(default_factory=dict)
    before: Callable[[LocalStack], Awaitable[object]] | None = None
    during: Callable[[Run], Awaitable[object]] | None = None
    settle_s: float = SETTLE_S
    """How long after the end the state is read."""


@dataclass
class Run:
    """A running transfer."""

    local_stack: LocalStack
    live: Call
    caller: PlacedCall
    payloads: list[dict[str, Any]]
    input_taken: bool = False
    """Set by a hazard in which the session takes input on hold."""
    thread_wait_s: float = 0.0
    """Set by a hazard that uses threads: the longest time that it waited for one."""

    async def until(self, phase: str) -> dict[str, Any]:
        """Return the payload of `phase` as soon as it was emitted."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for payloads in self.payloads:
                    if payloads["phase"].value == phase:
                        return payloads
                await asyncio.sleep(0.005)


async def run_hazard(local_stack: LocalStack, hazard: Hazard, *, with_warmxfer: bool) -> Ending:
    """Run one transfer with `hazard`; return the state at its end."""
    async with AsyncExitStack() as stack:
        stack.enter_context(framework_offline())
        stack.enter_context(upstream_cloud(local_stack))
        await sandbox(local_stack, "DELETE", "/sandbox/faults")
        connections, agent = (
            AgentConnections(local_stack, await local_stack.call()),
            EscalatingAgent(_config(hazard)),
        )
        live = await open_escalating(local_stack, agent, connections, with_warmxfer=with_warmxfer)
        stack.push_async_callback(close, live, connections)
        run = Run(local_stack, live, connections.caller, payloads=[])
        live.session.on_warm_transfer(callback=lambda payload: run.payloads.append(payload))
        if hazard.before:
            await hazard.before(local_stack)
        async with StallWatcher() as stalls:
            await live.stt.transcribe("Get me a supervisor.")
            causing = asyncio.create_task(_cause(hazard, run))
            ending = await _end(run, hazard, agent)
            causing.cancel()
            await asyncio.gather(causing, return_exceptions=True)
        ending.input_taken, ending.thread_wait_s = run.input_taken, run.thread_wait_s
        ending.longest_stall_s = stalls.longest.length_s
        return ending


async def _cause(hazard: Hazard, run: Run) -> None:
    if hazard.during:
        await hazard.during(run)


async def _end(run: Run, hazard: Hazard, agent: EscalatingAgent) -> Ending:
    ending = Ending()
    try:
        async with asyncio.timeout(LIMIT_S):
            result = await asyncio.shield(agent.ending)
        ending.success = getattr(result, "success", False)
        ending.error = str(getattr(result, "error", None) or result)[:60]
    except TimeoutError:
        ending.error = f"nothing within {LIMIT_S:g} s"
    ending.hold_line_said = run.live.tts.has_said(HOLD_LINE)
    await asyncio.sleep(hazard.settle_s)
    await _read_ledger(run.local_stack, run.caller, ending)
    should_have_ended = hazard.settle_s > SESSION_TIMEOUT_S and not ending.caller_up
    ending.session_stays_open = should_have_ended and not run.live.ended
    return ending


async def _read_ledger(local_stack: LocalStack, caller: PlacedCall, ending: Ending) -> None:
    """Read the legs and rooms from the sandbox's ledger, since this caller called."""
    entries = await local_stack.ledger()
    start = next(i for i, each in enumerate(entries) if each.get("callId") == caller.call_id)
    since = entries[start:]
    dialled = {each["callId"] for each in since if each["kind"] == "dial"}
    over = {each["callId"] for each in since if each["kind"] in ("end", "hangup")}
    ending.legs_up, ending.caller_up = len(dialled - over), caller.call_id not in over
    state = await sandbox(local_stack, "GET", "/sandbox/state")
    rooms = {room["roomId"]: room["participants"] for room in state["rooms"]}
    phones = {id: [p for p in people if p.get("sip")] for id, people in rooms.items()}
    for id, people in phones.items():
        if any(p["sip"]["callId"] == caller.call_id for p in people):
            ending.caller_room = "ai" if id == caller.room_id else "consultation"
            ending.caller_alone = ending.caller_room == "consultation" and len(people) == 1
    if ending.success or (ending.caller_room == "consultation" and not ending.caller_alone):
        ending.legs_up = 0  # a supervisor who talks to the caller stays connected


def _config(hazard: Hazard) -> WarmTransferConfig:
    destination = SIPDestination("rr_1", hazard.number, OUR_NUMBER)
    return WarmTransferConfig(destination, **{"summary_llm": ScriptedLLM(), **hazard.config})
