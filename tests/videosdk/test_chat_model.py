"""The framework's LLM behind our port: it is asked, it wishes, and it is not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from videosdk.agents import LLMResponse
from videosdk.agents.llm.chat_context import ChatRole
from videosdk.agents.utils import build_openai_schema

from warmxfer.actors.briefing.reply.classifier import TOOLS
from warmxfer.adapters.llm import Message, Reply, ToolCall
from warmxfer.adapters.rooms.videosdk.chat_model import FrameworkChatModel
from warmxfer.schemas import InvalidRequest, RetryableError

from .offline import Mind

ASKED = [
    Message("system", "Judge."),
    Message("assistant", "Are you ready?"),
    Message("user", "Yes."),
]


class Recorder(Mind):
    """Keeps what it was offered."""

    offered: list[Any]

    async def chat(self, messages: Any, tools: Any = None, **options: Any) -> AsyncIterator[LLMResponse]:
        self.offered = tools
        async for chunk in super().chat(messages):
            yield chunk


class Broken(Mind):
    async def chat(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        yield LLMResponse(content="I", role=ChatRole.ASSISTANT)
        raise ConnectionError("no vendor today")


async def test_it_is_asked_with_our_messages_and_our_tools() -> None:
    mind = Recorder("Yes, they are.")
    reply = await FrameworkChatModel(mind).reply(ASKED, tools=TOOLS, deadline_s=1, max_chars=100)
    assert reply == Reply("Yes, they are.")
    asked = [(item["role"], item["content"]) for item in mind.asked[0]]
    assert asked == [("system", ["Judge."]), ("assistant", ["Are you ready?"]), ("user", ["Yes."])]
    schemas = [build_openai_schema(tool) for tool in mind.offered]
    assert [(each["name"], each["description"], each["parameters"]) for each in schemas] == [
        (tool.name.value, tool.description, tool.parameters) for tool in TOOLS
    ]


@pytest.mark.parametrize(
    ("called", "wish"),
    [
        ({"reason": "busy"}, ToolCall("decline_transfer", {"reason": "busy"})),
        ('{"reason": "busy"}', ToolCall("decline_transfer", {"reason": "busy"})),
        ("", ToolCall("decline_transfer", {})),
        ("not json", ToolCall("decline_transfer", {})),
        (None, ToolCall("decline_transfer", {})),
    ],
)
async def test_a_called_tool_is_a_wish(called: Any, wish: ToolCall) -> None:
    mind = Mind(("decline_transfer", called))
    reply = await FrameworkChatModel(mind).reply(ASKED, tools=TOOLS, deadline_s=1, max_chars=100)
    assert reply == Reply("", wish)


async def test_silence_a_fault_and_babble_are_told_apart() -> None:
    with pytest.raises(RetryableError, match=r"did not answer within 0\.05 s"):
        await FrameworkChatModel(Mind(hangs=True)).reply(ASKED, deadline_s=0.05, max_chars=100)
    with pytest.raises(RetryableError, match=r"could not be asked \(ConnectionError\)"):
        await FrameworkChatModel(Broken()).reply(ASKED, deadline_s=1, max_chars=100)
    with pytest.raises(InvalidRequest, match="more than 10 characters"):
        await FrameworkChatModel(Mind("I could go on and on.")).reply(ASKED, deadline_s=1, max_chars=10)


async def test_whoever_asks_may_be_called_off() -> None:
    asking = asyncio.create_task(
        FrameworkChatModel(Mind(hangs=True)).reply(ASKED, deadline_s=60, max_chars=100)
    )
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
