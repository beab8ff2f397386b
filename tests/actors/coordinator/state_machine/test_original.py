"""What the original emits in nine recorded scenarios, and what `sequential` emits in the same ones.

The recording (`tests/data/original-phases.json`) is of VideoSDK's `WarmTransferRunner`. Order, names and
types of the payload fields are the same; where we differ on purpose, `DIFFERENCES` says so.
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

from .transfer_builder import SUPERVISOR_CALL, Story

RECORDED = json.loads((Path(__file__).parents[3] / "data" / "original-phases.json").read_text())["scenarios"]


def _declined(story: Story) -> None:
    story.until(Stage.BRIEFING).tell(SupervisorDeclined(reason="in a meeting"))


def _voicemail(story: Story) -> None:
    story.until(Stage.BRIEFING).tell(VoicemailDetected())


def _supervisor_disconnected(story: Story) -> None:
    story.until(Stage.BRIEFING).tell(story.seen(ParticipantLeft, "wxs-t1-1"))
    story.tell(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP))


def _join_timeout(story: Story) -> None:
    story.until(Stage.RINGING).answer("dial_supervisor").wait_for(Stage.UNWINDING)


def _briefing_timeout(story: Story) -> None:
    story.until(Stage.BRIEFING).wait_for(Stage.SWITCHING)
    story.answer("switch_caller").caller_seen().answer("leave_consultation")


def _switch_failed(story: Story) -> None:
    story.until(Stage.SWITCHING).fail("switch_caller", FailureKind.REFUSED, status=500)


def _dial_failed(story: Story) -> None:
    story.until(Stage.RINGING).fail("dial_supervisor", FailureKind.REFUSED, status=500)


def _room_failed(story: Story) -> None:
    story.begin().answer("find_caller_call", "summarize", "hold_caller")
    story.fail("create_room", FailureKind.REFUSED, status=500)


SCENARIOS: dict[str, tuple[dict[str, Any], Callable[[Story], Any]]] = {
    "complete": ({}, lambda story: story.until(Stage.COMPLETED)),
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
    "detail": "beside the word in `reason`, a sentence for people",
    "outcome, evidence": "in the result: the word of a closed list, and how we know",
    "switched_call_id": "set only when the caller was switched; the original sets it always",
    "reason after a provider's error": "our word; the original shows the exception's text",
    "result after a provider's error": "a result; the original raises",
}


def told(name: str) -> Story:
    config, tell = SCENARIOS[name]
    story = Story(pacing="sequential", **config)
    tell(story)
    return story.clear_away()


def _type(value: Any) -> str:
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def test_every_recorded_scenario_is_told_here() -> None:
    assert SCENARIOS.keys() == RECORDED.keys()


@pytest.mark.parametrize("name", SCENARIOS)
def test_sequential_pacing_emits_the_originals_phases_in_the_originals_order(name: str) -> None:
    assert told(name).phase_names == [each["phase"] for each in RECORDED[name]["phases"]]


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_payload_has_the_originals_fields_of_the_originals_types(name: str) -> None:
    for theirs, ours in zip(RECORDED[name]["phases"], told(name).phases, strict=True):
        mine = msgspec.to_builtins(ours)
        assert mine.keys() - {"type", "seq"} == theirs.keys()
        assert mine["data"].keys() - theirs["data"].keys() <= {"detail"}
        assert theirs["data"].keys() <= mine["data"].keys()
        for field, value in theirs["data"].items():
            assert _type(mine["data"][field]) == _type(value), f"{theirs['phase']}.{field}"
        assert _type(mine["timestamp"]) == "number"
        assert (mine["consultation_room_id"] is None) == (theirs["consultation_room_id"] is None)


@pytest.mark.parametrize("name", SCENARIOS)
def test_words_of_a_closed_list_are_the_originals(name: str) -> None:
    """`resolution` and `reason`: where the original says an exception's text, we say the outcome's word."""
    for theirs, ours in zip(RECORDED[name]["phases"], told(name).phases, strict=True):
        assert ours.data.get("resolution") == theirs["data"].get("resolution")
        raised = "Error" in str(theirs["data"].get("reason"))
        assert ours.data.get("reason") == (name if raised else theirs["data"].get("reason"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_result_has_the_originals_fields_and_says_the_same(name: str) -> None:
    theirs, ours = RECORDED[name]["result"], msgspec.to_builtins(told(name).result)
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
def test_the_caller_hears_what_the_original_says(name: str) -> None:
    said = [each.get("say") or each.get("send_message") for each in RECORDED[name]["said_to_the_caller"]]
    story = told(name)
    heard = [command.line for command in story.commands if hasattr(command, "line")]
    assert heard == list(dict.fromkeys(said))
