"""`ChatModel` over a framework's LLM: the LLM that came with the pipeline classifies replies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError

from ...llm import Message, Reply, Tool, ToolCalls, without_reasoning
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
        text, calls, call_chars = "", ToolCalls([tool.name for tool in tools]), 0
        offered = [make_tool(tool.name, tool.description, tool.parameters) for tool in tools]
        chunks = self._llm.chat(context, tools=offered)
        async with aclosing(chunks):
            async for chunk in chunks:
                text += chunk.content or ""
                match chunk.metadata:
                    case {"function_call": {"name": str()} as function}:
                        call_chars += calls.add(function)
                if len(text) > max_chars or call_chars > max_chars:
                    raise InvalidRequest(f"The model said more than {max_chars} characters")
        return Reply(without_reasoning(text), calls.decided())
