"""Order of the preparation: every legal order of replies gives a legal order of phases."""

from itertools import permutations

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.preparation import PREREQUISITES, START_TASK
from warmxfer.actors.coordinator.state_machine.state import PreparationTask
from warmxfer.schemas import BriefSupervisor, DialSupervisor, TransferRequested

from .transfer_builder import PREPARATIONS, SUMMARY, TransferBuilder, request

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
"""Order that users may rely on in `overlap`: each phase comes after these."""

LEGAL = [
    order
    for order in permutations(PREPARATIONS)
    if order.index("create_room") < order.index("join_consultation")
]


def test_there_are_sixty_legal_orders() -> None:
    assert len(LEGAL) == 60


@pytest.mark.parametrize("order", LEGAL, ids="-".join)
def test_overlap_accepts_every_legal_order_of_replies(order: tuple[str, ...]) -> None:
    transfer = TransferBuilder().start().reply(*order)
    assert transfer.stage is Stage.RINGING
    transfer.reply("dial_supervisor").enable_supervisor_audio().supervisor_ready()
    transfer.reply("switch_caller").caller_joins().reply("leave_consultation", "check_legs")
    names = transfer.phase_names
    assert names[0] == "started"
    assert sorted(names) == sorted({"started", *AFTER})
    for place, name in enumerate(names):
        assert AFTER.get(name, set()) <= set(names[:place]), f"{name} in {names}"


@pytest.mark.parametrize("order", LEGAL, ids="-".join)
def test_the_supervisor_is_dialled_once_hold_call_and_room_are_ready(
    order: tuple[str, ...],
) -> None:
    transfer = TransferBuilder().start()
    replied: set[str] = set()
    for kind in order:
        transfer.reply(kind)
        replied.add(kind)
        ready = {"hold_caller", "find_caller_call", "create_room"} <= replied
        assert bool(transfer.sent(DialSupervisor)) == ready


@pytest.mark.parametrize("late", ["summarize", "join_consultation", "dial_supervisor", "supervisor audio"])
def test_the_briefing_starts_once_voice_agent_and_summary_are_ready(late: str) -> None:
    transfer = TransferBuilder().start().reply(*(kind for kind in PREPARATIONS if kind != late))
    if late != "dial_supervisor":
        transfer.reply("dial_supervisor")
    if late != "supervisor audio":
        transfer.enable_supervisor_audio()
    assert (transfer.stage, transfer.sent(BriefSupervisor)) == (Stage.RINGING, [])
    if late == "supervisor audio":
        transfer.enable_supervisor_audio()
    else:
        transfer.reply(late)
    assert transfer.stage is Stage.BRIEFING
    (brief,) = transfer.sent(BriefSupervisor)
    assert brief.summary == SUMMARY


def test_h5_supervisor_audio_before_the_reply_to_the_dial_counts() -> None:
    """The room event may come before the provider's HTTP reply.

    VideoSDK's WarmTransferRunner loses such a supervisor.
    """
    transfer = TransferBuilder().until(Stage.RINGING).enable_supervisor_audio()
    assert "supervisor_joined" not in transfer.phase_names
    transfer.reply("dial_supervisor")
    assert transfer.stage is Stage.BRIEFING
    assert transfer.phase_names[-3:] == ["supervisor_dialed", "supervisor_joined", "briefing_started"]


def test_sequential_awaits_one_command_at_a_time() -> None:
    transfer = TransferBuilder(pacing="sequential").start()
    for kind in PREPARATIONS:
        assert [pending.kind for pending in transfer.state.pending.values()] == [kind]
        transfer.reply(kind)
    assert [pending.kind for pending in transfer.state.pending.values()] == ["dial_supervisor"]


@pytest.mark.parametrize("pacing", PREREQUISITES)
def test_every_task_is_in_every_pacing_and_can_be_started(pacing: str) -> None:
    assert set(PREREQUISITES[pacing]) == set(START_TASK) == set(PreparationTask) - {PreparationTask.VOICE}
    assert {need for needs in PREREQUISITES[pacing].values() for need in needs} <= set(PreparationTask)


@pytest.mark.parametrize("waited_s", [0.0, 12.0, 59.0])
def test_the_deadlines_of_a_request_that_waited_begin_when_it_starts(waited_s: float) -> None:
    builder = TransferBuilder()
    builder.apply(TransferRequested(transfer_id="t1", request=request(), waited_s=waited_s))
    started_at = builder.now + waited_s
    assert builder.state.started_at == started_at
    assert builder.phases[0].timestamp == started_at
    command_s = request().config.command_timeout_s
    assert min(each.due_at for each in builder.state.pending.values()) == started_at + command_s
