"""Every outcome: how a transfer reaches it, its phase, its evidence and the line that the caller hears."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.schemas import (
    BriefSupervisor,
    CallCause,
    CallerCallEnded,
    CallerReleased,
    CancelRequested,
    DeadlinePassed,
    FailureKind,
    HoldCaller,
    JoinConsultation,
    Outcome,
    ReleaseCaller,
    SpokenLines,
    SupervisorCallEnded,
    SupervisorDeclined,
    TransferRefused,
    TransferRequested,
    VoicemailDetected,
    WarmTransferPhase,
    WarmTransferResult,
    apology_for,
)
from warmxfer.schemas.outcomes import APOLOGIES, PROBLEM

from .transfer_builder import CALLER_CALL, REPLIES, START, SUPERVISOR_CALL, TransferBuilder, request

Scenario = Callable[[TransferBuilder], Any]


def _hung_up(cause: CallCause, code: int) -> Scenario:
    def play(transfer: TransferBuilder) -> None:
        transfer.until(Stage.RINGING).reply("dial_supervisor")
        transfer.apply(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=cause, sip_code=code))

    return play


def _apply_in(stage: Stage, event: Any) -> Scenario:
    return lambda transfer: transfer.until(stage).apply(event)


def _fail_in(stage: Stage, kind: str, fault: FailureKind = FailureKind.REFUSED) -> Scenario:
    return lambda transfer: transfer.until(stage).fail(kind, fault, status=500)


def _no_more_replies(stage: Stage, *kinds: str) -> Scenario:
    """Return a scenario without replies after those to `kinds`."""
    return lambda transfer: transfer.until(stage).reply(*kinds).fire_timers_until(Stage.UNWINDING)


def _never_arrived(transfer: TransferBuilder) -> None:
    transfer.until(Stage.ARRIVING).fire_timers_until(Stage.RETURNING).reply("return_caller")


def _caller_in_transfer(transfer: TransferBuilder) -> None:
    transfer.apply(TransferRequested(transfer_id="t1", request=request(), conflicting_transfer_id="t0"))


def _broker_down_during_preparation(transfer: TransferBuilder) -> None:
    transfer.config["pacing"] = "sequential"
    transfer.until(Stage.PREPARING).reply("find_caller_call")
    transfer.now += 3_600.0
    transfer.apply(DeadlinePassed(due_at=START + 10.0))


SCENARIOS: dict[Outcome, tuple[Scenario, dict[str, Any]]] = {
    Outcome.COMPLETE: (lambda transfer: transfer.until(Stage.COMPLETED), {}),
    Outcome.DECLINED: (
        _apply_in(Stage.BRIEFING, SupervisorDeclined(reason="in a meeting")),
        {"said": "in a meeting"},
    ),
    Outcome.VOICEMAIL: (_apply_in(Stage.BRIEFING, VoicemailDetected()), {}),
    Outcome.SUPERVISOR_DISCONNECTED: (
        _apply_in(
            Stage.BRIEFING,
            SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP),
        ),
        {"cause": "hung_up", "sip_code": None, "source": "webhook"},
    ),
    Outcome.SUPERVISOR_JOIN_TIMEOUT: (
        _no_more_replies(Stage.RINGING, "dial_supervisor"),
        {"timer": "supervisor_join_timeout_s"},
    ),
    Outcome.SUPERVISOR_BUSY: (
        _hung_up(CallCause.BUSY, 486),
        {"cause": "busy", "sip_code": 486, "source": "webhook"},
    ),
    Outcome.SUPERVISOR_NO_ANSWER: (
        _hung_up(CallCause.NO_ANSWER, 480),
        {"cause": "no_answer", "sip_code": 480, "source": "webhook"},
    ),
    Outcome.SUPERVISOR_REJECTED: (
        _hung_up(CallCause.REJECTED, 603),
        {"cause": "rejected", "sip_code": 603, "source": "webhook"},
    ),
    Outcome.SUPERVISOR_UNREACHABLE: (
        _hung_up(CallCause.FAILED, 503),
        {"cause": "failed", "sip_code": 503, "source": "webhook"},
    ),
    Outcome.BRIEFING_TIMEOUT: (_no_more_replies(Stage.BRIEFING), {"timer": "briefing_timeout_s"}),
    Outcome.CALLER_LEFT: (
        _apply_in(Stage.BRIEFING, CallerCallEnded(call_id=CALLER_CALL)),
        {"source": "webhook"},
    ),
    Outcome.CANCELLED: (_apply_in(Stage.RINGING, CancelRequested(reason="the caller changed her mind")), {}),
    Outcome.INVALID_REQUEST: (
        lambda transfer: transfer.apply(
            TransferRefused(transfer_id="t1", detail="room_id is missing; add it.")
        ),
        {},
    ),
    Outcome.TOO_BUSY: (
        lambda transfer: transfer.apply(
            TransferRefused(
                transfer_id="t1", detail="5 are running.", outcome=Outcome.TOO_BUSY, retry_after_s=5.0
            )
        ),
        {"retry_after_s": 5.0},
    ),
    Outcome.CALLER_IN_TRANSFER: (_caller_in_transfer, {"held_by": "t0"}),
    Outcome.CALLER_NOT_FOUND: (
        _fail_in(Stage.PREPARING, "find_caller_call"),
        {"fault": "refused", "status": 500},
    ),
    Outcome.ROOM_FAILED: (_fail_in(Stage.PREPARING, "create_room"), {"fault": "refused", "status": 500}),
    Outcome.DIAL_FAILED: (_fail_in(Stage.RINGING, "dial_supervisor"), {"fault": "refused", "status": 500}),
    Outcome.SWITCH_FAILED: (_fail_in(Stage.SWITCHING, "switch_caller"), {"fault": "refused", "status": 500}),
    Outcome.CALLER_NEVER_ARRIVED: (_never_arrived, {"timer": "caller_arrival_timeout_s"}),
    Outcome.SESSION_RELEASED: (
        _apply_in(Stage.BRIEFING, CallerReleased(command_id=None, cause="bus_silent")),
        {"cause": "bus_silent"},
    ),
    Outcome.PRIMARY_ABSENT: (
        _no_more_replies(
            Stage.PREPARING, "find_caller_call", "create_room", "summarize", "join_consultation"
        ),
        {"unanswered": "hold_caller"},
    ),
    Outcome.GATEWAY_ABSENT: (
        _no_more_replies(Stage.PREPARING, "hold_caller", "summarize"),
        {"unanswered": "find_caller_call", "create_room_unanswered": True},
    ),
    Outcome.BRIEFING_ABSENT: (
        _no_more_replies(Stage.PREPARING, "hold_caller", "find_caller_call", "create_room", "summarize"),
        {"unanswered": "join_consultation"},
    ),
    Outcome.BRIEFING_FAILED: (
        _fail_in(Stage.BRIEFING, "brief_supervisor"),
        {"fault": "refused", "status": 500},
    ),
    Outcome.BROKEN: (_broker_down_during_preparation, {"timer": "preparing"}),
}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_reached_with_its_phase_and_evidence(outcome: Outcome) -> None:
    play, evidence = SCENARIOS[outcome]
    transfer = TransferBuilder()
    play(transfer)
    transfer.finish_cleanup()
    result = transfer.result
    assert (result.outcome, result.evidence) == (outcome, evidence)
    assert result.success == (outcome is Outcome.COMPLETE)
    expected = {
        Stage.COMPLETED: WarmTransferPhase.TRANSFER_COMPLETE,
        Stage.CANCELLED: WarmTransferPhase.TRANSFER_CANCELLED,
        Stage.FAILED: WarmTransferPhase.TRANSFER_FAILED,
    }[transfer.stage]
    assert result.phase == expected == transfer.phases[-1].phase
    assert (transfer.stage is Stage.CANCELLED) == outcome.cancelled
    if outcome is not Outcome.COMPLETE:
        assert result.error == outcome.value == transfer.phases[-1].data["reason"]
        assert result.detail
        assert transfer.phases[-1].data["detail"] == result.detail


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.COMPLETE])
def test_the_caller_hears_the_apology_of_the_outcome_once(outcome: Outcome) -> None:
    transfer = TransferBuilder()
    SCENARIOS[outcome][0](transfer)
    transfer.finish_cleanup()
    released = transfer.sent(ReleaseCaller)
    if outcome in (Outcome.INVALID_REQUEST, Outcome.TOO_BUSY, Outcome.CALLER_IN_TRANSFER):
        assert released == [], "no caller was held"
        return
    (release,) = released
    no_apology = outcome in (Outcome.CALLER_LEFT, Outcome.SESSION_RELEASED)
    assert release.line == (None if no_apology else apology_for(outcome))


def test_a_configured_apology_replaces_the_default() -> None:
    transfer = TransferBuilder(lines=SpokenLines(apologies={Outcome.DECLINED: "Dana is busy."}))
    SCENARIOS[Outcome.DECLINED][0](transfer)
    assert [release.line for release in transfer.sent(ReleaseCaller)] == ["Dana is busy."]


def test_every_spoken_line_can_be_configured() -> None:
    names = ("hold", "greeting", "question", "connecting", "one_moment", "understood")
    names += ("confirm", "keys", "identify", "identify_key", "screening")
    elsewhere = {"supervisor_left", "caller_left", "called_off", "time_over", "apologies", "language"}
    assert {*names} | elsewhere == {*SpokenLines.__struct_fields__}, "test_guard.py, test_notice.py"
    transfer = TransferBuilder(lines=SpokenLines(**{name: f"Unser Satz: {name}" for name in names}))
    SCENARIOS[Outcome.DECLINED][0](transfer)
    (hold,), (join,), (brief,) = (
        transfer.sent(kind) for kind in (HoldCaller, JoinConsultation, BriefSupervisor)
    )
    lines = (hold.line, brief.greeting, brief.question, brief.connecting, join.one_moment, brief.understood)
    lines += (brief.confirm, brief.keys, join.identify, join.identify_key, join.screening)
    assert lines == tuple(f"Unser Satz: {name}" for name in names)


def test_outcomes_without_an_apology_use_the_problem_line() -> None:
    assert apology_for(Outcome.GATEWAY_ABSENT) == PROBLEM
    assert Outcome.COMPLETE not in APOLOGIES


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (
            Outcome.PRIMARY_ABSENT,
            "No primary session answered hold_caller within 10 s; attach the session in its voice-agent "
            "process, or start `warmxfer run primary`.",
        ),
        (
            Outcome.GATEWAY_ABSENT,
            "No SIP gateway answered find_caller_call within 10 s; start one with `warmxfer run gateway`.",
        ),
        (
            Outcome.BRIEFING_ABSENT,
            "No briefing agent answered join_consultation within 10 s; start one with "
            "`warmxfer run briefing`.",
        ),
    ],
)
def test_the_detail_names_the_absent_actor_and_the_remedy(outcome: Outcome, sentence: str) -> None:
    transfer = TransferBuilder()
    SCENARIOS[outcome][0](transfer)
    assert transfer.finish_cleanup().result.detail == sentence


def test_an_absent_in_session_briefing_names_the_session_process() -> None:
    transfer = TransferBuilder(brief_by="session")
    SCENARIOS[Outcome.BRIEFING_ABSENT][0](transfer)
    assert transfer.finish_cleanup().result.detail == (
        "No process that holds this session (brief_by is session) answered join_consultation within 10 s; "
        "keep it running with `brief_here` open, or set brief_by to briefing."
    )


@pytest.mark.parametrize(("waits_s", "noted"), [((), None), ((0.4, 0.5), None), ((0.6, 3.7), 4.3)])
def test_the_evidence_says_how_long_the_providers_rate_limit_held_a_transfer_up(
    waits_s: tuple[float, ...], noted: float | None
) -> None:
    builder = TransferBuilder(bridge_guard_s=0).start()
    for kind, wait_s in zip(("create_room", "find_caller_call"), waits_s, strict=False):
        builder.apply(replace(REPLIES[kind](builder.awaited(kind)), rate_wait_s=wait_s))
    builder.apply(CancelRequested(reason="enough"))
    builder.finish_cleanup()
    (result,) = [each for each in builder.outbox if isinstance(each, WarmTransferResult)]
    assert result.evidence.get("provider_wait_s") == noted
