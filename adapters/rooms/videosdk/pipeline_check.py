"""Checks of a briefing pipeline, before anything is said through it."""

from __future__ import annotations

from typing import Any

from ..settings import PipelineFactory
from .framework import is_pipeline


def check_pipeline(factory: PipelineFactory, pipeline: Any) -> Any:
    """Return `pipeline`, which `factory` made. Raises `InvalidRequest` if it cannot brief."""
    if not is_pipeline(pipeline):
        raise factory.refused(f"which returned a {type(pipeline).__name__}; return a videosdk Pipeline")
    if pipeline.config.is_realtime or pipeline.stt is None or pipeline.tts is None:
        raise factory.refused(
            "whose pipeline does not say its lines word for word; give it an stt and a tts, "
            "and no realtime model as its llm",
        )
    return pipeline


def make_pipeline(factory: PipelineFactory) -> Any:
    """Make and check a pipeline. Raises `InvalidRequest` without the text of the error that was raised.

    The sentence leaves the process, and the text may hold a key.
    """
    try:
        pipeline = factory.make()
    except Exception as error:  # the user's function may raise anything
        raise factory.refused(f"which raised {type(error).__name__}; make it return a Pipeline") from error
    return check_pipeline(factory, pipeline)
