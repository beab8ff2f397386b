"""Every word a transfer can end with: how it comes about, its phase, its evidence, what the caller hears."""

from collections.abc import Callable
from typing import Any

import pytest

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
    apology_for,
)
from warmxfer.schemas.outcomes import APOLOGIES, PROBLEM

from .transfer_builder import CALLER_CALL, START, SUPERVISOR_CALL, Story, request

Tale = Callable[[Story], Any]


def _hung_up(cause: CallCause, code: int) -> Tale:
    def tell(story: Story) -> None:
        story.until(Stage.RINGING).answer("dial_supervisor")
        story.tell(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=cause, sip_code=code))

    return tell


def _tell(stage: Stage, event: Any) -> Tale:
    return lambda story: story.until(stage).tell(event)


def _fail(stage: Stage, kind: str, fault: FailureKind = FailureKind.REFUSED) -> Tale:
    return lambda story: story.until(stage).fail(kind, fault, status=500)


def _alone(stage: Stage, *answered: str) -> Tale:
    """Nobody answers any more once `answered` have."""
    return lambda story: story.until(stage).answer(*answered).wait_for(Stage.UNWINDING)


def _never_arrived(story: Story) -> None:
    story.until(Stage.ARRIVING).wait_for(Stage.RETURNING).answer("return_caller")


def _held_by_another(story: Story) -> None:
    story.tell(TransferRequested(transfer_id="t1", request=request(), conflicting_transfer_id="t0"))


def _broker_down_while_preparing(story: Story) -> None:
    story.config["pacing"] = "sequential"
    story.until(Stage.PREPARING).answer("find_caller_call")
    story.now += 3_600.0
    story.tell(DeadlinePassed(due_at=START + 10.0))


TALES: dict[Outcome, tuple[Tale, dict[str, Any]]] = {
    Outcome.COMPLETE: (lambda story: story.until(Stage.COMPLETED), {}),
    Outcome.DECLINED: (
        _tell(Stage.BRIEFING, SupervisorDeclined(reason="in a meeting")),
        {"said": "in a meeting"},
    ),
    Outcome.VOICEMAIL: (_tell(Stage.BRIEFING, VoicemailDetected()), {}),
    Outcome.SUPERVISOR_DISCONNECTED: (
        _tell(
            Stage.BRIEFING,
            SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP),
        ),
        {"cause": "hung_up", "sip_code": None, "source": "webhook"},
    ),
    Outcome.SUPERVISOR_JOIN_TIMEOUT: (
        _alone(Stage.RINGING, "dial_supervisor"),
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
    Outcome.BRIEFING_TIMEOUT: (_alone(Stage.BRIEFING), {"timer": "briefing_timeout_s"}),
    Outcome.CALLER_LEFT: (
        _tell(Stage.BRIEFING, CallerCallEnded(call_id=CALLER_CALL)),
        {"source": "webhook"},
    ),
    Outcome.CANCELLED: (_tell(Stage.RINGING, CancelRequested(reason="the caller changed her mind")), {}),
    Outcome.INVALID_REQUEST: (
        lambda story: story.tell(TransferRefused(transfer_id="t1", detail="room_id is missing; add it.")),
        {},
    ),
    Outcome.TOO_BUSY: (
        lambda story: story.tell(
            TransferRefused(
                transfer_id="t1", detail="5 are running.", outcome=Outcome.TOO_BUSY, retry_after_s=5.0
            )
        ),
        {"retry_after_s": 5.0},
    ),
    Outcome.CALLER_IN_TRANSFER: (_held_by_another, {"held_by": "t0"}),
    Outcome.CALLER_NOT_FOUND: (
        _fail(Stage.PREPARING, "find_caller_call"),
        {"fault": "refused", "status": 500},
    ),
    Outcome.ROOM_FAILED: (_fail(Stage.PREPARING, "create_room"), {"fault": "refused", "status": 500}),
    Outcome.DIAL_FAILED: (_fail(Stage.RINGING, "dial_supervisor"), {"fault": "refused", "status": 500}),
    Outcome.SWITCH_FAILED: (_fail(Stage.SWITCHING, "switch_caller"), {"fault": "refused", "status": 500}),
    Outcome.CALLER_NEVER_ARRIVED: (_never_arrived, {"timer": "caller_arrival_timeout_s"}),
    Outcome.SESSION_RELEASED: (
        _tell(Stage.BRIEFING, CallerReleased(command_id=None, cause="bus_silent")),
        {"cause": "bus_silent"},
    ),
    Outcome.PRIMARY_ABSENT: (
        _alone(Stage.PREPARING, "find_caller_call", "create_room", "summarize", "join_consultation"),
        {"unanswered": "hold_caller"},
    ),
    Outcome.GATEWAY_ABSENT: (
        _alone(Stage.PREPARING, "hold_caller", "summarize"),
        {"unanswered": "find_caller_call", "create_room_unanswered": True},
    ),
    Outcome.BRIEFING_ABSENT: (
        _alone(Stage.PREPARING, "hold_caller", "find_caller_call", "create_room", "summarize"),
        {"unanswered": "join_consultation"},
    ),
    Outcome.BRIEFING_FAILED: (
        _fail(Stage.BRIEFING, "brief_supervisor"),
        {"fault": "refused", "status": 500},
    ),
    Outcome.BROKEN: (_broker_down_while_preparing, {"timer": "preparing"}),
}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_word_is_reached_with_its_phase_and_its_evidence(outcome: Outcome) -> None:
    tell, evidence = TALES[outcome]
    story = Story()
    tell(story)
    story.clear_away()
    result = story.result
    assert (result.outcome, result.evidence) == (outcome, evidence)
    assert result.success == (outcome is Outcome.COMPLETE)
    expected = {
        Stage.COMPLETED: WarmTransferPhase.TRANSFER_COMPLETE,
        Stage.CANCELLED: WarmTransferPhase.TRANSFER_CANCELLED,
        Stage.FAILED: WarmTransferPhase.TRANSFER_FAILED,
    }[story.stage]
    assert result.phase == expected == story.phases[-1].phase
    assert (story.stage is Stage.CANCELLED) == outcome.cancelled
    if outcome is not Outcome.COMPLETE:
        assert result.error == outcome.value == story.phases[-1].data["reason"]
        assert result.detail
        assert story.phases[-1].data["detail"] == result.detail


@pytest.mark.parametrize("outcome", [word for word in Outcome if word is not Outcome.COMPLETE])
def test_the_caller_hears_the_apology_for_what_happened_and_only_once(outcome: Outcome) -> None:
    story = Story()
    TALES[outcome][0](story)
    story.clear_away()
    released = story.sent(ReleaseCaller)
    if outcome in (Outcome.INVALID_REQUEST, Outcome.TOO_BUSY, Outcome.CALLER_IN_TRANSFER):
        assert released == [], "nobody was held"
        return
    (release,) = released
    unheard = outcome in (Outcome.CALLER_LEFT, Outcome.SESSION_RELEASED)
    assert release.line == (None if unheard else apology_for(outcome))


def test_a_line_of_the_users_own_takes_the_defaults_place() -> None:
    story = Story(lines=SpokenLines(apologies={Outcome.DECLINED: "Dana is busy."}))
    TALES[Outcome.DECLINED][0](story)
    assert [release.line for release in story.sent(ReleaseCaller)] == ["Dana is busy."]


def test_whoever_is_told_anything_is_told_it_in_the_users_words() -> None:
    names = ("hold", "greeting", "question", "connecting", "one_moment", "understood")
    assert {*names, "apologies"} == {*SpokenLines.__struct_fields__}
    story = Story(lines=SpokenLines(**{name: f"Unser Satz: {name}" for name in names}))
    TALES[Outcome.DECLINED][0](story)
    (hold,), (join,), (brief,) = (
        story.sent(kind) for kind in (HoldCaller, JoinConsultation, BriefSupervisor)
    )
    told = (hold.line, brief.greeting, brief.question, brief.connecting, join.one_moment, brief.understood)
    assert told == tuple(f"Unser Satz: {name}" for name in names)


def test_words_without_a_line_of_their_own_say_there_was_a_problem() -> None:
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
def test_an_absent_actor_is_named_in_one_sentence_with_the_remedy(outcome: Outcome, sentence: str) -> None:
    story = Story()
    TALES[outcome][0](story)
    assert story.clear_away().result.detail == sentence


def test_where_the_sessions_own_process_is_to_brief_no_worker_is_missed() -> None:
    story = Story(brief_by="session")
    TALES[Outcome.BRIEFING_ABSENT][0](story)
    assert story.clear_away().result.detail == (
        "No process that holds this session (brief_by is session) answered join_consultation within 10 s; "
        "keep it running with `brief_here` open, or set brief_by to briefing."
    )
