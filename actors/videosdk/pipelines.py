"""What makes the pipeline of a briefing in this process: a function of the user's, or the primary's classes.

Two sessions that talk at the same time cannot share a component. So each class of the primary's is called
again, without arguments, as the original does when it is given no function. Whether it can be is tried out
before anybody is rung; what was made for that is closed again. It blocks the loop for as long as that takes.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final
from weakref import WeakSet

import structlog

from warmxfer.actors.closing import closing
from warmxfer.actors.voices import PipelineFactory
from warmxfer.schemas import Refused

from .framework import Pipeline, WarmTransferConfig, enter_session_scope, is_realtime, pipeline_of

GIVEN: Final = "config.briefing_pipeline_factory"
BRIEF_BY: Final = "brief_by"
PARTS: Final = ("stt", "llm", "tts", "vad", "turn_detector")
SPOKEN: Final = ("stt", "tts")
"""Without these nothing is heard, or said word for word."""

CLOSE_TIMEOUT_S: Final = 2.0
MAX_TROUBLE_CHARS: Final = 200

log = structlog.get_logger(__name__)

_callable = WeakSet[type]()
"""What could be called without arguments once: not tried again in this process."""


async def pipeline_for(
    session: Any, config: WarmTransferConfig, *, brief_here: bool
) -> PipelineFactory | None:
    """What makes the pipeline of each briefing in this process; None: a briefing worker has its own.

    Raises `Refused` for what cannot brief.
    """
    factory: Any = config.briefing_pipeline_factory
    if factory is not None:
        given = PipelineFactory(_name(factory), factory, GIVEN, config.summary_llm)
        if not callable(factory):
            raise given.refused("which cannot be called; give a function that returns a videosdk Pipeline")
        return given
    if not brief_here:
        return None
    classes = _classes(pipeline_of(session))
    if not _callable.issuperset(classes.values()):
        await asyncio.create_task(_try_out(classes.values()), context=contextvars.copy_context())
        _callable.update(classes.values())
    return PipelineFactory("session", lambda: _anew(classes), BRIEF_BY, config.summary_llm)


def _name(factory: Any) -> str:
    return getattr(factory, "__qualname__", type(factory).__name__)


def _classes(pipeline: Any) -> Mapping[str, type]:
    """The classes of the primary's components, by part."""
    if is_realtime(pipeline):
        raise _unfit("the session speaks through a realtime model, which says no briefing word for word")
    parts = {part: getattr(pipeline, part, None) for part in PARTS}
    if missing := [part for part in SPOKEN if parts[part] is None]:
        raise _unfit(f"the session's pipeline has no {' and no '.join(missing)}")
    return {part: type(component) for part, component in parts.items() if component is not None}


def _anew(classes: Mapping[str, type]) -> Any:
    return Pipeline(**{part: _made(kind) for part, kind in classes.items()})


def _made(kind: type) -> Any:
    try:
        return kind()
    except Exception as error:  # a vendor's component: it may fail in any way
        trouble = f"{type(error).__name__}: {error}"[:MAX_TROUBLE_CHARS]
        raise _unfit(f"a {kind.__name__} cannot be made without arguments ({trouble})") from error


def _unfit(trouble: str) -> Refused:
    return Refused(
        f"{BRIEF_BY} is 'session', but {trouble}; pass a function that makes its pipeline: {GIVEN}.",
        field=BRIEF_BY,
    )


# ── trying out ───────────────────────────────────────────────────────────────────────────────────


async def _try_out(classes: Iterable[type]) -> None:
    """Make one of each, in a scope of the framework's that is nobody's, and close them."""
    enter_session_scope()
    made: list[Any] = []
    try:
        for kind in classes:
            made.append(_made(kind))
    finally:
        await _close(part.aclose for part in made)


async def _close(stops: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    with closing():
        closings = [asyncio.create_task(stop()) for stop in stops]
        late = (await asyncio.wait(closings, timeout=CLOSE_TIMEOUT_S))[1] if closings else ()
    for task in closings:
        if task in late:
            task.cancel()
            log.warning("part_not_closed", timeout_s=CLOSE_TIMEOUT_S)
        elif error := task.exception():
            log.warning("part_not_closed", error=type(error).__name__)
