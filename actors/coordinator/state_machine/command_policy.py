"""Policy of each command: the actor that replies, its time-out, and what a failure or a missing reply means.

A command without a row cannot be sent. `CONTRIBUTING.md` shows what to add for a new command.
"""

from __future__ import annotations

from warmxfer.schemas import (
    BriefSupervisor,
    CheckLegs,
    CloseRoom,
    CreateRoom,
    DialSupervisor,
    EndCall,
    FindCallerCall,
    HoldCaller,
    JoinConsultation,
    LeaveCall,
    LeaveConsultation,
    Outcome,
    RecordParticipant,
    ReleaseCaller,
    RescueCaller,
    ReturnCaller,
    Summarize,
    SwitchCaller,
)

from . import bridge, cleanup, consultation, failures, preparation, rescue_replies
from .step_context import CommandPolicy, Policies, ReplyingActor
from .timeouts import SUMMARY_GRACE_S, briefing_s, command_s, effect_s, summary_s

PRIMARY = ReplyingActor(
    "primary session",
    "attach the session in its voice-agent process, or start `warmxfer run primary`",
)
SUMMARIZER = ReplyingActor("summarizer", "start one with `warmxfer run summarizer`")
GATEWAY = ReplyingActor("SIP gateway", "start one with `warmxfer run gateway`")
BRIEFING = ReplyingActor("briefing agent", "start one with `warmxfer run briefing`")
SESSION = ReplyingActor(
    "process that holds this session (brief_by is session)",
    "keep it running with `brief_here` open, or set brief_by to briefing",
)

POLICY: Policies = {
    HoldCaller: CommandPolicy(
        PRIMARY,
        command_s,
        failures.end_transfer,
        failures.end_transfer_unanswered,
        if_failed=Outcome.PRIMARY_ABSENT,
        if_absent=Outcome.PRIMARY_ABSENT,
    ),
    ReleaseCaller: CommandPolicy(
        PRIMARY,
        command_s,
        rescue_replies.release_failed,
        rescue_replies.release_timed_out,
        blocks_cleanup=True,
    ),
    LeaveCall: CommandPolicy(PRIMARY, command_s, failures.never_fails, failures.never_times_out),
    Summarize: CommandPolicy(
        SUMMARIZER,
        summary_s,
        preparation.summary_failed,
        preparation.summary_timed_out,
        grace_s=SUMMARY_GRACE_S,
    ),
    FindCallerCall: CommandPolicy(
        GATEWAY,
        command_s,
        failures.find_failed,
        failures.end_transfer_unanswered,
        if_failed=Outcome.CALLER_NOT_FOUND,
        if_absent=Outcome.GATEWAY_ABSENT,
    ),
    CreateRoom: CommandPolicy(
        GATEWAY,
        command_s,
        failures.room_failed,
        failures.room_timed_out,
        if_failed=Outcome.ROOM_FAILED,
        if_absent=Outcome.GATEWAY_ABSENT,
        blocks_cleanup=True,
    ),
    DialSupervisor: CommandPolicy(
        GATEWAY,
        effect_s,
        failures.end_transfer,
        failures.end_transfer_unanswered,
        if_failed=Outcome.DIAL_FAILED,
        if_absent=Outcome.GATEWAY_ABSENT,
    ),
    SwitchCaller: CommandPolicy(
        GATEWAY,
        effect_s,
        bridge.switch_failed,
        bridge.switch_timed_out,
        if_failed=Outcome.SWITCH_FAILED,
        if_absent=Outcome.GATEWAY_ABSENT,
    ),
    ReturnCaller: CommandPolicy(GATEWAY, effect_s, bridge.return_failed, bridge.return_timed_out),
    RescueCaller: CommandPolicy(
        GATEWAY, effect_s, rescue_replies.rescue_failed, rescue_replies.rescue_timed_out, blocks_cleanup=True
    ),
    EndCall: CommandPolicy(
        GATEWAY, effect_s, cleanup.cleanup_failed, cleanup.end_call_timed_out, blocks_cleanup=True
    ),
    CheckLegs: CommandPolicy(GATEWAY, command_s, failures.check_failed, failures.check_timed_out),
    RecordParticipant: CommandPolicy(GATEWAY, command_s, bridge.recording_failed, bridge.recording_timed_out),
    CloseRoom: CommandPolicy(
        GATEWAY, command_s, cleanup.close_failed, cleanup.close_timed_out, blocks_cleanup=True
    ),
    JoinConsultation: CommandPolicy(
        BRIEFING,
        command_s,
        failures.end_transfer,
        failures.end_transfer_unanswered,
        if_failed=Outcome.BRIEFING_FAILED,
        if_absent=Outcome.BRIEFING_ABSENT,
        in_session=SESSION,
    ),
    BriefSupervisor: CommandPolicy(
        BRIEFING,
        briefing_s,
        failures.end_transfer,
        consultation.brief_command_timed_out,
        if_failed=Outcome.BRIEFING_FAILED,
    ),
    LeaveConsultation: CommandPolicy(
        BRIEFING, command_s, bridge.leave_failed, bridge.leave_timed_out, blocks_cleanup=True
    ),
}
