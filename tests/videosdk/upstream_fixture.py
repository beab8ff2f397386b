"""Fixtures for runs with VideoSDK's WarmTransferRunner (upstream) and with warmxfer.

The framework is offline, the sandbox is the cloud, and an agent requests the transfer. Of upstream only the
addresses of its cloud are replaced.
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

from warmxfer.adapters.rooms import JoinOptions, RoomClient, RoomSettings, open_room_client
from warmxfer.adapters.rooms.videosdk import server_lookup
from warmxfer.cli.local_stack.stack import API_KEY, LocalStack, PlacedCall
from warmxfer.integrations.videosdk import install

from .offline import SUMMARY, Call, Meeting, OfflineSTT, ScriptedLLM, SimpleAgent, meeting_factory, open_call
from .room_fixture import empty_server_list
from .sandbox_meeting import SandboxMeeting, SandboxTTS, stack_tokens

TOKEN_LIFE_S = 600
QUESTION = "Ann was charged twice. Are you ready to take the call?"


@contextmanager
def framework_offline() -> Iterator[None]:
    """Use offline meetings in the framework, and send no analytics."""
    with (
        patch.object(VideoSDK, "init_meeting", lambda **config: meeting_factory.get()(**config)),
        patch.object(AnalyticsClient, "send_interaction_analytics_safe", lambda *_: None),
        patch.object(server_lookup, "_request_servers", empty_server_list),
    ):
        yield


@contextmanager
def upstream_cloud(local_stack: LocalStack) -> Iterator[None]:
    """Replace the cloud addresses in upstream's code by the sandbox."""

    def create_room(token: str, _: str = "") -> str:
        answer = requests.post(
            f"{local_stack.sandbox_url}/v2/rooms", headers={"Authorization": token}, timeout=30
        )
        answer.raise_for_status()
        return answer.json()["roomId"]

    with (
        patch.object(_sip_manager, "FETCH_CALL_INFO_URL", f"{local_stack.sandbox_url}/v2/sip/call"),
        patch.object(_sip_manager, "MAKE_OUTBOUND_CALL_URL", f"{local_stack.sandbox_url}/v2/sip/call"),
        patch.object(_sip_manager, "SWITCH_ROOM_URL", f"{local_stack.sandbox_url}/v2/sip/call/switch-room"),
        patch.object(JobContext, "create_room_static", staticmethod(create_room)),
        patch.dict(os.environ, {"VIDEOSDK_API_KEY": API_KEY, "VIDEOSDK_SECRET_KEY": local_stack.secret}),
    ):
        yield


async def sandbox(local_stack: LocalStack, method: str, path: str) -> dict[str, Any]:
    """Send a request to the sandbox's admin API; return its response."""
    async with httpx.AsyncClient(base_url=local_stack.sandbox_url, timeout=10, trust_env=False) as http:
        return (await http.request(method, path)).raise_for_status().json()


def token_for(local_stack: LocalStack) -> str:
    """Return the token that upstream sends to the cloud."""
    claims = {"apikey": API_KEY, "permissions": ["allow_join"], "version": 2}
    return jwt.encode(
        {**claims, "exp": int(time.time()) + TOKEN_LIFE_S}, local_stack.secret, algorithm="HS256"
    )


class EscalatingAgent(SimpleAgent):
    """A user's agent with a tool that requests the transfer."""

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


class RoleLLM(ScriptedLLM):
    """A model that follows the words it gets: with a caller it escalates, with a supervisor it briefs."""

    TOOLS = (
        ("get me a supervisor", "escalate", {}),
        ("i'm ready", "done_briefing", {}),
        ("can't take", "decline_transfer", {"reason": "busy"}),
    )

    async def chat(self, messages: ChatContext, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        last = messages.to_dict()["items"][-1]
        text = str(last.get("content")).lower() if last.get("role") == "user" else ""
        for words, tool, arguments in self.TOOLS:
            if words in text:
                call = {"name": tool, "arguments": arguments}
                yield LLMResponse(content="", role=ChatRole.ASSISTANT, metadata={"function_call": call})
                return
        yield LLMResponse(content=SUMMARY if "transcript" in text else QUESTION, role=ChatRole.ASSISTANT)


class AgentConnections:
    """The connections of one session's AI: to the caller's room and, with upstream, to the supervisor's.

    The supervisor's room is joined over a real socket. The caller's is too, unless `session_id` is given:
    then that meeting is in memory. The pipeline of the briefing is the second one that this process makes,
    from the classes of the first one or by `briefing`. So the components that were made last are in the
    supervisor's room.
    """

    def __init__(self, local_stack: LocalStack, caller: PlacedCall, session_id: str | None = None) -> None:
        self._local_stack = local_stack
        self.caller = caller
        self._session_id = session_id
        self._clients: list[RoomClient] = []
        self.briefings = 0
        all_stt, all_tts = list[OfflineSTT](), list[SandboxTTS]()

        class ConnectedSTT(OfflineSTT):
            def __init__(self) -> None:
                super().__init__()
                all_stt.append(self)

        class ConnectedTTS(SandboxTTS):
            def __init__(self) -> None:
                super().__init__()
                all_tts.append(self)

        self._all_stt, self.all_tts = all_stt, all_tts
        self.stt, self.tts = ConnectedSTT, ConnectedTTS()

    def meeting(self, _: OfflineSTT, **config: Any) -> Meeting:
        """For `open_call`."""
        if config["meeting_id"] == self.caller.room_id and self._session_id:
            meeting = Meeting(**config)
            meeting.session_id = self._session_id
            return meeting
        stt, tts = self._all_stt[-1], self.all_tts[-1]
        tts.client = self._client(config["meeting_id"], config["participant_id"])
        return SandboxMeeting(tts.client, stt, **config)

    def briefing(self) -> Pipeline:
        """Make a pipeline, as a user's `briefing_pipeline_factory`."""
        self.briefings += 1
        return Pipeline(stt=self.stt(), llm=RoleLLM(), tts=type(self.tts)())

    async def leave(self) -> None:
        await asyncio.gather(*(client.leave() for client in self._clients))

    def _client(self, room_id: str, id: str) -> RoomClient:
        client = open_room_client(
            RoomSettings(), JoinOptions(room_id, id, "Agent", stack_tokens(self._local_stack, room_id, id))
        )
        self._clients.append(client)
        return client


async def open_escalating(
    local_stack: LocalStack,
    agent: Agent,
    connections: AgentConnections,
    *,
    with_warmxfer: bool,
    **settings: Any,
) -> Call:
    """Open a call whose AI requests the transfer when its caller speaks. `settings` go to `install`."""

    def session(pipeline: Pipeline) -> AgentSession:
        made = AgentSession(agent=agent, pipeline=pipeline)
        if with_warmxfer:
            install(made, local_stack.url_of("agent"), **settings)
        return made

    return await open_connected(local_stack, connections, session)


async def open_connected(
    local_stack: LocalStack, connections: AgentConnections, session: Callable[[Pipeline], AgentSession]
) -> Call:
    """Open a call with the session that `session` makes and the given connections."""
    return await open_call(
        connections.caller.room_id,
        session=session,
        stt=connections.stt,
        llm=RoleLLM(),
        tts=connections.tts,
        meeting=connections.meeting,
        caller=None,
        auth_token=token_for(local_stack),
    )


async def close(live: Call, connections: AgentConnections) -> None:
    """Cancel the transfer, hang up and leave."""
    if live.session._warm_transfer_task is not None:
        live.session._warm_transfer_task.cancel()
    await live.hang_up()
    await connections.leave()
