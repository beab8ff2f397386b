"""The port to a voice-agent framework: what a live call must be able to do to take part in a transfer.

The law of this file: a handful of methods that any framework has, and no word of ours among them. An
adapter is about thirty lines. Every method may be called twice, and after the call has ended; then it does
nothing. The proxy puts its own deadline around each, so an adapter never needs one.

What happens in the room goes the other way: the framework calls `participant_left`, `audio_enabled` and
`closed` on the `Attachment` that `attach` gave it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog

from warmxfer.schemas import PhaseChanged, TranscriptTurn

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Session(Protocol):
    """One live call between an AI agent and a caller, in the process of the agent."""

    @property
    def room_id(self) -> str:
        """The room in which the two talk."""
        ...

    @property
    def caller_participant_id(self) -> str | None:
        """The caller's participant id in that room; None when they are not in it, or nobody can tell."""
        ...

    async def mute(self) -> None:
        """Stop taking input from the caller. What they say from now on is dropped, not kept for later."""
        ...

    async def unmute(self) -> None:
        """Take input from the caller again."""
        ...

    async def suspend_auto_end(self) -> None:
        """Do not end the session by yourself, whoever leaves the room."""
        ...

    async def restore_auto_end(self) -> None:
        """Undo `suspend_auto_end`, and look again: when everybody has left meanwhile, end, but not at once.

        A caller who was moved away and is brought back may come a few seconds after this.
        """
        ...

    async def say(self, text: str, *, interruptible: bool) -> None:
        """Speak `text` behind what is being said now; return when it was said, or cut short.

        `interruptible` False: the caller cannot cut it, and speaking must not unmute. Cancelling the call
        stops the speech.
        """
        ...

    async def history(self) -> list[TranscriptTurn]:
        """What the two said so far, oldest first; nothing of tools and prompts."""
        ...

    async def summarize(self, prompt: str) -> str | None:
        """The conversation, summarised by the session's own model; None when it has none."""
        ...

    async def leave(self) -> None:
        """Leave the call for good: the caller is with a person now."""
        ...

    async def on_phase(self, phase: PhaseChanged) -> None:
        """The transfer moved on: called once per phase, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """It was done in time, with this result."""

    value: T


async def guarded_call(step: str, call: Callable[[], Awaitable[T]], timeout_s: float) -> Done[T] | None:
    """`await call()` within `timeout_s`; None when it was late or raised, which is logged under `step`."""
    try:
        async with asyncio.timeout(timeout_s):
            return Done(await call())
    except TimeoutError:
        log.error("session_call_timed_out", step=step, timeout_s=timeout_s)
    except Exception as error:
        log.error("session_call_failed", step=step, error=type(error).__name__)
    return None
