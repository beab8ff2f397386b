"""What the original and we both stand on: the framework offline, the sandbox for a cloud, an agent that asks.

The original is given the sandbox by replacing the addresses it has written down, and nothing else of it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx
import jwt
import requests
from videosdk.agents import Agent, AgentSession, JobContext, LLMResponse, Pipeline, function_tool
from videosdk.agents.llm.chat_context import ChatContext, ChatRole
from videosdk.agents.metrics.analytics import AnalyticsClient
from videosdk.agents.room import _sip_manager
from videosdk.agents.room.room import VideoSDK
from videosdk.agents.warm_transfer import WarmTransferConfig, WarmTransferError

from warmxfer.adapters.rooms import JoinOptions, RoomClient, RoomSettings, open_room_client, token_source
from warmxfer.adapters.rooms.videosdk import server_lookup
from warmxfer.bus import Bus
from warmxfer.cli.local_stack.stack import API_KEY, LocalStack, PlacedCall
from warmxfer.integrations.videosdk import install

from .cloud import CloudMeeting, CloudMouth
from .consultation_fixture import nowhere
from .offline import SUMMARY, Call, Ear, Helper, Meeting, Mind, making, open_call

TOKEN_LIFE_S = 600
QUESTION = "Ann was charged twice. Are you ready to take the call?"


@contextmanager
def framework_offline() -> Iterator[None]:
    """The framework with meetings of ours, and nothing posted to its makers."""
    with (
        patch.object(VideoSDK, "init_meeting", lambda **config: making.get()(**config)),
        patch.object(AnalyticsClient, "send_interaction_analytics_safe", lambda *_: None),
        patch.object(server_lookup, "_request_servers", nowhere),
    ):
        yield


@contextmanager
def original_cloud(house: LocalStack) -> Iterator[None]:
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


async def sandbox(house: LocalStack, method: str, path: str) -> dict[str, Any]:
    """A request of the tester's hand."""
    async with httpx.AsyncClient(base_url=house.sandbox_url, timeout=10, trust_env=False) as http:
        return (await http.request(method, path)).raise_for_status().json()


def token_for(house: LocalStack) -> str:
    """What the original asks the cloud with."""
    claims = {"apikey": API_KEY, "permissions": ["allow_join"], "version": 2}
    return jwt.encode({**claims, "exp": int(time.time()) + TOKEN_LIFE_S}, house.secret, algorithm="HS256")


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


class Wits(Mind):
    """A model that goes by what it hears: beside a caller it escalates, beside a supervisor it briefs."""

    TOOLS = (
        ("get me a supervisor", "escalate", {}),
        ("i'm ready", "done_briefing", {}),
        ("can't take", "decline_transfer", {"reason": "busy"}),
    )

    async def chat(self, messages: ChatContext, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        last = messages.to_dict()["items"][-1]
        heard = str(last.get("content")).lower() if last.get("role") == "user" else ""
        for words, tool, arguments in self.TOOLS:
            if words in heard:
                call = {"name": tool, "arguments": arguments}
                yield LLMResponse(content="", role=ChatRole.ASSISTANT, metadata={"function_call": call})
                return
        yield LLMResponse(content=SUMMARY if "transcript" in heard else QUESTION, role=ChatRole.ASSISTANT)


class Seats:
    """Where one session's AI sits: beside the caller, and, for the original, beside the supervisor.

    Beside a supervisor it is a real seat over a socket: that is who has to be spoken with. Beside the caller
    it is one too, unless their `session_id` is given: then the two meet in memory. Whose second pipeline is
    made in this process, by calling the classes of the first one's or by `briefing`: what is made last sits
    there.
    """

    def __init__(self, bus: Bus, caller: PlacedCall, session_id: str | None = None) -> None:
        self._bus = bus
        self.caller = caller
        self._session_id = session_id
        self._voices: list[RoomClient] = []
        self.briefings = 0
        ears, mouths = list[Ear](), list[CloudMouth]()

        class SeatedEar(Ear):
            def __init__(self) -> None:
                super().__init__()
                ears.append(self)

        class SeatedMouth(CloudMouth):
            def __init__(self) -> None:
                super().__init__()
                mouths.append(self)

        self._ears, self.mouths = ears, mouths
        self.ear, self.mouth = SeatedEar, SeatedMouth()

    def meeting(self, _: Ear, **config: Any) -> Meeting:
        """For `open_call`."""
        if config["meeting_id"] == self.caller.room_id and self._session_id:
            meeting = Meeting(**config)
            meeting.session_id = self._session_id
            return meeting
        ear, mouth = self._ears[-1], self.mouths[-1]
        mouth.voice = self._voice(config["meeting_id"], config["participant_id"])
        return CloudMeeting(mouth.voice, ear, **config)

    def briefing(self) -> Pipeline:
        """What a `briefing_pipeline_factory` of the user's makes."""
        self.briefings += 1
        return Pipeline(stt=self.ear(), llm=Wits(), tts=type(self.mouth)())

    async def leave(self) -> None:
        await asyncio.gather(*(voice.leave() for voice in self._voices))

    def _voice(self, room_id: str, id: str) -> RoomClient:
        voice = open_room_client(
            RoomSettings(), JoinOptions(room_id, id, "Agent", token_source(self._bus, room_id, id))
        )
        self._voices.append(voice)
        return voice


async def open_asking(house: LocalStack, agent: Agent, seats: Seats, *, ours: bool, **own: Any) -> Call:
    """A call whose AI asks for its transfer as soon as its caller speaks; `own` goes to `install`."""

    def session(pipeline: Pipeline) -> AgentSession:
        made = AgentSession(agent=agent, pipeline=pipeline)
        if ours:
            install(made, house.nats_url, **own)
        return made

    return await open_seated(house, seats, session)


async def open_seated(house: LocalStack, seats: Seats, session: Callable[[Pipeline], AgentSession]) -> Call:
    """A call of the session that `session` makes, with the AI in `seats`."""
    return await open_call(
        seats.caller.room_id,
        session=session,
        ear=seats.ear,
        mind=Wits(),
        mouth=seats.mouth,
        meeting=seats.meeting,
        caller=None,
        auth_token=token_for(house),
    )


async def close(live: Call, seats: Seats) -> None:
    """Whatever is still going on there, goes."""
    if live.session._warm_transfer_task is not None:
        live.session._warm_transfer_task.cancel()
    await live.hang_up()
    await seats.leave()
