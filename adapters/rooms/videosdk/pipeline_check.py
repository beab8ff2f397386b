"""A pipeline as its maker made it: looked at before anybody is spoken to through it."""

# pyright: reportMissingImports=false
# The extra is not installed where the rest of the house is type-checked.

from __future__ import annotations

from typing import Any

from videosdk.agents import Pipeline

from ..settings import PipelineFactory


def check_pipeline(factory: PipelineFactory, pipeline: Any) -> Any:
    """`pipeline`, which `factory` made; raises `Refused` for one that cannot brief."""
    if not isinstance(pipeline, Pipeline):
        raise factory.refused(f"which returned a {type(pipeline).__name__}; return a videosdk Pipeline")
    if pipeline.config.is_realtime or pipeline.stt is None or pipeline.tts is None:
        raise factory.refused(
            "whose pipeline does not say what it is told word for word; give it an stt and a tts, and an llm "
            "that is no realtime model, if any",
        )
    return pipeline


def make_pipeline(factory: PipelineFactory) -> Any:
    """What `factory` makes now; raises `Refused`, which travels: it does not repeat what was raised."""
    try:
        pipeline = factory.make()
    except Exception as error:  # the user's own function: it may fail in any way
        raise factory.refused(f"which raised {type(error).__name__}; make it return a Pipeline") from error
    return check_pipeline(factory, pipeline)
