"""The same trouble twice: for the original's WarmTransferRunner, and for us, against the same sandbox.

Both are asked in the same process by the same session of the real framework. The original is given a
sandbox for a cloud by replacing the addresses it has written down, and nothing else of it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import httpx
import jwt
import requests
from videosdk.agents import JobContext, LLMResponse, Pipeline, function_tool
from videosdk.agents.llm.chat_context import ChatContext, ChatRole
from videosdk.agents.metrics.analytics import AnalyticsClient
from videosdk.agents.room import _sip_manager
from videosdk.agents.room.room import VideoSDK
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig, WarmTransferError

from warmxfer.actors.house import API_KEY, Caller, House
from warmxfer.actors.videosdk import install
from warmxfer.actors.voices import Seat, Voice, open_voice, ticket_from
from warmxfer.bus import Bus, BusSettings

from .cloud import CloudMeeting, CloudMouth
from .offline import Call, Ear, Helper, Mind, making, open_call

HOLD_LINE = "Please hold while I connect you with a supervisor."
LIMIT_S = 25.0
SETTLE_S = 1.0
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

    def __str__(self) -> str:
        parts = ["success" if self.success else f"`{self.said}`"]
        parts += [f"{self.legs_up} leg left up"] if self.legs_up else []
        parts += ["**caller alone in the consultation room**"] if self.alone else []
        parts += ["**caller in no room**"] if self.caller_up and not self.caller_room else []
        parts += [f"caller with the {'AI' if self.caller_room == 'ai' else 'supervisor'}"] * (
            bool(self.caller_room) and not self.alone
        )
        parts += ["caller let in on hold"] if self.let_in else []
        parts += [] if self.hold_line_heard else ["no hold line heard"]
        parts += [f"loop stalled {self.longest_stall_s:.1f} s"] if self.longest_stall_s > 1.0 else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Trouble:
    """One hazard: who is rung, what goes wrong, and how to see that it did."""

    id: str
    what: str
    wrong: Callable[[Ending], bool]
    number: str = "+14155550101"
    config: dict[str, Any] = field(default_factory=dict)
    before: Callable[[House], Awaitable[object]] | None = None
    during: Callable[[Play], Awaitable[object]] | None = None


@dataclass
class Play:
    """A transfer under way."""

    house: House
    live: Call
    caller: Caller
    told: list[dict[str, Any]]
    let_in: bool = False
    """Set by a trouble that saw the caller's words reach the AI on hold."""

    async def until(self, phase: str) -> dict[str, Any]:
        """Return as soon as `phase` was told of."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for told in self.told:
                    if told["phase"].value == phase:
                        return told
                await asyncio.sleep(0.005)


class Briefer(Mind):
    """The original's briefing agent's model: narrates, then takes a yes or a no by its tools."""

    async def chat(self, messages: ChatContext, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        last = messages.to_dict()["items"][-1]
        heard = str(last.get("content")).lower() if last.get("role") == "user" else ""
        tool = "done_briefing" if "yes" in heard else "decline_transfer" if "can't take" in heard else None
        if tool is None:
            said = "Ann was charged twice. Are you ready to take the call?"
            yield LLMResponse(content=said, role=ChatRole.ASSISTANT)
        else:
            call = {"name": tool, "arguments": {"reason": "busy"} if tool == "decline_transfer" else {}}
            yield LLMResponse(content="", role=ChatRole.ASSISTANT, metadata={"function_call": call})


class Asking(Helper):
    """A user's agent, whose tool asks for the transfer."""

    def __init__(self, config: WarmTransferConfig) -> None:
        super().__init__()
        self.config = config
        self.ending: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @function_tool
    async def escalate(self) -> str:
        """Get a human supervisor on the line."""
        try:
            self.ending.set_result(await self.session.warm_transfer(self.config))
        except WarmTransferError as error:
            self.ending.set_result(error)
        return "Done."


@asynccontextmanager
async def original_cloud(house: House) -> AsyncIterator[None]:
    """The sandbox in place of the addresses the original has written down."""

    def create_room(token: str, _: str = "") -> str:
        answer = requests.post(f"{house.sandbox_url}/v2/rooms", headers={"Authorization": token}, timeout=30)
        answer.raise_for_status()
        return answer.json()["roomId"]

    with (
        patch.object(_sip_manager, "FETCH_CALL_INFO_URL", f"{house.sandbox_url}/v2/sip/call"),
        patch.object(_sip_manager, "MAKE_OUTBOUND_CALL_URL", f"{house.sandbox_url}/v2/sip/call"),
        patch.object(_sip_manager, "SWITCH_ROOM_URL", f"{house.sandbox_url}/v2/sip/call/switch-room"),
        patch.object(JobContext, "create_room_static", staticmethod(create_room)),
        patch.dict(os.environ, {"VIDEOSDK_API_KEY": API_KEY, "VIDEOSDK_SECRET_KEY": house.secret}),
    ):
        yield


@asynccontextmanager
async def framework_offline() -> AsyncIterator[None]:
    """The framework with meetings of ours, and nothing posted to its makers."""
    with (
        patch.object(VideoSDK, "init_meeting", lambda **config: making.get()(**config)),
        patch.object(AnalyticsClient, "send_interaction_analytics_safe", lambda *_: None),
    ):
        yield


async def play(house: House, trouble: Trouble, *, ours: bool) -> Ending:
    """Go through `trouble` once."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(framework_offline())
        await stack.enter_async_context(original_cloud(house))
        bus = await stack.enter_async_context(
            await Bus.connect(BusSettings(url=house.nats_url), name="beside")
        )
        await sandbox(house, "DELETE", "/sandbox/faults")
        caller = await house.call()
        agent = Asking(_config(trouble, original=not ours))
        seats = _Seats(bus, caller, agent.config)
        live = await _open(house, caller, agent, seats, ours=ours)
        stack.push_async_callback(_close, live, seats)
        told: list[dict[str, Any]] = []
        live.session.on_warm_transfer(callback=lambda payload: told.append(payload))
        if trouble.before:
            await trouble.before(house)
        stall = asyncio.create_task(_longest_stall_s())
        await live.ear.hears("Get me a supervisor.")
        scene = Play(house, live, caller, told)
        acting = asyncio.create_task(_act(trouble, scene))
        ending = await _end(house, caller, live, agent)
        ending.let_in = scene.let_in
        acting.cancel()
        stall.cancel()
        await asyncio.gather(acting, stall, return_exceptions=True)
        ending.longest_stall_s = _STALLS.pop(stall)
        return ending


async def _act(trouble: Trouble, scene: Play) -> None:
    if trouble.during:
        await trouble.during(scene)


async def _end(house: House, caller: Caller, live: Call, agent: Asking) -> Ending:
    ending = Ending()
    try:
        async with asyncio.timeout(LIMIT_S):
            result = await asyncio.shield(agent.ending)
        ending.success = getattr(result, "success", False)
        ending.said = str(getattr(result, "error", None) or result)[:60]
    except TimeoutError:
        ending.said = f"nothing within {LIMIT_S:g} s"
    ending.hold_line_heard = live.mouth.has_said(HOLD_LINE)
    await asyncio.sleep(SETTLE_S)
    await _read_the_world(house, caller, ending)
    return ending


async def _read_the_world(house: House, caller: Caller, ending: Ending) -> None:
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
    if not ending.success:
        return
    ending.legs_up = 0  # a supervisor who talks with the caller is meant to be up


async def sandbox(house: House, method: str, path: str) -> dict[str, Any]:
    """A request of the tester's hand."""
    async with httpx.AsyncClient(base_url=house.sandbox_url, timeout=10, trust_env=False) as http:
        return (await http.request(method, path)).raise_for_status().json()


class _Seats:
    """Where the AI sits: beside the caller, and, for the original, beside the supervisor."""

    def __init__(self, bus: Bus, caller: Caller, config: WarmTransferConfig) -> None:
        self._bus = bus
        self.caller = caller
        self.mouth = CloudMouth(self.voice(caller.room_id, "agent-1"))
        self.voices = [self.mouth.voice]
        self.briefing: tuple[Ear, CloudMouth] | None = None
        if config.briefing_pipeline_factory is not None:
            config.briefing_pipeline_factory = self.pipeline

    def voice(self, room_id: str, id: str) -> Voice:
        return open_voice("sandbox", Seat(room_id, id, "Agent", ticket_from(self._bus, room_id, id)))

    def pipeline(self) -> Pipeline:
        self.briefing = Ear(), CloudMouth(self.mouth.voice)
        return Pipeline(stt=self.briefing[0], llm=Briefer(), tts=self.briefing[1])

    def meeting(self, ear: Ear, **config: Any) -> CloudMeeting:
        if config["meeting_id"] == self.caller.room_id:
            return CloudMeeting(self.mouth.voice, ear, **config)
        assert self.briefing is not None
        voice = self.voice(config["meeting_id"], config["participant_id"])
        self.voices.append(voice)
        self.briefing[1].voice = voice
        return CloudMeeting(voice, self.briefing[0], **config)


async def _open(house: House, caller: Caller, agent: Asking, seats: _Seats, *, ours: bool) -> Call:
    claims = {"apikey": API_KEY, "permissions": ["allow_join"], "version": 2, "exp": int(time.time()) + 600}
    return await open_call(
        caller.room_id,
        agent=lambda: agent,
        mind=Mind(("escalate", {})),
        mouth=seats.mouth,
        meeting=seats.meeting,
        on_session=(lambda session: install(session, house.nats_url)) if ours else None,
        caller=None,
        auth_token=jwt.encode(claims, house.secret, algorithm="HS256"),
    )


def _config(trouble: Trouble, *, original: bool) -> WarmTransferConfig:
    config = WarmTransferConfig(
        destination=SIPDestination("rr_1", trouble.number, OUR_NUMBER),
        **{"summary_llm": Mind(), **trouble.config},
    )
    if original:
        config.briefing_pipeline_factory = Pipeline  # put right by _Seats
    return config


async def _close(live: Call, seats: _Seats) -> None:
    task = live.session._warm_transfer_task
    if task is not None:
        task.cancel()
    await live.hang_up()
    await asyncio.gather(*(voice.leave() for voice in seats.voices))


_STALLS: dict[asyncio.Task[None], float] = {}


async def _longest_stall_s() -> None:
    """How long the loop was away at most, under the running task's name."""
    me, now = asyncio.current_task(), asyncio.get_running_loop().time
    assert me is not None
    _STALLS[me] = 0.0
    while True:
        before = now()
        await asyncio.sleep(0.005)
        _STALLS[me] = max(_STALLS[me], now() - before)
