"""What waits for what: every legal order of the preparations gives a legal order of phases."""

from itertools import permutations

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.preparation import PREREQUISITES, START
from warmxfer.actors.coordinator.state_machine.state import PreparationTask
from warmxfer.schemas import BriefSupervisor, DialSupervisor

from .transfer_builder import PREPARATIONS, SUMMARY, Story

AFTER = {
    "summary_generating": {"started"},
    "summary_ready": {"summary_generating"},
    "caller_on_hold": {"started"},
    "consultation_room_created": {"started"},
    "supervisor_dialed": {"caller_on_hold", "consultation_room_created"},
    "supervisor_joined": {"supervisor_dialed"},
    "briefing_started": {"supervisor_joined", "summary_ready"},
    "briefing_complete": {"briefing_started"},
    "call_switched": {"briefing_complete"},
    "transfer_complete": {"call_switched"},
}
"""What users may rely on in `overlap`: each phase comes after these."""

LEGAL = [
    order
    for order in permutations(PREPARATIONS)
    if order.index("create_room") < order.index("join_consultation")
]


def test_sixty_orders_are_legal() -> None:
    assert len(LEGAL) == 60


@pytest.mark.parametrize("order", LEGAL, ids="-".join)
def test_overlap_takes_the_preparations_in_every_legal_order(order: tuple[str, ...]) -> None:
    story = Story().begin().answer(*order)
    assert story.stage is Stage.RINGING
    story.answer("dial_supervisor").supervisor_heard().ready()
    story.answer("switch_caller").caller_seen().answer("leave_consultation")
    names = story.phase_names
    assert names[0] == "started"
    assert sorted(names) == sorted({"started", *AFTER})
    for place, name in enumerate(names):
        assert AFTER.get(name, set()) <= set(names[:place]), f"{name} in {names}"


@pytest.mark.parametrize("order", LEGAL, ids="-".join)
def test_the_supervisor_is_rung_the_moment_the_caller_is_held_found_and_has_a_room(
    order: tuple[str, ...],
) -> None:
    story = Story().begin()
    answered: set[str] = set()
    for kind in order:
        story.answer(kind)
        answered.add(kind)
        ready = {"hold_caller", "find_caller_call", "create_room"} <= answered
        assert bool(story.sent(DialSupervisor)) == ready


@pytest.mark.parametrize("late", ["summarize", "join_consultation", "dial_supervisor", "their voice"])
def test_the_briefing_begins_when_the_last_of_voice_agent_and_summary_is_there(late: str) -> None:
    story = Story().begin().answer(*(kind for kind in PREPARATIONS if kind != late))
    if late != "dial_supervisor":
        story.answer("dial_supervisor")
    if late != "their voice":
        story.supervisor_heard()
    assert (story.stage, story.sent(BriefSupervisor)) == (Stage.RINGING, [])
    if late == "their voice":
        story.supervisor_heard()
    else:
        story.answer(late)
    assert story.stage is Stage.BRIEFING
    (brief,) = story.sent(BriefSupervisor)
    assert brief.summary == SUMMARY


def test_h5_a_voice_heard_before_the_dials_own_answer_counts() -> None:
    """The room may be faster than the provider's HTTP answer; the original loses such a supervisor."""
    story = Story().until(Stage.RINGING).supervisor_heard()
    assert "supervisor_joined" not in story.phase_names
    story.answer("dial_supervisor")
    assert story.stage is Stage.BRIEFING
    assert story.phase_names[-3:] == ["supervisor_dialed", "supervisor_joined", "briefing_started"]


def test_sequential_asks_for_one_thing_at_a_time() -> None:
    story = Story(pacing="sequential").begin()
    for kind in PREPARATIONS:
        assert [pending.kind for pending in story.transfer.pending.values()] == [kind]
        story.answer(kind)
    assert [pending.kind for pending in story.transfer.pending.values()] == ["dial_supervisor"]


@pytest.mark.parametrize("pacing", PREREQUISITES)
def test_every_task_is_in_every_pacing_and_can_be_begun(pacing: str) -> None:
    assert set(PREREQUISITES[pacing]) == set(START) == set(PreparationTask) - {PreparationTask.VOICE}
    assert {need for needs in PREREQUISITES[pacing].values() for need in needs} <= set(PreparationTask)
