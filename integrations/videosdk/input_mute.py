"""The session's ears, closed for good while the caller is on hold.

The framework drops a caller's words while `_accept_user_input` is False, and sets it True again in every
`say()`, `reply()` and `start()`; a realtime model never asks. So a session on hold wears a veil: a subclass
of its own class in which the flag reads False whatever is written to it. What is written meanwhile is what
counts when the veil falls, so a session that was still starting is not left deaf. Beside it the caller's
audio is kept out of the pipeline: a realtime model gets none, speech recognition gets silence, because many
recognisers hang up on a line that carries nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from warmxfer.adapters.rooms.videosdk.framework import is_realtime, pipeline_of

FLAG = "_accept_user_input"
WAKE_UP = "_reset_wake_up_timer"
INPUT = "on_audio_delta"
MUTED_CLASS_NAME = "_warmxfer_worn_over"
MAX_KINDS = 64

Hearing = Callable[[bytes], Awaitable[None]]


class InputMute:
    """The ears of one session. Closing or opening twice does nothing."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._plugged: Any = None
        self._replaced: Any = None

    def mute(self) -> None:
        """Take no input, and ask nobody whether they are still there. Raises `TypeError` if it cannot."""
        if not on_hold(self._session):
            self._session._pause_wake_up_timer()
            self._session.__class__ = _muted_class(type(self._session))
        self._plug()

    def unmute(self) -> None:
        """Take input again as the framework wants it by now."""
        self._unplug()
        if on_hold(self._session):
            self._session.__class__ = getattr(type(self._session), MUTED_CLASS_NAME)
            self._session._reset_wake_up_timer("released")

    def _plug(self) -> None:
        pipeline = pipeline_of(self._session)
        if pipeline is None or self._plugged is pipeline:
            return
        self._unplug()
        self._plugged, self._replaced = pipeline, vars(pipeline).get(INPUT)
        setattr(pipeline, INPUT, _silenced(getattr(pipeline, INPUT), goes_to_model(pipeline)))

    def _unplug(self) -> None:
        pipeline, self._plugged = self._plugged, None
        if pipeline is None:
            return
        if self._replaced is None:
            vars(pipeline).pop(INPUT, None)
        else:
            setattr(pipeline, INPUT, self._replaced)


def on_hold(session: Any) -> bool:
    """Whether the session wears the veil."""
    return hasattr(type(session), MUTED_CLASS_NAME)


def goes_to_model(pipeline: Any) -> bool:
    """Whether the caller's audio goes straight into a realtime model, past any recogniser of ours."""
    mode = getattr(getattr(pipeline, "config", None), "realtime_mode", None)
    return is_realtime(pipeline) and getattr(mode, "value", mode) != "hybrid_stt"


@lru_cache(MAX_KINDS)
def _muted_class(kind: type) -> type:
    def read(self: Any) -> bool:
        return False

    def write(self: Any, value: bool) -> None:
        vars(self)[FLAG] = value

    def sleep_on(self: Any, source: str = "unknown") -> None:
        """Nobody on hold is asked whether they are still there."""

    return type(
        kind.__name__,
        (kind,),
        {FLAG: property(read, write), WAKE_UP: sleep_on, MUTED_CLASS_NAME: kind, "__doc__": kind.__doc__},
    )


def _silenced(hear: Hearing, to_model: bool) -> Hearing:
    async def hear_nothing(audio: bytes) -> None:
        if not to_model:
            await hear(bytes(len(audio)))

    return hear_nothing
