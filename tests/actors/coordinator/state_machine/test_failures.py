"""Who fails, who does not answer, and time that runs out."""

import pytest

from warmxfer.actors.coordinator.state_machine import Stage, Transfer
from warmxfer.actors.coordinator.state_machine.failures import ON_STAGE_TIMEOUT
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS
from warmxfer.schemas import (
    BriefSupervisor,
    CommandFailed,
    DeadlinePassed,
    EndCall,
    FailureKind,
    HoldCaller,
    Outcome,
    ReleaseCaller,
    ReturnCaller,
    TransferBroken,
)

from .transfer_builder import LIVE, PREPARATIONS, Story

AWAITED = {
    Stage.PREPARING: ("hold_caller", "find_caller_call", "create_room", "summarize"),
    Stage.RINGING: ("dial_supervisor", "join_consultation", "check_legs", "summarize"),
    Stage.BRIEFING: ("brief_supervisor", "check_legs"),
    Stage.SWITCHING: ("switch_caller",),
    Stage.ARRIVING: ("check_legs",),
    Stage.HANDING_OVER: ("leave_consultation",),
    Stage.RETURNING: ("return_caller",),
    Stage.UNWINDING: ("release_caller", "end_call", "leave_consultation", "create_room", "close_room"),
}
"""Which answers can be outstanding in which stage."""

MISSING = {
    "hold_caller": (Stage.FAILED, Outcome.PRIMARY_ABSENT),
    "find_caller_call": (Stage.FAILED, Outcome.GATEWAY_ABSENT),
    "create_room": (Stage.FAILED, Outcome.GATEWAY_ABSENT),
    "dial_supervisor": (Stage.FAILED, Outcome.GATEWAY_ABSENT),
    "join_consultation": (Stage.FAILED, Outcome.BRIEFING_ABSENT),
    "brief_supervisor": (Stage.CANCELLED, Outcome.BRIEFING_TIMEOUT),
    "switch_caller": (Stage.FAILED, Outcome.GATEWAY_ABSENT),
    "summarize": (Stage.COMPLETED, Outcome.COMPLETE),
    "check_legs": (Stage.COMPLETED, Outcome.COMPLETE),
    "leave_consultation": (Stage.COMPLETED, Outcome.COMPLETE),
}
"""How a transfer ends in which only this command is never answered."""


def go_on(story: Story, missing: str) -> None:
    """Everybody does what they should, but for one command that nobody answers."""
    for _ in range(200):
        if story.stage.ended:
            return
        due_first = missing == "check_legs" and story.transfer.check_due_at is not None
        others = [each.kind for each in story.transfer.pending.values() if each.kind != missing]
        if others and not due_first:
            story.answer(others[0])
        elif story.stage is Stage.RINGING and not story.transfer.supervisor_leg.was_heard:
            story.supervisor_heard()
        elif story.stage is Stage.ARRIVING and not due_first:
            story.caller_seen()
        else:
            story.let_time_pass()
    raise AssertionError(f"without {missing} the transfer stays in {story.stage}")


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("pacing", ["overlap", "sequential"])
def test_the_absence_of_any_one_answer_ends_the_transfer_as_it_should(missing: str, pacing: str) -> None:
    story = Story(pacing=pacing).begin()
    go_on(story, missing)
    assert (story.stage, story.result.outcome) == MISSING[missing]
    if story.stage is not Stage.COMPLETED:
        assert story.sent(ReleaseCaller) or not story.sent(HoldCaller)


@pytest.mark.parametrize("missing", ["release_caller", "end_call", "leave_consultation", "close_room"])
def test_clearing_away_ends_although_one_answer_never_comes_and_names_it(missing: str) -> None:
    story = Story().until(Stage.UNWINDING)
    go_on(story, missing)
    evidence = story.result.evidence
    assert story.stage is Stage.CANCELLED
    assert evidence.get(f"{missing}_unanswered") is True or missing in str(evidence.get("unconfirmed"))


def test_every_live_stage_says_what_happens_when_its_time_is_over() -> None:
    assert set(ON_STAGE_TIMEOUT) == set(LIVE)
    assert all(DeadlinePassed in TRANSITIONS[stage] for stage in LIVE)


@pytest.mark.parametrize("stage", LIVE)
def test_time_alone_ends_every_stage_within_the_sum_of_its_deadlines(stage: Stage) -> None:
    """Nobody does anything any more: the transfer still ends, and never by a complete."""
    story = Story().until(stage)
    began = story.now
    for _ in range(200):
        if story.stage.ended:
            break
        story.let_time_pass()
    assert story.stage is Stage.COMPLETED if stage is Stage.HANDING_OVER else story.stage.ended
    config = story.transfer.request.config if story.transfer.request else None
    assert config is not None
    longest = config.supervisor_join_timeout_s + config.briefing_timeout_s + 20 * config.command_timeout_s
    assert story.now - began < longest


@pytest.mark.parametrize("fault", FailureKind)
@pytest.mark.parametrize(("stage", "kind"), [(s, k) for s, kinds in AWAITED.items() for k in kinds])
def test_any_failure_of_any_command_is_handled_in_every_stage_it_can_come_in(
    stage: Stage, kind: str, fault: FailureKind
) -> None:
    story = awaiting(stage, kind)
    assert story.stage is stage
    told, asked = len(story.records), story.awaited(kind)
    story.tell(CommandFailed(command_id=asked, failure=fault))
    assert len(story.records) == told + 1
    assert asked not in story.transfer.pending


def awaiting(stage: Stage, kind: str) -> Story:
    """A transfer in `stage` in which an answer to `kind` is outstanding."""
    story = Story()
    if (stage, kind) == (Stage.RINGING, "summarize"):
        return story.begin().answer("hold_caller", "find_caller_call", "create_room")
    if (stage, kind) == (Stage.RINGING, "join_consultation"):
        return story.begin().answer(*(each for each in PREPARATIONS if each != kind))
    if (stage, kind) == (Stage.UNWINDING, "create_room"):
        return story.begin().fail("hold_caller")
    if (stage, kind) == (Stage.UNWINDING, "close_room"):
        return story.until(stage).answer("release_caller", "end_call", "leave_consultation")
    story.until(stage)
    while not any(each.kind == kind for each in story.transfer.pending.values()):
        story.let_time_pass()
    return story


def test_a_briefing_that_failed_ends_the_transfer_at_once() -> None:
    """Nobody awaited the briefing's failure: caller and supervisor sat in silence until its timeout."""
    story = (
        Story()
        .until(Stage.BRIEFING)
        .fail("brief_supervisor", FailureKind.REFUSED, detail="the voice is gone")
    )
    assert story.stage is Stage.UNWINDING
    result = story.clear_away().result
    assert (result.outcome, result.detail) == (Outcome.BRIEFING_FAILED, "the voice is gone")


def test_a_briefing_in_time_is_not_cut_short_by_its_own_commands_deadline() -> None:
    story = Story().until(Stage.BRIEFING)
    (brief,) = story.sent(BriefSupervisor)
    assert brief.deadline_at == story.transfer.stage_due_at


def test_an_end_call_that_is_not_answered_is_asked_for_again_until_clearing_away_is_over() -> None:
    story = Story().until(Stage.UNWINDING).answer("release_caller", "leave_consultation")
    story.wait_for(Stage.CANCELLED)
    assert len(story.sent(EndCall)) == 3
    assert story.result.evidence["unconfirmed"] == "end_call"


def test_a_return_that_is_not_answered_is_asked_for_again_while_the_stage_lasts() -> None:
    """A gateway that restarts within a minute must still be told to bring the caller back."""
    story = Story().until(Stage.RETURNING)
    story.wait_until_asked_again(ReturnCaller)
    story.answer("return_caller")
    assert story.clear_away().result.outcome is Outcome.CANCELLED
    assert "return_fault" not in story.result.evidence


def test_a_return_whose_outcome_is_unknown_is_looked_at_again_and_not_at_once() -> None:
    story = Story().until(Stage.RETURNING).fail("return_caller", FailureKind.UNKNOWN)
    assert (story.stage, len(story.sent(ReturnCaller))) == (Stage.RETURNING, 1)
    asked_at = story.now
    story.wait_until_asked_again(ReturnCaller)
    assert story.now - asked_at >= 2.0


def test_the_sentence_about_an_absent_gateway_says_how_long_it_was_given() -> None:
    story = Story(command_timeout_s=4.0).until(Stage.SWITCHING).wait_for(Stage.RETURNING)
    verdict = story.transfer.decision
    assert verdict is not None
    assert verdict.detail.startswith("No SIP gateway answered switch_caller within 8 s;")


def test_a_state_without_any_record_of_the_request_can_still_be_read() -> None:
    assert Transfer(id="t1", stage=Stage.NEW, started_at=0.0).request is None


def given_up(kind: str) -> TransferBroken:
    return TransferBroken(transfer_id="t1", kind=kind, cause="KeyError at bridging.py:42")


@pytest.mark.parametrize("stage", [Stage.PREPARING, Stage.RINGING, Stage.BRIEFING])
def test_a_caller_on_hold_is_given_back_at_once_when_an_event_cannot_be_handled(stage: Stage) -> None:
    story = Story().until(stage)
    asked_at = story.now
    story.tell(given_up("event"))
    assert story.sent(ReleaseCaller)
    assert story.now - asked_at < 1.0
    story.clear_away()
    assert story.result.outcome is Outcome.BROKEN
    assert story.result.detail == (
        "The event could not be handled (KeyError at bridging.py:42); please report it."
    )


@pytest.mark.parametrize("stage", [Stage.SWITCHING, Stage.ARRIVING])
def test_a_caller_on_the_way_is_brought_back_when_an_event_cannot_be_handled(stage: Stage) -> None:
    story = Story().until(stage)
    story.tell(given_up("event"))
    assert story.stage is Stage.RETURNING
    story.answer("return_caller").clear_away()
    assert story.result.outcome is Outcome.BROKEN


def test_who_talks_with_the_supervisor_is_left_to_talk() -> None:
    story = Story().until(Stage.HANDING_OVER)
    story.tell(given_up("event"))
    assert story.stage is Stage.HANDING_OVER
    story.tell(given_up("timeout"))
    assert (story.stage, story.result.outcome) == (Stage.COMPLETED, Outcome.COMPLETE)


@pytest.mark.parametrize("stage", LIVE)
def test_nobody_waits_for_a_deadline_that_was_lost(stage: Stage) -> None:
    story = Story().until(stage)
    story.tell(given_up("timeout"))
    for _ in range(50):
        if story.stage.ended:
            break
        story.let_time_pass()
    assert story.stage.ended


def test_a_request_that_cannot_be_handled_is_answered_all_the_same() -> None:
    story = Story()
    story.tell(given_up("request"))
    assert (story.stage, story.result.outcome) == (Stage.FAILED, Outcome.BROKEN)


@pytest.mark.parametrize("kind", ["hold_caller", "create_room"])
def test_a_command_that_is_a_dead_letter_ends_it_as_broken(kind: str) -> None:
    story = Story().begin().fail(kind, FailureKind.BROKEN, detail="KeyError at looking.py:9").clear_away()
    assert story.result.outcome is Outcome.BROKEN


def test_a_broker_that_was_away_while_a_transfer_was_prepared_does_not_end_it() -> None:
    """Found by simulation: after an outage longer than preparing may take, a caller who was just being put on
    hold was given back, and told of a problem, though everybody was at work again."""
    story = Story(pacing="sequential").begin().answer("find_caller_call")
    story.now += 100.0
    story.let_time_pass()
    assert (story.stage, story.awaited("hold_caller")) == (Stage.PREPARING, story.commands[-1].command_id)
    story.answer("hold_caller", "create_room", "join_consultation")
    assert story.stage is Stage.RINGING


def test_preparing_ends_by_the_deadlines_of_its_commands_all_the_same() -> None:
    story = Story(pacing="sequential").begin().answer("find_caller_call")
    story.now += 100.0
    story.let_time_pass()
    assert story.wait_for(Stage.UNWINDING).clear_away().result.outcome is Outcome.PRIMARY_ABSENT
