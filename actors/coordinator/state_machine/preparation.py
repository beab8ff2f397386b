"""Preparation: the tasks before the briefing, their order, and the replies to them.

Each pacing has its own table. A task starts as soon as all its prerequisites are done. `overlap` has the
shortest wait for the caller. It dials the supervisor only once the caller is held and their call is found.
`sequential` is the strict order of VideoSDK's WarmTransferRunner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from warmxfer.schemas import (
    FALLBACK_SUMMARY,
    BriefSupervisor,
    CallerCallFound,
    CallerHeld,
    Command,
    CommandFailed,
    ConsultationJoined,
    CreateRoom,
    DialSupervisor,
    FindCallerCall,
    HoldCaller,
    JoinConsultation,
    Outcome,
    RoomCreated,
    Summarize,
    SummaryReady,
    TransferRefused,
    TransferRequested,
    WarmTransferPhase,
)

from . import timeouts
from .cleanup import finish_now
from .leg_checks import schedule_check
from .state import EvidenceValue, PreparationTask, RoomStatus, Stage
from .step_context import StepContext

Task = PreparationTask

PREREQUISITES: Mapping[str, Mapping[PreparationTask, tuple[PreparationTask, ...]]] = {
    "overlap": {
        Task.HOLD: (),
        Task.FIND: (),
        Task.ROOM: (),
        Task.SUMMARY: (),
        Task.JOIN: (Task.ROOM,),
        Task.DIAL: (Task.HOLD, Task.FIND, Task.ROOM),
        Task.BRIEF: (Task.VOICE, Task.JOIN, Task.SUMMARY),
    },
    "sequential": {
        Task.FIND: (),
        Task.SUMMARY: (Task.FIND,),
        Task.HOLD: (Task.SUMMARY,),
        Task.ROOM: (Task.HOLD,),
        Task.JOIN: (Task.ROOM,),
        Task.DIAL: (Task.JOIN,),
        Task.BRIEF: (Task.VOICE, Task.JOIN, Task.SUMMARY),
    },
}


def start_ready_tasks(ctx: StepContext) -> None:
    """Start every task whose prerequisites are done."""
    # A pacing of a newer version is taken for the default one.
    for task, needed in PREREQUISITES.get(ctx.config.pacing, PREREQUISITES["overlap"]).items():
        if not ctx.is_started(task) and all(ctx.is_done(each) for each in needed):
            ctx.state.begun.append(task)
            START_TASK[task](ctx)


# ── starting a task ──────────────────────────────────────────────────────────────────────────────


def _hold(ctx: StepContext) -> None:
    ctx.send(HoldCaller, line=ctx.config.lines.hold)


def _find(ctx: StepContext) -> None:
    ctx.send(FindCallerCall, room_id=ctx.request.room_id, call_id=ctx.request.caller_call_id)


def _summarize(ctx: StepContext) -> None:
    ctx.publish_phase(WarmTransferPhase.SUMMARY_GENERATING)
    ctx.send(
        Summarize,
        session=ctx.request.session_name,
        summarize_by=ctx.config.summarize_by,
        prompt=ctx.config.summary_prompt,
    )


def create_room(ctx: StepContext) -> None:
    """Send `CreateRoom`. Idempotent: the key names the room."""
    ctx.send(CreateRoom, key=ctx.state.id)


def _join(ctx: StepContext) -> None:
    ctx.send(
        JoinConsultation,
        room_id=ctx.state.room_id,
        participant_id=ctx.state.agent_participant_id,
        supervisor_participant_id=ctx.state.supervisor_participant_id,
        caller_participant_id=ctx.state.caller_consult_id,
        one_moment=ctx.config.lines.one_moment,
        identify=ctx.config.lines.identify,
        identify_key=ctx.config.lines.identify_key,
        screening=ctx.config.lines.screening,
        language=ctx.config.lines.language,
    )


def _dial(ctx: StepContext) -> None:
    ctx.enter_stage(Stage.RINGING, ctx.config.supervisor_join_timeout_s)
    schedule_check(ctx)
    ctx.send(
        DialSupervisor,
        attempt=ctx.state.attempt,
        room_id=ctx.state.room_id,
        participant_id=ctx.state.supervisor_participant_id,
        ringing_timeout_s=timeouts.ringing_s(ctx.config),
        destination=ctx.config.destination,
        caller_room_id=ctx.request.room_id,
    )


def _brief(ctx: StepContext) -> None:
    ctx.enter_stage(Stage.BRIEFING, ctx.config.briefing_timeout_s)
    schedule_check(ctx)
    ctx.publish_phase(WarmTransferPhase.BRIEFING_STARTED)
    ctx.send(
        BriefSupervisor,
        summary=ctx.state.summary,
        greeting=ctx.config.lines.greeting,
        question=ctx.config.lines.question,
        connecting=ctx.config.lines.connecting,
        understood=ctx.config.lines.understood,
        confirm=ctx.config.lines.confirm,
        keys=ctx.config.lines.keys,
        accept_by=ctx.config.accept_by,
    )


START_TASK: Mapping[PreparationTask, Callable[[StepContext], None]] = {
    Task.HOLD: _hold,
    Task.FIND: _find,
    Task.SUMMARY: _summarize,
    Task.ROOM: create_room,
    Task.JOIN: _join,
    Task.DIAL: _dial,
    Task.BRIEF: _brief,
}
"""The function that starts each task. `VOICE` has no entry: the supervisor does it."""


# ── the request, and the replies ─────────────────────────────────────────────────────────────────


def requested(ctx: StepContext, event: TransferRequested) -> None:
    ctx.state.request = event.request
    ctx.state.caller_call_id = event.request.caller_call_id
    ctx.state.caller_participant_id = event.request.caller_participant_id
    if event.conflicting_transfer_id is not None:
        ctx.decide(
            Outcome.CALLER_IN_TRANSFER,
            f"session {event.request.session_name} is already being transferred by "
            f"{event.conflicting_transfer_id}; wait for that transfer to end, or cancel it.",
            held_by=event.conflicting_transfer_id,
        )
        finish_now(ctx)
        return
    ctx.enter_stage(Stage.PREPARING, timeouts.preparation_s(ctx.config))
    ctx.publish_phase(WarmTransferPhase.STARTED, start_time=ctx.now)
    start_ready_tasks(ctx)


def refused(ctx: StepContext, event: TransferRefused) -> None:
    evidence: dict[str, EvidenceValue] = {}
    if event.retry_after_s is not None:
        evidence["retry_after_s"] = event.retry_after_s
    if event.limit:
        evidence["limit"] = event.limit
    ctx.decide(event.outcome, event.detail, **evidence)
    finish_now(ctx)


def caller_held(ctx: StepContext, event: CallerHeld) -> None:
    ctx.state.caller_participant_id = event.caller_participant_id or ctx.state.caller_participant_id
    ctx.publish_phase(WarmTransferPhase.CALLER_ON_HOLD)
    _finish_task(ctx, Task.HOLD)


def caller_call_found(ctx: StepContext, event: CallerCallFound) -> None:
    ctx.state.caller_call_id = event.call_id
    ctx.state.caller_participant_id = ctx.state.caller_participant_id or event.participant_id
    _finish_task(ctx, Task.FIND)


def room_created(ctx: StepContext, event: RoomCreated) -> None:
    ctx.state.room_id, ctx.state.room = event.room_id, RoomStatus.OPEN
    ctx.publish_phase(WarmTransferPhase.CONSULTATION_ROOM_CREATED, consultation_room_id=event.room_id)
    _finish_task(ctx, Task.ROOM)


def summary_ready(ctx: StepContext, event: SummaryReady) -> None:
    _summarized(ctx, event.summary or FALLBACK_SUMMARY)


def summary_failed(ctx: StepContext, event: CommandFailed) -> None:
    _summarized(ctx, FALLBACK_SUMMARY)


def summary_timed_out(ctx: StepContext, command: type[Command]) -> None:
    _summarized(ctx, FALLBACK_SUMMARY)


def _summarized(ctx: StepContext, summary: str) -> None:
    """Finish the summary task. A missing summary never stops a transfer: the fallback line replaces it."""
    ctx.state.summary = summary
    ctx.publish_phase(WarmTransferPhase.SUMMARY_READY, summary=summary)
    _finish_task(ctx, Task.SUMMARY)


def consultation_joined(ctx: StepContext, event: ConsultationJoined) -> None:
    ctx.state.consultation_session_id = event.session_id
    _finish_task(ctx, Task.JOIN)


def _finish_task(ctx: StepContext, task: PreparationTask) -> None:
    ctx.mark_done(task)
    start_ready_tasks(ctx)
