"""The same trouble twice: for the original's WarmTransferRunner, and for us, against the same sandbox.

Both are asked in the same process by the same session of the real framework.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig

from warmxfer.bus import Bus, BusSettings
from warmxfer.cli.local_stack.stack import LocalStack, PlacedCall

from .event_loop_stalls import Stalls
from .framework_fixture import Asking, Seats, close, framework_offline, open_asking, original_cloud, sandbox
from .offline import Call, Mind

HOLD_LINE = "Please hold while I connect you with a supervisor."
LIMIT_S = 25.0
SETTLE_S = 1.0
SESSION_PATIENCE_S = 5.0
"""How long the framework lets a session be that its participants have left."""
OUR_NUMBER = "+14155550100"
TIME_SCALE = 0.1


@dataclass
class Ending:
    """What was true when it was over."""

    success: bool = False
    said: str = ""
    legs_up: int = 0
    caller_room: str = ""
    """`ai`, `consultation`, or empty: in no room."""
    caller_up: bool = True
    alone: bool = False
    """The caller is in the consultation room, and no person with them."""
    hold_line_heard: bool = False
    let_in: bool = False
    longest_stall_s: float = 0.0
    thread_wait_s: float = 0.0
    """How long somebody else's work waited for a thread of the process's pool."""
    session_goes_on: bool = False
    """The caller has long hung up, and the session has not ended."""

    def __str__(self) -> str:
        parts = ["success" if self.success else f"`{self.said}`"]
        parts += [f"{self.legs_up} leg left up"] if self.legs_up else []
        parts += ["**caller alone in the consultation room**"] if self.alone else []
        parts += ["**caller in no room**"] if self.caller_up and not self.caller_room else []
        parts += [f"caller with the {'AI' if self.caller_room == 'ai' else 'supervisor'}"] * (
            bool(self.caller_room) and not self.alone
        )
        parts += ["caller let in on hold"] if self.let_in else []
        parts += ["**the session goes on with nobody in it**"] if self.session_goes_on else []
        parts += [] if self.hold_line_heard else ["no hold line heard"]
        parts += [f"loop stalled {self.longest_stall_s:.1f} s"] if self.longest_stall_s > 1.0 else []
        parts += [f"others wait {self.thread_wait_s:.1f} s for a thread"] * (self.thread_wait_s > 1.0)
        return ", ".join(parts)


@dataclass(frozen=True)
class Trouble:
    """One hazard: who is rung, what goes wrong, and how to see that it did."""

    id: str
    what: str
    wrong: Callable[[Ending], bool]
    number: str = "+14155550101"
    config: dict[str, Any] = field(default_factory=dict)
    before: Callable[[LocalStack], Awaitable[object]] | None = None
    during: Callable[[Play], Awaitable[object]] | None = None
    settle_s: float = SETTLE_S
    """How long after the end the world is looked at."""


@dataclass
class Play:
    """A transfer under way."""

    house: LocalStack
    live: Call
    caller: PlacedCall
    told: list[dict[str, Any]]
    let_in: bool = False
    """Set by a trouble that saw the caller's words reach the AI on hold."""
    thread_wait_s: float = 0.0
    """Set by a trouble that asked for a thread again and again: the longest it waited."""

    async def until(self, phase: str) -> dict[str, Any]:
        """Return as soon as `phase` was told of."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for told in self.told:
                    if told["phase"].value == phase:
                        return told
                await asyncio.sleep(0.005)


async def play(house: LocalStack, trouble: Trouble, *, ours: bool) -> Ending:
    """Go through `trouble` once."""
    async with AsyncExitStack() as stack:
        stack.enter_context(framework_offline())
        stack.enter_context(original_cloud(house))
        bus = await stack.enter_async_context(
            await Bus.connect(BusSettings(url=house.nats_url), name="beside")
        )
        await sandbox(house, "DELETE", "/sandbox/faults")
        seats, agent = Seats(bus, await house.call()), Asking(_config(trouble))
        live = await open_asking(house, agent, seats, ours=ours)
        stack.push_async_callback(close, live, seats)
        scene = Play(house, live, seats.caller, told=[])
        live.session.on_warm_transfer(callback=lambda payload: scene.told.append(payload))
        if trouble.before:
            await trouble.before(house)
        async with Stalls() as stalls:
            await live.ear.hears("Get me a supervisor.")
            acting = asyncio.create_task(_act(trouble, scene))
            ending = await _end(scene, trouble, agent)
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)
        ending.let_in, ending.thread_wait_s = scene.let_in, scene.thread_wait_s
        ending.longest_stall_s = stalls.longest.long_s
        return ending


async def _act(trouble: Trouble, scene: Play) -> None:
    if trouble.during:
        await trouble.during(scene)


async def _end(scene: Play, trouble: Trouble, agent: Asking) -> Ending:
    ending = Ending()
    try:
        async with asyncio.timeout(LIMIT_S):
            result = await asyncio.shield(agent.ending)
        ending.success = getattr(result, "success", False)
        ending.said = str(getattr(result, "error", None) or result)[:60]
    except TimeoutError:
        ending.said = f"nothing within {LIMIT_S:g} s"
    ending.hold_line_heard = scene.live.mouth.has_said(HOLD_LINE)
    await asyncio.sleep(trouble.settle_s)
    await _read_the_world(scene.house, scene.caller, ending)
    left_alone = trouble.settle_s > SESSION_PATIENCE_S and not ending.caller_up
    ending.session_goes_on = left_alone and not scene.live.ended
    return ending


async def _read_the_world(house: LocalStack, caller: PlacedCall, ending: Ending) -> None:
    """From the sandbox's ledger of what was executed, since this caller called."""
    entries = await house.ledger()
    start = next(i for i, each in enumerate(entries) if each.get("callId") == caller.call_id)
    since = entries[start:]
    dialled = {each["callId"] for each in since if each["kind"] == "dial"}
    over = {each["callId"] for each in since if each["kind"] in ("end", "hangup")}
    ending.legs_up, ending.caller_up = len(dialled - over), caller.call_id not in over
    state = await sandbox(house, "GET", "/sandbox/state")
    rooms = {room["roomId"]: room["participants"] for room in state["rooms"]}
    phones = {id: [p for p in people if p.get("sip")] for id, people in rooms.items()}
    for id, people in phones.items():
        if any(p["sip"]["callId"] == caller.call_id for p in people):
            ending.caller_room = "ai" if id == caller.room_id else "consultation"
            ending.alone = ending.caller_room == "consultation" and len(people) == 1
    if ending.success or (ending.caller_room == "consultation" and not ending.alone):
        ending.legs_up = 0  # a supervisor who talks with the caller is meant to be up


def _config(trouble: Trouble) -> WarmTransferConfig:
    destination = SIPDestination("rr_1", trouble.number, OUR_NUMBER)
    return WarmTransferConfig(destination, **{"summary_llm": Mind(), **trouble.config})
