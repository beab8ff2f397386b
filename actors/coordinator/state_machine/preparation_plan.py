"""What waits for what before the supervisor can be asked.

Two tables, one per pacing: a task begins as soon as everything it waits for is done. `overlap` is the
shortest wait for the caller that never rings a supervisor for a caller who is not there to be moved;
`sequential` is the original's strict order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from warmxfer.schemas import (
    BriefSupervisor,
    CreateRoom,
    DialSupervisor,
    FindCallerCall,
    HoldCaller,
    JoinConsultation,
    Summarize,
    WarmTransferPhase,
)

from . import timeouts
from .state import PreparationTask, Stage
from .step_context import StepContext

PREREQUISITES: Mapping[str, Mapping[PreparationTask, tuple[PreparationTask, ...]]] = {
    "overlap": {
        PreparationTask.HOLD: (),
        PreparationTask.FIND: (),
        PreparationTask.ROOM: (),
        PreparationTask.SUMMARY: (),
        PreparationTask.JOIN: (PreparationTask.ROOM,),
        PreparationTask.DIAL: (PreparationTask.HOLD, PreparationTask.FIND, PreparationTask.ROOM),
        PreparationTask.BRIEF: (PreparationTask.VOICE, PreparationTask.JOIN, PreparationTask.SUMMARY),
    },
    "sequential": {
        PreparationTask.FIND: (),
        PreparationTask.SUMMARY: (PreparationTask.FIND,),
        PreparationTask.HOLD: (PreparationTask.SUMMARY,),
        PreparationTask.ROOM: (PreparationTask.HOLD,),
        PreparationTask.JOIN: (PreparationTask.ROOM,),
        PreparationTask.DIAL: (PreparationTask.JOIN,),
        PreparationTask.BRIEF: (PreparationTask.VOICE, PreparationTask.JOIN, PreparationTask.SUMMARY),
    },
}


def start_ready_tasks(turn: StepContext) -> None:
    """Begin every task whose time has come."""
    for task, needs in PREREQUISITES[turn.config.pacing].items():
        if not turn.is_started(task) and all(turn.is_done(need) for need in needs):
            turn.state.begun.append(task)
            START[task](turn)


def _hold(turn: StepContext) -> None:
    turn.send(HoldCaller, line=turn.config.lines.hold)


def _find(turn: StepContext) -> None:
    turn.send(FindCallerCall, room_id=turn.request.room_id, call_id=turn.request.caller_call_id)


def _summarize(turn: StepContext) -> None:
    turn.publish_phase(WarmTransferPhase.SUMMARY_GENERATING)
    turn.send_within(
        Summarize,
        turn.config.summary_timeout_s,
        grace_s=timeouts.SUMMARY_GRACE_S,
        session=turn.request.session_name,
        summarize_by=turn.config.summarize_by,
        prompt=turn.config.summary_prompt,
    )


def create_room(turn: StepContext) -> None:
    """Asked for twice it is the same room."""
    turn.send(CreateRoom, key=turn.state.id)


def _join(turn: StepContext) -> None:
    turn.send(
        JoinConsultation,
        room_id=turn.state.room_id,
        participant_id=turn.state.agent_participant_id,
        supervisor_participant_id=turn.state.supervisor_participant_id,
        caller_participant_id=turn.state.caller_consult_id,
        one_moment=turn.config.lines.one_moment,
    )


def _dial(turn: StepContext) -> None:
    turn.enter_stage(Stage.RINGING, turn.config.supervisor_join_timeout_s)
    timeouts.schedule_check(turn)
    turn.send(
        DialSupervisor,
        timeout_factor=timeouts.EFFECT_TIMEOUT_FACTOR,
        attempt=turn.state.attempt,
        room_id=turn.state.room_id,
        participant_id=turn.state.supervisor_participant_id,
        ringing_timeout_s=timeouts.ringing_timeout_s(turn.config.supervisor_join_timeout_s),
        destination=turn.config.destination,
    )


def _brief(turn: StepContext) -> None:
    turn.enter_stage(Stage.BRIEFING, turn.config.briefing_timeout_s)
    timeouts.schedule_check(turn)
    turn.publish_phase(WarmTransferPhase.BRIEFING_STARTED)
    turn.send_within(
        BriefSupervisor,
        turn.config.briefing_timeout_s,
        summary=turn.state.summary,
        greeting=turn.config.lines.greeting,
        question=turn.config.lines.question,
        connecting=turn.config.lines.connecting,
        understood=turn.config.lines.understood,
    )


START: Mapping[PreparationTask, Callable[[StepContext], None]] = {
    PreparationTask.HOLD: _hold,
    PreparationTask.FIND: _find,
    PreparationTask.SUMMARY: _summarize,
    PreparationTask.ROOM: create_room,
    PreparationTask.JOIN: _join,
    PreparationTask.DIAL: _dial,
    PreparationTask.BRIEF: _brief,
}
