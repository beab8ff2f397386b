"""The parts of `videosdk-agents` that warmxfer uses. Undocumented names were read in version 1.0.30.

Invariants:

- Only this file, `framework_speech.py` and `framework_patches.py` use a name of the framework that starts
  with an underscore. `tests/videosdk/test_framework_access.py` holds this.
- The functions that end in `_of` never raise. `AgentSession.close()` removes agent and pipeline at any
  moment, `JobContext.shutdown()` removes the room. A part that is gone is None.
"""

# pyright: reportMissingImports=false
# The extra `videosdk` may be missing where the rest is type-checked; aliases hold either way.

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeAlias, cast

import videosdk.agents as agents
import videosdk.agents.event_bus as event_bus
import videosdk.agents.job as job
import videosdk.agents.room.participant_event_handler as participant_event_handler
import videosdk.agents.room.room as room_handler
import videosdk.agents.utils as utils
import videosdk.agents.warm_transfer as warm_transfer

Agent: TypeAlias = agents.Agent
AgentSession: TypeAlias = agents.AgentSession
ChatContext: TypeAlias = agents.ChatContext
ChatRole: TypeAlias = agents.ChatRole
JobContext: TypeAlias = agents.JobContext
MetricsOptions: TypeAlias = agents.MetricsOptions
Pipeline: TypeAlias = agents.Pipeline
RoomOptions: TypeAlias = agents.RoomOptions
TracesOptions: TypeAlias = agents.TracesOptions
UtteranceHandle: TypeAlias = agents.UtteranceHandle
VoiceMailDetector: TypeAlias = agents.VoiceMailDetector
SIPDestination: TypeAlias = warm_transfer.SIPDestination
WarmTransferConfig: TypeAlias = warm_transfer.WarmTransferConfig
WarmTransferPhase: TypeAlias = warm_transfer.WarmTransferPhase
WarmTransferResult: TypeAlias = warm_transfer.WarmTransferResult
UpstreamError: TypeAlias = warm_transfer.WarmTransferError
UpstreamRunner: TypeAlias = warm_transfer.WarmTransferRunner
UpstreamAgent: TypeAlias = warm_transfer.WarmTransferAgent
VideoSDKHandler: TypeAlias = room_handler.VideoSDKHandler
ParticipantHandler: TypeAlias = participant_event_handler.ParticipantHandler


# ── connection ───────────────────────────────────────────────────────────────────────────────────


def signaling_socket_of(meeting: Any) -> Any | None:
    """Return the WebSocket of a meeting, or None if the library has moved it (videosdk 0.4.1)."""
    client = getattr(meeting, "_Meeting__room_client", None)
    return getattr(client, "_RoomClient__websocket", None)


# ── job and session scope ────────────────────────────────────────────────────────────────────────


def enter_session_scope() -> None:
    """Give the current context its own events and metrics, as for a new session (1.0.30)."""
    job._enter_session_scope()


def enter_session_scope_without_job() -> None:
    """Enter a session scope in which no job is current (1.0.30).

    A pipeline that is made while a job is current replaces the pipeline of that job.
    """
    job._enter_session_scope()
    # The parameter is declared without None; the variable behind it has the default None.
    job._set_current_job_context(cast("Any", None))


def set_current_job(context: Any) -> None:
    """Make `context` the current job (1.0.30)."""
    job._set_current_job_context(context)


def set_pipeline(context: Any, pipeline: Any) -> None:
    """Register `pipeline` with the job `context` (1.0.30). A pipeline made outside a job did not do so."""
    context._set_pipeline_internal(pipeline)


class _NoPipeline:
    """Stands for the pipeline of a session that gave it away."""

    async def cleanup(self) -> None:
        """Do nothing."""


def detach_pipeline(session: Any, context: Any) -> None:
    """Let the end of `session` and of its job `context` leave the pipeline as it is (1.0.30)."""
    # With a voicemail detector the session receives an event of the pipeline, which another session will use.
    if getattr(session, "voice_mail_detector", None) is not None:
        session.pipeline.off("voicemail_result", session._handle_voicemail_result)
    session.pipeline = _NoPipeline()
    context._pipeline = None


def context_of(session: Any) -> Any:
    """Return the session's `JobContext`, or None (1.0.30)."""
    return getattr(session, "_job_context", None)


# ── session ──────────────────────────────────────────────────────────────────────────────────────


def pipeline_of(session: Any) -> Any:
    """Return the session's pipeline; None once the session is closed."""
    return getattr(session, "pipeline", None)


def model_of(session: Any) -> Any:
    """Return the session's text model; None for a realtime model or a closed session."""
    pipeline = pipeline_of(session)
    return None if is_realtime(pipeline) else getattr(pipeline, "llm", None)


def events_of(session: Any) -> Any:
    """Return the emitter of the session's room events and of `WARM_TRANSFER` (1.0.30).

    The framework finds it by contextvar. In a task of other code that is the emitter of the whole process.
    The pipeline keeps the emitter that it was built with.
    """
    return getattr(pipeline_of(session), "_event_bus", None) or event_bus.get_current_event_bus()


def is_executing_tool(session: Any) -> bool:
    """Return whether the session waits for a tool (1.0.30)."""
    return getattr(session, "_is_executing_tool", False)


def is_room_disconnected(session: Any) -> bool:
    """Return whether the session lost its room (1.0.30)."""
    return session._is_room_disconnected()


def accept_input(session: Any, enabled: bool) -> None:
    """Let the session take the caller's words, or drop them (1.0.30)."""
    session._accept_user_input = enabled


def pause_wake_up(session: Any) -> None:
    """Stop the timer that asks a silent caller whether they are still there (1.0.30)."""
    session._pause_wake_up_timer()


def restart_wake_up(session: Any) -> None:
    """Start the timer that `pause_wake_up` stopped (1.0.30)."""
    session._reset_wake_up_timer("released")


def is_transferring(session: Any) -> bool:
    """Return whether a warm transfer of the session is running (1.0.30)."""
    return session._warm_transfer_in_progress


def set_transfer_task(session: Any, task: asyncio.Task[Any] | None) -> None:
    """Mark a warm transfer as running in `task`, or as over (1.0.30)."""
    session._warm_transfer_in_progress = task is not None
    session._warm_transfer_task = task


def parts_of_runner(runner: Any) -> tuple[Any, Any]:
    """Return session and configuration of upstream's runner (1.0.30)."""
    return runner._session, runner._config


def summary_of_agent(agent: Any) -> str:
    """Return the summary that upstream's briefing agent was made with (1.0.30)."""
    return agent._summary


# ── pipeline and tools ───────────────────────────────────────────────────────────────────────────


def is_pipeline(value: Any) -> bool:
    """Return whether `value` is a pipeline of the framework."""
    return isinstance(value, Pipeline)


def is_realtime(pipeline: Any) -> bool:
    """Return whether a realtime model replaces LLM and speech synthesis."""
    return bool(getattr(getattr(pipeline, "config", None), "is_realtime", False))


def make_tool(name: str, description: str, parameters: Mapping[str, Any]) -> Any:
    """Return a tool to offer to a model. Calling it does nothing."""

    async def do_nothing(**_: Any) -> None:
        return None

    # Called with a function, the decorator returns a tool; it is declared to return a decorator, too.
    tool = cast("Any", agents.function_tool(do_nothing, name=name))
    info = utils.get_tool_info(tool)
    info.description, info.parameters_schema = description, dict(parameters)
    return tool


# ── room ─────────────────────────────────────────────────────────────────────────────────────────


def room_of(session: Any) -> Any:
    """Return the handler of the session's room; None before connecting and after leaving."""
    return getattr(context_of(session), "room", None)


def room_id_of(session: Any) -> str | None:
    """Return the room's id; known once the job is connected."""
    options = getattr(context_of(session), "room_options", None)
    return getattr(room_of(session), "meeting_id", None) or getattr(options, "room_id", None)


def participants_of(room: Any) -> Mapping[str, Any]:
    """Return the participants in the room, by id."""
    return getattr(getattr(room, "meeting", None), "participants", None) or {}


def participant_data_of(room: Any) -> Mapping[str, Any]:
    """Return the metadata of everybody who is or was in the room, by participant id (1.0.30)."""
    return getattr(room, "participants_data", None) or {}


def is_agent(room: Any, participant: Any) -> bool:
    """Return whether the framework takes `participant` for an agent: "agent" is in the name (1.0.30)."""
    return bool(room._is_agent_participant(participant))


def set_room_transferring(room: Any, transferring: bool) -> None:
    """Keep the session when a recorded participant leaves, or stop doing so (1.0.30).

    Without it a recorded participant who leaves ends the session, even with auto-end off.
    """
    room._transfer_in_progress = transferring


def cancel_session_end(room: Any) -> None:
    """Cancel the end that the room has scheduled for its session (1.0.30)."""
    room._cancel_session_end_task()


def schedule_session_end(room: Any, after_s: float) -> None:
    """End the session after `after_s`, unless a participant joins before (1.0.30)."""
    room._schedule_session_end(after_s)


def end_session(room: Any) -> Coroutine[Any, Any, None]:
    """End the session because all participants have left (1.0.30)."""
    return room._end_session("all_participants_left")


def wait_for_first_participant(room: Any) -> None:
    """End the session if no participant joins in time (1.0.30)."""
    room._no_participant_timeout_task = asyncio.create_task(room._no_participant_timeout_handler())


def stop_waiting_for_first_participant(room: Any) -> bool:
    """Undo `wait_for_first_participant`; return whether the room was still waiting (1.0.30)."""
    waiting = getattr(room, "_no_participant_timeout_task", None)
    if waiting is None or waiting.done():
        return False
    waiting.cancel()
    room._no_participant_timeout_task = None
    return True


# ── recording ────────────────────────────────────────────────────────────────────────────────────


def is_recorded(session: Any) -> bool:
    """Return whether the room is recorded, whichever option requested it."""
    return bool(getattr(room_of(session), "recording", False))


async def start_recording(room: Any, participant_id: str, participant: Any) -> None:
    """Record a participant with the options of the room (1.0.30)."""
    await room._start_base_recording_for_participant(participant_id, participant)


async def stop_recording(room: Any, participant_id: str) -> None:
    """Stop each recording of a participant (1.0.30)."""
    if room.record_audio is None:
        await room.recording_manager.stop_participant_recording(participant_id)
    else:
        for kind in sorted(room._track_recordings_kinds_by_participant.get(participant_id) or {"audio"}):
            await room.recording_manager.stop_track_recording(participant_id, kind)
    room._track_recordings_kinds_by_participant.pop(participant_id, None)
