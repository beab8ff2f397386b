"""The pipeline of a briefing in this process: from the user's function, or from the session's classes.

Two sessions that speak at the same time cannot share a component. So each class of the session's pipeline is
called again without arguments, as upstream does when it gets no function.

Invariants:

- A pipeline that cannot brief is refused before a phone rings.
- The refusal quotes the error of the user's function, because it stays in the user's process. The quote may
  hold a key, so it is not logged.
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

from .prebuilt_pipeline import Close, Make, PrebuiltPipeline

FACTORY_FIELD: Final = "config.briefing_pipeline_factory"
BRIEF_BY: Final = "brief_by"
PARTS: Final = ("stt", "llm", "tts", "vad", "turn_detector")
REQUIRED_PARTS: Final = ("stt", "tts")
"""Without them the briefing agent cannot listen, or cannot say its lines word for word."""

MAX_ERROR_CHARS: Final = 200


@asynccontextmanager
async def pipeline_for(
    session: Any, config: WarmTransferConfig, *, brief_here: bool
) -> AsyncIterator[PipelineFactory | None]:
    """Yield the factory of each briefing's pipeline in this process; None if a briefing worker briefs.

    The first pipeline is made on entering, and closed on leaving if it was not used. Raises `InvalidRequest`
    if it cannot brief.
    """
    if config.briefing_pipeline_factory is None and not brief_here:
        yield None
        return
    given: Any = config.briefing_pipeline_factory
    make = _by_function(given) if given is not None else _by_classes(pipeline_of(session))
    prebuilt = PrebuiltPipeline(make)
    name, setting = ("session", BRIEF_BY) if given is None else (_name(given), FACTORY_FIELD)
    factory = PipelineFactory(
        name, prebuilt.take, setting, config.summary_llm, prebuilt.scope, prebuilt.give_back
    )
    try:
        _prepare(prebuilt, factory)
        yield factory
    finally:
        await prebuilt.close()


def _prepare(prebuilt: PrebuiltPipeline, factory: PipelineFactory) -> None:
    try:
        pipeline = prebuilt.prepare()
    except InvalidRequest:
        raise
    except Exception as error:  # the user's function may raise anything
        raise factory.refused(f"which raised {_quoted(error)}; make it return a Pipeline") from error
    check_pipeline(factory, pipeline)


# ── the two ways to make one ─────────────────────────────────────────────────────────────────────


def _by_function(given: Any) -> Make:
    if not callable(given):
        problem = "which cannot be called; give a function that returns a videosdk Pipeline"
        raise PipelineFactory(_name(given), given, FACTORY_FIELD).refused(problem)

    def make(closes: list[Close]) -> Any:
        pipeline: Any = given()
        if is_pipeline(pipeline):
            closes.append(pipeline.cleanup)
        return pipeline

    return make


def _name(given: Any) -> str:
    return getattr(given, "__qualname__", type(given).__name__)


def _by_classes(session_pipeline: Any) -> Make:
    classes = _classes(session_pipeline)

    def make(closes: list[Close]) -> Any:
        parts = dict[str, Any]()
        for part, component_class in classes.items():
            parts[part] = _instance(component_class)
            closes.append(parts[part].aclose)
        return Pipeline(**parts)

    return make


def _classes(pipeline: Any) -> Mapping[str, type]:
    """Return the classes of the components, by part. Raises `InvalidRequest` if they cannot brief."""
    if is_realtime(pipeline):
        raise _refused("the session speaks through a realtime model, which says no briefing word for word")
    parts = {part: getattr(pipeline, part, None) for part in PARTS}
    if missing := [part for part in REQUIRED_PARTS if parts[part] is None]:
        raise _refused(f"the session's pipeline has no {' and no '.join(missing)}")
    return {part: type(component) for part, component in parts.items() if component is not None}


def _instance(component_class: type) -> Any:
    try:
        return component_class()
    except Exception as error:  # a vendor's component may raise anything
        name = component_class.__name__
        raise _refused(f"a {name} cannot be made without arguments ({_quoted(error)})") from error


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def _refused(problem: str) -> InvalidRequest:
    return InvalidRequest(
        f"{BRIEF_BY} is 'session', but {problem}; pass a function that makes its pipeline: {FACTORY_FIELD}.",
        field=BRIEF_BY,
    )


def _quoted(error: Exception) -> str:
    """Return the error's class and text on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:MAX_ERROR_CHARS] if text else type(error).__name__
