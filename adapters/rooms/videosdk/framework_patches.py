"""Changes to the framework at run time: garbage collection, server list, input on hold, requested transfers.

Read in `videosdk-agents` 1.0.30; see `framework.py`.
"""

# pyright: reportMissingImports=false
# The extra `videosdk` may be missing where the rest is type-checked.

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any

import videosdk.utils as library

from .framework import AgentSession, UpstreamRunner, parts_of_runner, pause_wake_up, restart_wake_up
from .framework_speech import queue_behind_line, sends_audio_to_model

# ── garbage collection ───────────────────────────────────────────────────────────────────────────

_is_closing: ContextVar[bool] = ContextVar("is_closing", default=False)
_collect = gc.collect
_closings = 0


@contextmanager
def without_gc_collect() -> Iterator[None]:
    """Make `gc.collect()` do nothing in this task and the tasks that it starts; other tasks still collect.

    The framework collects the garbage of the whole process, on the loop, for each component and chat context
    that it closes. With fifty live sessions one collection takes about 30 ms, and a session needs several.
    Many callers who are transferred at once would stop all speech for seconds. Python's own collections still
    run.
    """
    global _closings
    _closings += 1
    gc.collect = _collect_unless_closing
    token = _is_closing.set(True)
    try:
        yield
    finally:
        _is_closing.reset(token)
        _closings -= 1
        if _closings == 0:
            gc.collect = _collect


def _collect_unless_closing(generation: int = 2) -> int:
    return 0 if _is_closing.get() else _collect(generation)


# ── the request for the server list ──────────────────────────────────────────────────────────────


def answer_server_requests(known: Callable[[], Any]) -> None:
    """Let `videosdk.utils` take the server list from `known` (videosdk 0.4.1).

    If `known` returns None, the library sends its own request: blocking, and without a deadline.
    """
    requests = library.requests

    class KnownServers:
        """The part of `requests` that the library uses."""

        RequestException = requests.RequestException

        @staticmethod
        def post(url: str, **question: Any) -> Any:
            return known() or requests.post(url, **question)

    library.requests = KnownServers


# ── requested transfers ──────────────────────────────────────────────────────────────────────────

Requested = Callable[[Any, Any], Awaitable[Any]]
"""Carries out a transfer of a session by a configuration."""


def divert_transfers(ours: Callable[[Any, Any], bool], transfer: Requested, run: Requested) -> None:
    """Carry out by `transfer` and `run` the transfers that are `ours`; upstream carries out the others.

    `transfer` replaces `AgentSession.warm_transfer`, `run` replaces `WarmTransferRunner.run`. A subclass of
    the runner keeps its own `run`: it changes parts that only upstream has.
    """
    upstream_transfer, upstream_run = AgentSession.warm_transfer, UpstreamRunner.run

    @wraps(upstream_transfer)
    async def warm_transfer(self: Any, config: Any) -> Any:
        return await (transfer(self, config) if ours(self, config) else upstream_transfer(self, config))

    @wraps(upstream_run)
    async def run_transfer(self: Any) -> Any:
        session, config = parts_of_runner(self)
        diverted = type(self) is UpstreamRunner and ours(session, config)
        return await (run(session, config) if diverted else upstream_run(self))

    AgentSession.warm_transfer = warm_transfer
    UpstreamRunner.run = run_transfer


# ── input on hold ────────────────────────────────────────────────────────────────────────────────

ACCEPTS_INPUT = "_accept_user_input"
WAKE_UP = "_reset_wake_up_timer"
SAY = "say"
AUDIO_INPUT = "on_audio_delta"
ORIGINAL_CLASS = "_warmxfer_original_class"
MAX_CLASSES = 64

AudioInput = Callable[[bytes], Awaitable[None]]


def mute_session(session: Any) -> None:
    """Make the session drop the caller's words and stop its wake-up timer (1.0.30). Idempotent.

    The framework drops words while `_accept_user_input` is False. It sets the flag to True in each `say()`,
    `reply()` and `start()`. So the session's class is replaced by a subclass whose flag always reads False.
    Writes to the flag are kept, and count after `unmute_session`: a session that was starting accepts input
    then. Raises `TypeError` if the class cannot be replaced.

    `say()` of a muted session does not interrupt a line that cannot be interrupted: it is said after that
    line. Without this it raises `RuntimeError` in the code of its caller, who does not know of the hold line.
    """
    if not is_muted(session):
        pause_wake_up(session)
        session.__class__ = _muted_class(type(session))


def unmute_session(session: Any) -> None:
    """Undo `mute_session`. Idempotent."""
    if is_muted(session):
        session.__class__ = getattr(type(session), ORIGINAL_CLASS)
        restart_wake_up(session)


def is_muted(session: Any) -> bool:
    """Return whether the session's class is a muted one."""
    return hasattr(type(session), ORIGINAL_CLASS)


def silence_audio_input(pipeline: Any) -> Any:
    """Keep the caller's audio out of the pipeline; return what `restore_audio_input` needs (1.0.30).

    A realtime model gets no audio. Speech recognition gets silence: many recognisers close a connection that
    carries nothing.
    """
    replaced = vars(pipeline).get(AUDIO_INPUT)
    silenced = _silenced(getattr(pipeline, AUDIO_INPUT), sends_audio_to_model(pipeline))
    setattr(pipeline, AUDIO_INPUT, silenced)
    return replaced


def restore_audio_input(pipeline: Any, replaced: Any) -> None:
    """Undo `silence_audio_input`."""
    if replaced is None:
        vars(pipeline).pop(AUDIO_INPUT, None)
    else:
        setattr(pipeline, AUDIO_INPUT, replaced)


@lru_cache(MAX_CLASSES)
def _muted_class(original: Any) -> type:
    def read(self: Any) -> bool:
        return False

    def write(self: Any, value: bool) -> None:
        vars(self)[ACCEPTS_INPUT] = value

    async def say(self: Any, *args: Any, **options: Any) -> Any:
        queue_behind_line(self)
        return await original.say(self, *args, **options)

    def do_not_wake_up(self: Any, source: str = "unknown") -> None:
        """Do not ask a caller on hold whether they are still there."""

    return type(
        original.__name__,
        (original,),
        {
            ACCEPTS_INPUT: property(read, write),
            WAKE_UP: do_not_wake_up,
            SAY: say,
            ORIGINAL_CLASS: original,
            "__doc__": original.__doc__,
        },
    )


def _silenced(process: AudioInput, to_model: bool) -> AudioInput:
    async def process_silence(audio: bytes) -> None:
        if not to_model:
            await process(bytes(len(audio)))

    return process_silence
