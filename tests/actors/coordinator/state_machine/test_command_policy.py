"""One row per command holds all that the state machine knows about it."""

from typing import get_args

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.command_policy import POLICY
from warmxfer.actors.coordinator.state_machine.state import wire_name
from warmxfer.schemas import (
    AnyCommand,
    Command,
    JoinConsultation,
    LeaveCall,
    RescueByAgent,
    RescueCaller,
    WarmTransferConfig,
)

from .transfer_builder import TransferBuilder


def config(**changes: object) -> WarmTransferConfig:
    request = TransferBuilder(**changes).start().state.request
    assert request is not None
    return request.config


def test_every_command_has_a_row() -> None:
    assert set(POLICY) == set(get_args(AnyCommand))


@pytest.mark.parametrize("command", POLICY, ids=wire_name)
def test_a_missing_reply_names_the_command_the_time_and_the_remedy(command: type[Command]) -> None:
    policy = POLICY[command]
    sentence = policy.missing_reply_detail(command, config())
    assert f"answered {wire_name(command)} within {policy.timeout_s(config()):g} s" in sentence
    assert policy.actor.remedy in sentence


def test_a_briefing_in_the_session_names_the_process_of_the_session() -> None:
    sentence = POLICY[JoinConsultation].missing_reply_detail(JoinConsultation, config(brief_by="session"))
    assert "process that holds this session" in sentence


def test_every_command_except_leave_call_may_be_awaited() -> None:
    transfers = [TransferBuilder(pacing="overlap").until(stage) for stage in Stage if stage is not Stage.NEW]
    transfers.append(TransferBuilder(record=True).until(Stage.HANDING_OVER))
    ringing = TransferBuilder().until(Stage.RINGING)
    ringing.fire_timer()
    transfers.append(ringing)
    alone = TransferBuilder(rescue=RescueByAgent(agent_id="agent-1")).until(Stage.UNWINDING)
    alone.fire_timers_until_sent(RescueCaller)
    transfers.append(alone)
    awaited = {
        each.kind
        for transfer in transfers
        for record in transfer.records
        for each in record.state.pending.values()
    }
    assert awaited == {wire_name(command) for command in POLICY if command is not LeaveCall}
