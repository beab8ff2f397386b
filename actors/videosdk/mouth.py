"""Speaking on the session: a line the caller cannot cut, and a line they can.

A firm line does not go through `say()`, which would take input again. It is the session's current
utterance, because that is what barge-in looks at. And it ends the turn that is running a tool: a turn that
waits for its tool holds the speech synthesiser, and the line would be said when the tool is done, which for
a tool that waits for the transfer is after the caller has left.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from .framework import ChatRole, UtteranceHandle, pipeline_of


async def say_firmly(session: Any, text: str) -> None:
    """Say `text` behind what is being said; return when it was said. Cancelling stops it."""
    pipeline, agent = pipeline_of(session), getattr(session, "agent", None)
    if pipeline is None or agent is None or session._is_room_disconnected():
        return
    _end_turn_in_tool(session)
    agent.chat_context.add_message(role=ChatRole.ASSISTANT, content=text)
    line = UtteranceHandle(f"warmxfer_{secrets.token_hex(4)}", interruptible=False)
    session.current_utterance = line
    try:
        await pipeline.send_message(text, handle=line)
        await line
    except asyncio.CancelledError:
        await _stop_speech(pipeline)
        raise
    finally:
        if not line.done():
            line.interrupt(force=True)
        # Left in place it would shield from barge-in whatever is said next.
        if session.current_utterance is line:
            session.current_utterance = None


async def say_softly(session: Any, text: str) -> None:
    """Say `text` as the session itself would; return when it was said or cut. Cancelling stops it."""
    if pipeline_of(session) is None:
        return
    try:
        await session.say(text, interruptible=True)
    except asyncio.CancelledError:
        await _stop_speech(pipeline_of(session))
        raise


def _end_turn_in_tool(session: Any) -> None:
    turn = getattr(session, "current_utterance", None)
    if getattr(session, "_is_executing_tool", False) and turn is not None and not turn.done():
        turn.interrupt(force=True)


async def _stop_speech(pipeline: Any) -> None:
    """Stop what is being said, and nothing else: interrupting the pipeline would cancel a running tool."""
    speaker = (
        getattr(getattr(pipeline, "orchestrator", None), "speech_generation", None)
        or getattr(pipeline, "speech_generation", None)
        or getattr(pipeline, "_realtime_model", None)
    )
    if speaker is not None:
        await speaker.interrupt()
