"""The door to `videosdk-agents`: what we import of it, and how we look into a session that may be closing.

The law of this file: a look never raises. `AgentSession.close()` takes agent and pipeline away, and
`JobContext.shutdown()` the room, at any moment; what is not there any more is None.
"""

# pyright: reportMissingImports=false
# The extra is not installed where the rest of the house is type-checked; aliases hold either way.

from __future__ import annotations

from typing import Any, TypeAlias

import videosdk.agents as agents
import videosdk.agents.event_bus as event_bus
import videosdk.agents.job as job
import videosdk.agents.warm_transfer as warm_transfer

ChatContext: TypeAlias = agents.ChatContext
ChatRole: TypeAlias = agents.ChatRole
Pipeline: TypeAlias = agents.Pipeline
UtteranceHandle: TypeAlias = agents.UtteranceHandle
SIPDestination: TypeAlias = warm_transfer.SIPDestination
WarmTransferConfig: TypeAlias = warm_transfer.WarmTransferConfig
WarmTransferPhase: TypeAlias = warm_transfer.WarmTransferPhase
WarmTransferResult: TypeAlias = warm_transfer.WarmTransferResult
OriginalError: TypeAlias = warm_transfer.WarmTransferError


def enter_session_scope() -> None:
    """In this context, events and metrics are those of a session of its own from now on, and no job's yet.

    What is made in a job's context puts itself in the place of the pipeline that job has.
    """
    job._enter_session_scope()
    job._set_current_job_context(None)


def context_of(session: Any) -> Any:
    """The session's `JobContext`, or None."""
    return getattr(session, "_job_context", None)


def room_of(session: Any) -> Any:
    """The handler of the room the session is in; None before connecting and after leaving."""
    return getattr(context_of(session), "room", None)


def room_id_of(session: Any) -> str | None:
    """The room's id; known once the job is connected."""
    options = getattr(context_of(session), "room_options", None)
    return getattr(room_of(session), "meeting_id", None) or getattr(options, "room_id", None)


def is_recorded(session: Any) -> bool:
    """Whether the room is recorded, however that was asked for: the framework has resolved its options."""
    return bool(getattr(room_of(session), "recording", False))


def pipeline_of(session: Any) -> Any:
    """The session's pipeline; None once it is closed."""
    return getattr(session, "pipeline", None)


def is_pipeline(thing: Any) -> bool:
    """Whether it is one of the framework's."""
    return isinstance(thing, Pipeline)


def is_realtime(pipeline: Any) -> bool:
    """Whether a realtime model stands in for LLM and speech."""
    return bool(getattr(getattr(pipeline, "config", None), "is_realtime", False))


def model_of(session: Any) -> Any:
    """The session's text model; None when it speaks through a realtime model, or is closed."""
    pipeline = pipeline_of(session)
    return None if is_realtime(pipeline) else getattr(pipeline, "llm", None)


def events_of(session: Any) -> Any:
    """The emitter that carries the session's room events and `WARM_TRANSFER`.

    The framework finds it by contextvar, which in a task of somebody else's is the whole process's. The
    pipeline keeps the one it was built with.
    """
    return getattr(pipeline_of(session), "_event_bus", None) or event_bus.get_current_event_bus()
