"""The framework's LLM as a chat model of ours: the one that came with the pipeline may judge.

It only ever answers: its tools are wishes that are read, and nothing here carries one out.
"""

# pyright: reportMissingImports=false
# The extra is not installed where the rest of the house is type-checked.

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from videosdk.agents import ChatContext, ChatRole, function_tool
from videosdk.agents.utils import get_tool_info

from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError

from ...llm import Message, Reply, Tool, ToolCall

ROLES = {"system": ChatRole.SYSTEM, "user": ChatRole.USER, "assistant": ChatRole.ASSISTANT}


class FrameworkChatModel:
    """`ChatModel` over a framework's LLM, which whoever made it closes."""

    def __init__(self, llm: Any) -> None:
        self._llm = llm

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        try:
            async with asyncio.timeout(deadline_s):
                return await self._ask(messages, tools, max_chars)
        except TimeoutError:
            raise RetryableError(f"The model did not answer within {deadline_s:.3g} s") from None
        except WarmxferError:
            raise
        except Exception as error:  # a vendor's client: it may fail in any way
            raise RetryableError(f"The model could not be asked ({type(error).__name__})") from error

    async def aclose(self) -> None:
        """Nothing of ours is open."""

    async def _ask(self, messages: Sequence[Message], tools: Sequence[Tool], max_chars: int) -> Reply:
        context = ChatContext.empty()
        for message in messages:
            context.add_message(role=ROLES[message.role], content=message.content)
        text, call = "", None
        chunks = self._llm.chat(context, tools=[_offered(tool) for tool in tools])
        async with aclosing(chunks):
            async for chunk in chunks:
                text += chunk.content or ""
                call = call or _called(chunk.metadata)
                if len(text) > max_chars:
                    raise InvalidRequest(f"The model said more than {max_chars} characters")
        return Reply(text, call)


def _offered(tool: Tool) -> Any:
    """`tool` as the framework describes its own; calling it does nothing."""

    async def wish(**_: Any) -> None:
        return None

    offered = function_tool(wish, name=tool.name)
    info = get_tool_info(offered)
    info.description, info.parameters_schema = tool.description, tool.parameters
    return offered


def _called(metadata: Any) -> ToolCall | None:
    match metadata:
        case {"function_call": {"name": str(name), "arguments": dict(arguments)}}:
            return ToolCall(name, arguments)
        case {"function_call": {"name": str(name), "arguments": str(arguments)}}:
            try:
                return ToolCall(name, msgspec.json.decode(arguments or "{}", type=dict[str, Any]))
            except msgspec.DecodeError:
                return ToolCall(name, {})
        case {"function_call": {"name": str(name)}}:
            return ToolCall(name, {})
    return None
