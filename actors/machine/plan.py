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

from . import policy
from .state import Stage, Task
from .turn import Turn

NEEDS: Mapping[str, Mapping[Task, tuple[Task, ...]]] = {
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


def advance(turn: Turn) -> None:
    """Begin every task whose time has come."""
    for task, needs in NEEDS[turn.config.pacing].items():
        if not turn.has_begun(task) and all(turn.has(need) for need in needs):
            turn.state.begun.append(task)
            BEGIN[task](turn)


def _hold(turn: Turn) -> None:
    turn.send(HoldCaller, line=turn.config.lines.hold)


def _find(turn: Turn) -> None:
    turn.send(FindCallerCall, room_id=turn.request.room_id, call_id=turn.request.caller_call_id)


def _summarize(turn: Turn) -> None:
    turn.phase(WarmTransferPhase.SUMMARY_GENERATING)
    turn.send_within(
        Summarize,
        turn.config.summary_timeout_s,
        grace_s=policy.SUMMARY_GRACE_S,
        session=turn.request.session_name,
        summarize_by=turn.config.summarize_by,
        prompt=turn.config.summary_prompt,
    )


def create_room(turn: Turn) -> None:
    """Asked for twice it is the same room."""
    turn.send(CreateRoom, key=turn.state.id)


def _join(turn: Turn) -> None:
    turn.send(
        JoinConsultation,
        room_id=turn.state.room_id,
        participant_id=turn.state.agent_participant_id,
        supervisor_participant_id=turn.state.supervisor_participant_id,
        caller_participant_id=turn.state.caller_consult_id,
        one_moment=turn.config.lines.one_moment,
    )


def _dial(turn: Turn) -> None:
    turn.enter(Stage.RINGING, turn.config.supervisor_join_timeout_s)
    policy.schedule_check(turn)
    turn.send(
        DialSupervisor,
        patience=policy.EFFECT_PATIENCE,
        attempt=turn.state.attempt,
        room_id=turn.state.room_id,
        participant_id=turn.state.supervisor_participant_id,
        ringing_timeout_s=policy.ringing_timeout_s(turn.config.supervisor_join_timeout_s),
        destination=turn.config.destination,
    )


def _brief(turn: Turn) -> None:
    turn.enter(Stage.BRIEFING, turn.config.briefing_timeout_s)
    policy.schedule_check(turn)
    turn.phase(WarmTransferPhase.BRIEFING_STARTED)
    turn.send_within(
        BriefSupervisor,
        turn.config.briefing_timeout_s,
        summary=turn.state.summary,
        greeting=turn.config.lines.greeting,
        question=turn.config.lines.question,
        connecting=turn.config.lines.connecting,
        understood=turn.config.lines.understood,
    )


BEGIN: Mapping[Task, Callable[[Turn], None]] = {
    Task.HOLD: _hold,
    Task.FIND: _find,
    Task.SUMMARY: _summarize,
    Task.ROOM: create_room,
    Task.JOIN: _join,
    Task.DIAL: _dial,
    Task.BRIEF: _brief,
}
