"""One row per command holds all that the state machine knows about it."""

from typing import get_args

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.command_policy import POLICY
from warmxfer.actors.coordinator.state_machine.state import wire_name
from warmxfer.schemas import AnyCommand, Command, JoinConsultation, LeaveCall, WarmTransferConfig

from .transfer_builder import Story


def config(**changes: object) -> WarmTransferConfig:
    request = Story(**changes).begin().transfer.request
    assert request is not None
    return request.config


def test_every_command_has_a_row() -> None:
    assert set(POLICY) == set(get_args(AnyCommand))


@pytest.mark.parametrize("command", POLICY, ids=wire_name)
def test_a_missing_reply_names_the_command_the_time_and_the_remedy(command: type[Command]) -> None:
    policy = POLICY[command]
    sentence = policy.absent(command, config())
    assert f"answered {wire_name(command)} within {policy.timeout_s(config()):g} s" in sentence
    assert policy.actor.remedy in sentence


def test_a_briefing_in_the_session_names_the_process_of_the_session() -> None:
    sentence = POLICY[JoinConsultation].absent(JoinConsultation, config(brief_by="session"))
    assert "process that holds this session" in sentence


def test_a_transfer_may_wait_for_every_command_but_leave_call() -> None:
    stories = [Story(pacing="overlap").until(stage) for stage in Stage if stage is not Stage.NEW]
    stories.append(Story(record=True).until(Stage.HANDING_OVER))
    ringing = Story().until(Stage.RINGING)
    ringing.let_time_pass()
    stories.append(ringing)
    waited = {
        each.kind for story in stories for record in story.records for each in record.state.pending.values()
    }
    assert waited == {wire_name(command) for command in POLICY if command is not LeaveCall}
