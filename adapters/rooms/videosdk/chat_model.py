"""`ChatModel` over a framework's LLM: the LLM that came with the pipeline classifies replies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError

from ...llm import Message, Reply, Tool, ToolCall, without_reasoning
from .framework import ChatContext, ChatRole, make_tool

ROLES = {"system": ChatRole.SYSTEM, "user": ChatRole.USER, "assistant": ChatRole.ASSISTANT}


class FrameworkChatModel:
    """`ChatModel` over `llm`. The owner of `llm` closes it. Tool calls are returned, never executed."""

    def __init__(self, llm: Any) -> None:
        self._llm = llm

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        try:
            async with asyncio.timeout(deadline_s):
                return await self._request(messages, tools, max_chars)
        except TimeoutError:
            raise RetryableError(f"The model did not answer within {deadline_s:.3g} s") from None
        except WarmxferError:
            raise
        except Exception as error:  # a vendor's client may raise anything
            raise RetryableError(f"The model could not be asked ({type(error).__name__})") from error

    async def aclose(self) -> None:
        """Do nothing: this object opens nothing."""

    async def _request(self, messages: Sequence[Message], tools: Sequence[Tool], max_chars: int) -> Reply:
        context = ChatContext.empty()
        for message in messages:
            context.add_message(role=ROLES[message.role], content=message.content)
        text, call = "", None
        offered = [make_tool(tool.name, tool.description, tool.parameters) for tool in tools]
        chunks = self._llm.chat(context, tools=offered)
        async with aclosing(chunks):
            async for chunk in chunks:
                text += chunk.content or ""
                call = call or _tool_call(chunk.metadata)
                if len(text) > max_chars:
                    raise InvalidRequest(f"The model said more than {max_chars} characters")
        return Reply(without_reasoning(text), call)


def _tool_call(metadata: Any) -> ToolCall | None:
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
