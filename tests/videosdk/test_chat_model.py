"""The framework's LLM as a `ChatModel`: messages, tool calls and deadlines."""

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

from .offline import ScriptedLLM

MESSAGES = [
    Message("system", "Judge."),
    Message("assistant", "Are you ready?"),
    Message("user", "Yes."),
]


class RecordingLLM(ScriptedLLM):
    """Keeps the tools that it was offered."""

    offered: list[Any]

    async def chat(self, messages: Any, tools: Any = None, **options: Any) -> AsyncIterator[LLMResponse]:
        self.offered = tools
        async for chunk in super().chat(messages):
            yield chunk


class BrokenLLM(ScriptedLLM):
    async def chat(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        yield LLMResponse(content="I", role=ChatRole.ASSISTANT)
        raise ConnectionError("no vendor today")


async def test_messages_and_tools_reach_the_llm() -> None:
    llm = RecordingLLM("Yes, they are.")
    reply = await FrameworkChatModel(llm).reply(MESSAGES, tools=TOOLS, deadline_s=1, max_chars=100)
    assert reply == Reply("Yes, they are.")
    requests = [(item["role"], item["content"]) for item in llm.requests[0]]
    assert requests == [("system", ["Judge."]), ("assistant", ["Are you ready?"]), ("user", ["Yes."])]
    schemas = [build_openai_schema(tool) for tool in llm.offered]
    assert [(each["name"], each["description"], each["parameters"]) for each in schemas] == [
        (tool.name.value, tool.description, tool.parameters) for tool in TOOLS
    ]


@pytest.mark.parametrize(
    ("called", "tool_call"),
    [
        ({"reason": "busy"}, ToolCall("decline_transfer", {"reason": "busy"})),
        ('{"reason": "busy"}', ToolCall("decline_transfer", {"reason": "busy"})),
        ("", ToolCall("decline_transfer", {})),
        ("not json", ToolCall("decline_transfer", {})),
        (None, ToolCall("decline_transfer", {})),
    ],
)
async def test_a_tool_call_is_returned(called: Any, tool_call: ToolCall) -> None:
    llm = ScriptedLLM(("decline_transfer", called))
    reply = await FrameworkChatModel(llm).reply(MESSAGES, tools=TOOLS, deadline_s=1, max_chars=100)
    assert reply == Reply("", tool_call)


class SeveralCallsLLM(ScriptedLLM):
    """Calls several tools in one answer, in pieces as frameworks send them."""

    def __init__(self, *calls: tuple[str, Any]) -> None:
        super().__init__()
        self._calls = calls

    async def chat(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        for name, arguments in self._calls:
            call = {"name": name, "arguments": arguments}
            yield LLMResponse(content="", role=ChatRole.ASSISTANT, metadata={"function_call": call})


@pytest.mark.parametrize(
    ("called", "tool_call"),
    [
        ([("done_briefing", {}), ("decline_transfer", {"reason": "busy"})], None),
        ([("decline_transfer", {"reason": "busy"}), ("done_briefing", "{}")], None),
        ([("done_briefing", ""), ("done_briefing", '{"language": "en"}')], {"language": "en"}),
    ],
)
async def test_a_model_that_says_yes_and_no_has_not_decided(
    called: list[tuple[str, Any]], tool_call: dict[str, Any] | None
) -> None:
    llm = SeveralCallsLLM(*called)
    reply = await FrameworkChatModel(llm).reply(MESSAGES, tools=TOOLS, deadline_s=1, max_chars=100)
    assert reply.call == (None if tool_call is None else ToolCall("done_briefing", tool_call))


async def test_a_timeout_an_error_and_an_endless_reply_raise_different_errors() -> None:
    with pytest.raises(RetryableError, match=r"did not answer within 0\.05 s"):
        await FrameworkChatModel(ScriptedLLM(hangs=True)).reply(MESSAGES, deadline_s=0.05, max_chars=100)
    with pytest.raises(RetryableError, match=r"could not be asked \(ConnectionError\)"):
        await FrameworkChatModel(BrokenLLM()).reply(MESSAGES, deadline_s=1, max_chars=100)
    with pytest.raises(InvalidRequest, match="more than 10 characters"):
        await FrameworkChatModel(ScriptedLLM("I could go on and on.")).reply(
            MESSAGES, deadline_s=1, max_chars=10
        )
    with pytest.raises(InvalidRequest, match="more than 100 characters"):
        await FrameworkChatModel(ScriptedLLM(("decline_transfer", "{" * 200))).reply(
            MESSAGES, tools=TOOLS, deadline_s=1, max_chars=100
        )


async def test_a_request_can_be_cancelled() -> None:
    requesting = asyncio.create_task(
        FrameworkChatModel(ScriptedLLM(hangs=True)).reply(MESSAGES, deadline_s=60, max_chars=100)
    )
    await asyncio.sleep(0.01)
    requesting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await requesting
