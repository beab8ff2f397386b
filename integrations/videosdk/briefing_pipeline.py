"""What makes the pipeline of a briefing in this process: a function of the user's, or the primary's classes.

Two sessions that talk at the same time cannot share a component. So each class of the primary's is called
again, without arguments, as the original does when it is given no function.

The law of this file: what cannot brief is refused before anybody is rung. The sentence quotes what was
raised, for it stays in the process of the one who wrote that; it may hold a key, and is logged nowhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from warmxfer.adapters.rooms import PipelineFactory
from warmxfer.adapters.rooms.videosdk.framework import (
    Pipeline,
    WarmTransferConfig,
    is_pipeline,
    is_realtime,
    pipeline_of,
)
from warmxfer.adapters.rooms.videosdk.pipeline_check import check_pipeline
from warmxfer.schemas import InvalidRequest

from .prebuilt_pipeline import Make, PrebuiltPipeline, Stop

GIVEN: Final = "config.briefing_pipeline_factory"
BRIEF_BY: Final = "brief_by"
PARTS: Final = ("stt", "llm", "tts", "vad", "turn_detector")
SPOKEN: Final = ("stt", "tts")
"""Without these nothing is heard, or said word for word."""

MAX_TROUBLE_CHARS: Final = 200


@asynccontextmanager
async def pipeline_for(
    session: Any, config: WarmTransferConfig, *, brief_here: bool
) -> AsyncIterator[PipelineFactory | None]:
    """What makes the pipeline of each briefing in this process; None: a briefing worker has its own.

    The first is made already, and closed on leaving if nobody took it. Raises `Refused` for what cannot
    brief.
    """
    if config.briefing_pipeline_factory is None and not brief_here:
        yield None
        return
    given: Any = config.briefing_pipeline_factory
    spare = PrebuiltPipeline(_called(given) if given is not None else _anew(pipeline_of(session)))
    name, setting = ("session", BRIEF_BY) if given is None else (_name(given), GIVEN)
    factory = PipelineFactory(name, spare.take, setting, config.summary_llm, spare.scope)
    try:
        _prepare(spare, factory)
        yield factory
    finally:
        await spare.close()


def _prepare(spare: PrebuiltPipeline, factory: PipelineFactory) -> None:
    try:
        pipeline = spare.prepare()
    except InvalidRequest:
        raise
    except Exception as error:  # the user's own function: it may fail in any way
        raise factory.refused(f"which raised {_quoted(error)}; make it return a Pipeline") from error
    check_pipeline(factory, pipeline)


# ── two ways to make one ─────────────────────────────────────────────────────────────────────────


def _called(given: Any) -> Make:
    if not callable(given):
        trouble = "which cannot be called; give a function that returns a videosdk Pipeline"
        raise PipelineFactory(_name(given), given, GIVEN).refused(trouble)

    def make(stops: list[Stop]) -> Any:
        pipeline: Any = given()
        if is_pipeline(pipeline):
            stops.append(pipeline.cleanup)
        return pipeline

    return make


def _name(given: Any) -> str:
    return getattr(given, "__qualname__", type(given).__name__)


def _anew(primary: Any) -> Make:
    classes = _classes(primary)

    def make(stops: list[Stop]) -> Any:
        parts = dict[str, Any]()
        for part, kind in classes.items():
            parts[part] = _made(kind)
            stops.append(parts[part].aclose)
        return Pipeline(**parts)

    return make


def _classes(pipeline: Any) -> Mapping[str, type]:
    """The classes of the primary's components, by part."""
    if is_realtime(pipeline):
        raise _unfit("the session speaks through a realtime model, which says no briefing word for word")
    parts = {part: getattr(pipeline, part, None) for part in PARTS}
    if missing := [part for part in SPOKEN if parts[part] is None]:
        raise _unfit(f"the session's pipeline has no {' and no '.join(missing)}")
    return {part: type(component) for part, component in parts.items() if component is not None}


def _made(kind: type) -> Any:
    try:
        return kind()
    except Exception as error:  # a vendor's component: it may fail in any way
        raise _unfit(f"a {kind.__name__} cannot be made without arguments ({_quoted(error)})") from error


# ── refusing ─────────────────────────────────────────────────────────────────────────────────────


def _unfit(trouble: str) -> InvalidRequest:
    return InvalidRequest(
        f"{BRIEF_BY} is 'session', but {trouble}; pass a function that makes its pipeline: {GIVEN}.",
        field=BRIEF_BY,
    )


def _quoted(error: Exception) -> str:
    """What was raised, on one line."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}"[:MAX_TROUBLE_CHARS] if said else type(error).__name__
