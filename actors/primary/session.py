"""`Session`: what a voice-agent framework provides for one live call; and how warmxfer calls it.

Invariant: the protocol has few methods, and every framework can provide them. Its only types of warmxfer
are `PhaseChanged` and `TranscriptTurn`. An adapter is about thirty lines (examples/attach_your_agent.py).

Every method may be called twice, and after the call has ended; then it does nothing. `guarded_call` puts a
deadline around each call, so an adapter needs none.

Room events go the other way: the framework calls `participant_left`, `audio_enabled` and `closed` of the
`Attachment` that `attach` returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog

from warmxfer.schemas import PhaseChanged, TranscriptTurn

from ..common.contained_call import contained

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Session(Protocol):
    """One live call between an AI agent and a caller, in the process of the agent."""

    @property
    def room_id(self) -> str:
        """The room of the call."""
        ...

    @property
    def caller_participant_id(self) -> str | None:
        """The caller's participant id in that room; None if the caller is absent or unknown."""
        ...

    async def mute(self) -> None:
        """Stop taking input from the caller. Input from now on is dropped, not kept for later."""
        ...

    async def unmute(self) -> None:
        """Take input from the caller again."""
        ...

    async def suspend_auto_end(self) -> None:
        """Keep the session open even if every other participant leaves the room."""
        ...

    async def restore_auto_end(self) -> None:
        """Undo `suspend_auto_end`. If all others have left meanwhile, end the session after a few seconds.

        A caller who was moved and is returned may join a few seconds after this call.
        """
        ...

    async def say(self, text: str, *, interruptible: bool) -> None:
        """Speak `text` after the current utterance. Blocks until the speech ends or is interrupted.

        `interruptible` False: the caller cannot interrupt it, and speaking must not unmute them. Cancelling
        the call stops the speech.
        """
        ...

    async def history(self) -> list[TranscriptTurn]:
        """Return the conversation so far, oldest turn first, without tool calls and prompts."""
        ...

    async def summarize(self, prompt: str) -> str | None:
        """Return a summary by the session's own model; None if it has none."""
        ...

    async def leave(self) -> None:
        """Leave the call for good: the caller is connected to the supervisor."""
        ...

    async def on_phase(self, phase: PhaseChanged) -> None:
        """Receive a phase of the transfer. Called once per phase, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The result of a call that returned in time."""

    value: T


async def guarded_call(
    step: str, call: Callable[[], Awaitable[T]], timeout_s: float, *, log_failure: bool = True
) -> Done[T] | None:
    """Await `call()` for at most `timeout_s`. Returns None, and logs `step`, if it raises or is late.

    A framework may raise any exception, and its text may quote the conversation. So only the exception's type
    is logged; not with `log_failure` False, for a call that is repeated.
    """
    try:
        return Done(await contained(call, timeout_s))
    except TimeoutError:
        if log_failure:
            log.error("session_call_timed_out", step=step, timeout_s=timeout_s)
    except Exception as error:
        if log_failure:
            log.error("session_call_failed", step=step, error=type(error).__name__)
    return None
