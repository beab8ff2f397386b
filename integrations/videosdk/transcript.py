"""Transcript of a session, and its summary by a model of the session's process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, Literal

import structlog

from warmxfer.adapters.llm import summarize_transcript, without_reasoning
from warmxfer.adapters.rooms.videosdk.framework import ChatContext, ChatRole
from warmxfer.schemas import SUMMARY_MAX_CHARS, TranscriptTurn

ROLES: Final[dict[str, Literal["caller", "agent"]]] = {"user": "caller", "assistant": "agent"}
ATTEMPTS: Final = 2
"""How often the model is asked for a summary: upstream asks again after an error or an empty answer."""

MAX_CHARS: Final = 10 * SUMMARY_MAX_CHARS
"""Maximum length of an answer with its reasoning."""

log = structlog.get_logger(__name__)


def turns_of(session: Any) -> list[TranscriptTurn]:
    """Return the turns so far, oldest first; empty once the session is closed."""
    items = session.get_context_history(include_function_calls=False, include_system_messages=False)
    return [turn for item in items if (turn := _turn(item))]


async def summarize(model: Any, turns: list[TranscriptTurn], prompt: str) -> str:
    """Return the summary of `turns` by `model` (a framework's LLM), cut to `SUMMARY_MAX_CHARS`.

    Reasoning in the answer is left out. Asks again if the model fails or says nothing; returns "" if that
    happens each time. Never raises. The caller of this function sets the deadline of all attempts.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if summary := await _ask(model, turns, prompt):
                return summary
            log.warning("session_model_failed", attempt=attempt, error="empty answer")
        except Exception as error:  # a vendor's model may raise anything
            log.warning("session_model_failed", attempt=attempt, error=type(error).__name__)
    return ""


async def _ask(model: Any, turns: list[TranscriptTurn], prompt: str) -> str:
    context = ChatContext.empty()
    context.add_message(role=ChatRole.SYSTEM, content=prompt)
    context.add_message(role=ChatRole.USER, content=summarize_transcript(turns))
    summary = ""
    async with aclosing(_texts(model.chat(context))) as texts:
        async for text in texts:
            summary += text
            if len(summary) > MAX_CHARS:
                break
    return without_reasoning(summary).strip()[:SUMMARY_MAX_CHARS]


async def _texts(chunks: AsyncIterator[Any]) -> AsyncGenerator[str, None]:
    async for chunk in chunks:
        yield getattr(chunk, "content", None) or ""


def _turn(item: dict[str, Any]) -> TranscriptTurn | None:
    role = ROLES.get(item.get("role", ""))
    content = item.get("content")
    parts = content if isinstance(content, list) else [content]
    text = " ".join(part for part in parts if isinstance(part, str)).strip()
    return TranscriptTurn(role, text) if role and text and item.get("type") == "message" else None
