"""A chat model that may hang, exceed its limit, refuse, fail, or call a tool without being asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from warmxfer.adapters.llm import Message, Reply, Tool, ToolCall
from warmxfer.schemas import InvalidRequest, RetryableError

if TYPE_CHECKING:
    from .world import World

SUMMARY = "Ann was charged twice for order 4417. She wants one charge refunded. Nothing was promised yet."
REFUSAL = "I'm sorry, but I can't help with that."


class SimModel:
    """The chat model of one process."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        strikes = self._world.faults.strikes
        if strikes("model_hangs"):
            await asyncio.sleep(deadline_s)
            raise RetryableError("the model did not reply in time")
        thinks_s = self._world.chance.uniform(*self._world.plan.thinks_s)
        if strikes("model_endless"):
            await asyncio.sleep(min(deadline_s, 2 * thinks_s))
            raise InvalidRequest(f"the model said more than {max_chars} characters")
        if thinks_s > deadline_s:
            await asyncio.sleep(deadline_s)
            raise RetryableError("the model did not reply in time")
        await asyncio.sleep(thinks_s)
        if strikes("model_fails"):
            raise RetryableError("the model replied 500")
        if strikes("model_refuses"):
            return Reply(REFUSAL)
        if tools:
            tool = self._world.chance.choice((None, None, "done_briefing"))
            return Reply("", ToolCall(tool, {}) if tool else None)
        return Reply(SUMMARY)

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""
