"""Phases of `sequential` in nine scenarios, compared with those of VideoSDK's WarmTransferRunner (upstream).

The recording of upstream is `tests/data/original-phases.json`. Order, names and types of the payload fields
are the same. `DIFFERENCES` lists what differs on purpose.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.schemas import (
    CallCause,
    FailureKind,
    ParticipantLeft,
    SupervisorCallEnded,
    SupervisorDeclined,
    VoicemailDetected,
)

from .transfer_builder import SUPERVISOR_CALL, TransferBuilder

RECORDED = json.loads((Path(__file__).parents[3] / "data" / "original-phases.json").read_text())["scenarios"]


def _declined(transfer: TransferBuilder) -> None:
    transfer.until(Stage.BRIEFING).apply(SupervisorDeclined(reason="in a meeting"))


def _voicemail(transfer: TransferBuilder) -> None:
    transfer.until(Stage.BRIEFING).apply(VoicemailDetected())


def _supervisor_disconnected(transfer: TransferBuilder) -> None:
    transfer.until(Stage.BRIEFING).apply(transfer.room_event(ParticipantLeft, "wxs-t1-1"))
    transfer.apply(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP))


def _join_timeout(transfer: TransferBuilder) -> None:
    transfer.until(Stage.RINGING).reply("dial_supervisor").fire_timers_until(Stage.UNWINDING)


def _briefing_timeout(transfer: TransferBuilder) -> None:
    transfer.until(Stage.BRIEFING).fire_timers_until(Stage.SWITCHING)
    transfer.reply("switch_caller").caller_joins().reply("leave_consultation", "check_legs")


def _switch_failed(transfer: TransferBuilder) -> None:
    transfer.until(Stage.SWITCHING).fail("switch_caller", FailureKind.REFUSED, status=500)


def _dial_failed(transfer: TransferBuilder) -> None:
    transfer.until(Stage.RINGING).fail("dial_supervisor", FailureKind.REFUSED, status=500)


def _room_failed(transfer: TransferBuilder) -> None:
    transfer.start().reply("find_caller_call", "summarize", "hold_caller")
    transfer.fail("create_room", FailureKind.REFUSED, status=500)


SCENARIOS: dict[str, tuple[dict[str, Any], Callable[[TransferBuilder], Any]]] = {
    "complete": ({}, lambda transfer: transfer.until(Stage.COMPLETED)),
    "declined": ({}, _declined),
    "voicemail": ({}, _voicemail),
    "supervisor_disconnected": ({}, _supervisor_disconnected),
    "supervisor_join_timeout": ({}, _join_timeout),
    "briefing_timeout_proceeds": ({"on_briefing_timeout": "proceed"}, _briefing_timeout),
    "switch_failed": ({}, _switch_failed),
    "dial_failed": ({}, _dial_failed),
    "room_failed": ({}, _room_failed),
}

DIFFERENCES = {
    "detail": "a sentence for people, beside the outcome in `reason`",
    "outcome, evidence": "in the result: the outcome, and the facts behind it",
    "switched_call_id": "set only if the caller was switched; upstream always sets it",
    "reason after a provider's error": "our outcome; upstream has the text of the exception",
    "result after a provider's error": "a result; upstream raises",
}


def play(name: str) -> TransferBuilder:
    """Return the transfer after the scenario and its clean-up."""
    config, scenario = SCENARIOS[name]
    transfer = TransferBuilder(pacing="sequential", **config)
    scenario(transfer)
    return transfer.finish_cleanup()


def _type(value: Any) -> str:
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def test_every_recorded_scenario_is_played_here() -> None:
    assert SCENARIOS.keys() == RECORDED.keys()


@pytest.mark.parametrize("name", SCENARIOS)
def test_sequential_pacing_publishes_upstreams_phases_in_upstreams_order(name: str) -> None:
    assert play(name).phase_names == [each["phase"] for each in RECORDED[name]["phases"]]


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_payload_has_upstreams_fields_and_types(name: str) -> None:
    for theirs, ours in zip(RECORDED[name]["phases"], play(name).phases, strict=True):
        mine = msgspec.to_builtins(ours)
        assert mine.keys() - {"type", "seq"} == theirs.keys()
        assert mine["data"].keys() - theirs["data"].keys() <= {"detail"}
        assert theirs["data"].keys() <= mine["data"].keys()
        for field, value in theirs["data"].items():
            assert _type(mine["data"][field]) == _type(value), f"{theirs['phase']}.{field}"
        assert _type(mine["timestamp"]) == "number"
        assert (mine["consultation_room_id"] is None) == (theirs["consultation_room_id"] is None)


@pytest.mark.parametrize("name", SCENARIOS)
def test_resolution_and_reason_are_upstreams_values(name: str) -> None:
    """Where `reason` is the text of an exception upstream, ours is the outcome."""
    for theirs, ours in zip(RECORDED[name]["phases"], play(name).phases, strict=True):
        assert ours.data.get("resolution") == theirs["data"].get("resolution")
        raised = "Error" in str(theirs["data"].get("reason"))
        assert ours.data.get("reason") == (name if raised else theirs["data"].get("reason"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_result_has_upstreams_fields_and_values(name: str) -> None:
    theirs, ours = RECORDED[name]["result"], msgspec.to_builtins(play(name).result)
    if "raises" in theirs:
        assert (ours["success"], ours["phase"], ours["error"]) == (False, "transfer_failed", name)
        return
    assert ours.keys() - theirs.keys() == {"type", "outcome", "detail", "evidence"}
    assert {field: ours[field] for field in ("success", "phase", "error")} == {
        field: theirs[field] for field in ("success", "phase", "error")
    }
    assert (ours["switched_call_id"] is not None) == ours["success"]
    for field in theirs.keys() - {"switched_call_id"}:
        assert _type(ours[field]) == _type(theirs[field]), field


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_caller_hears_upstreams_lines(name: str) -> None:
    expected = [each.get("say") or each.get("send_message") for each in RECORDED[name]["said_to_the_caller"]]
    transfer = play(name)
    lines = [command.line for command in transfer.commands if hasattr(command, "line")]
    assert lines == list(dict.fromkeys(expected))
