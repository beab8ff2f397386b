"""Sequential pacing compared with VideoSDK's WarmTransferRunner, of which nine scenarios were recorded.

The phases and their order, the payload fields and types, and the lines to the caller are equal. The outcome
word is equal or more precise. `ON_PURPOSE` lists the intended differences.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.schemas import PhaseChanged, WarmTransferResult

from .stack_fixture import (
    DECLINES,
    GONE_MID_BRIEFING,
    NO_ANSWER,
    READY,
    SILENT,
    VOICEMAIL,
    Call,
    TransferDriver,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "original-phases.json").read_text())["scenarios"]
SIP_CALL = {"method": "POST", "path": "/v2/sip/call"}

PLAYED: dict[str, tuple[str, dict[str, Any], dict[str, Any] | None]] = {
    "complete": (READY, {}, None),
    "declined": (DECLINES, {}, None),
    "voicemail": (VOICEMAIL, {}, None),
    "supervisor_disconnected": (GONE_MID_BRIEFING, {}, None),
    "supervisor_join_timeout": (NO_ANSWER, {"supervisor_join_timeout_s": 2}, None),
    "briefing_timeout_proceeds": (
        SILENT,
        {"briefing_timeout_s": 5, "on_briefing_timeout": "proceed"},
        None,
    ),
    "switch_failed": (READY, {}, {"method": "POST", "path": "/v2/sip/call/switch-room"}),
    "dial_failed": (READY, {}, SIP_CALL),
    "room_failed": (READY, {}, {"method": "POST", "path": "/v2/rooms"}),
}
"""The number to dial, the changed settings, and the request to the cloud that fails with a 500."""

ON_PURPOSE = {
    "extra fields": {"detail"},
    # A free-text reason became an outcome word; the text is the detail.
    "sharper": {
        "dial_failed": {"dial_failed"},
        "room_failed": {"room_failed"},
        # The provider reports it before our own timeout.
        "supervisor_join_timeout": {"supervisor_no_answer"},
    },
    # A caller who is released at once does not hear the whole hold line.
    "hold line cut": {"room_failed"},
    # Upstream names an agent that is about to join; ours names one that has joined, or none.
    "may be null": {"consultation_session_id", "briefing_agent_participant_id", "supervisor_participant_id"},
}


def shape(data: dict[str, Any]) -> dict[str, str]:
    return {
        name: "null or text" if name in ON_PURPOSE["may be null"] else type(value).__name__
        for name, value in data.items()
        if name not in ON_PURPOSE["extra fields"]
    }


async def said_to_the_caller(call: Call, count: int) -> list[str]:
    """Return the `count` fixed lines that the AI said in the primary room, once it has said them."""
    lines: list[str] = []
    for _ in range(100):
        spoken = await call.stack.ledger(room=call.caller.room_id, kind="speech")
        lines = [entry["text"] for entry in spoken if entry["text"] in _ALL_LINES]
        if len(lines) >= count:
            break
        await asyncio.sleep(0.1)
    return lines


_ALL_LINES = {
    line
    for scenario in RECORDED.values()
    for output in scenario["said_to_the_caller"]
    for line in (output.get("send_message"), output.get("say"))
    if line
}


def recorded_lines(scenario: dict[str, Any]) -> list[str]:
    """Return the recorded lines. `say` is recorded twice, by name and as the message that it sends."""
    return [output["send_message"] for output in scenario["said_to_the_caller"] if "send_message" in output]


@dataclass
class Played:
    """Our run of a scenario."""

    phases: list[PhaseChanged]
    result: WarmTransferResult
    lines: list[str]
    report: dict[str, Any]


async def play(driver: TransferDriver, name: str, caller: PlacedCall) -> Played:
    supervisor, config, broken = PLAYED[name]
    if broken:
        await driver.fault("status", broken, times=0, status=500)
    call = await driver.begin(caller, supervisor, pacing="sequential", command_timeout_s=30, **config)
    result = await call.result()
    if broken:
        await driver.clear_faults()
    lines = await said_to_the_caller(call, len(recorded_lines(RECORDED[name])))
    return Played(await call.phases(), result, lines, await call.assert_clean_end())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(shared_driver: TransferDriver) -> dict[str, Played]:
    """All nine runs: in parallel, except those with a failing cloud, which run one after another."""
    await shared_driver.tidy()
    for number in (VOICEMAIL, GONE_MID_BRIEFING):
        await shared_driver.person(number, ringS=20)  # long enough for the hold line to be played
    callers = dict(zip(PLAYED, await shared_driver.callers(len(PLAYED)), strict=True))
    await asyncio.gather(*(shared_driver.conversation(caller) for caller in callers.values()))
    whole = [name for name, (_, _, broken) in PLAYED.items() if broken is None]
    results = await asyncio.gather(*(play(shared_driver, name, callers[name]) for name in whole))
    outcome = dict(zip(whole, results, strict=True))
    for name in PLAYED.keys() - outcome.keys():
        outcome[name] = await play(shared_driver, name, callers[name])
    return outcome


@pytest.mark.parametrize("name", list(PLAYED))
async def test_phases_and_result_match_videosdk(played: dict[str, Played], name: str) -> None:
    theirs, ours = RECORDED[name], played[name]
    assert [each.phase.value for each in ours.phases] == [each["phase"] for each in theirs["phases"]]
    for mine, recorded in zip(ours.phases, theirs["phases"], strict=True):
        assert shape(mine.data) == shape(recorded["data"]), mine.phase
        assert (mine.consultation_room_id is None) == (recorded["consultation_room_id"] is None), mine.phase
        assert mine.data.get("resolution") == recorded["data"].get("resolution")
    if "success" in theirs["result"]:
        assert ours.result.success == theirs["result"]["success"]
        assert ours.result.phase.value == theirs["result"]["phase"]
    else:
        assert theirs["result"]["raises"] == "WarmTransferError"
        assert not ours.result.success


@pytest.mark.parametrize("name", list(PLAYED))
async def test_the_outcome_word_is_the_same_or_more_precise(played: dict[str, Played], name: str) -> None:
    final, recorded = played[name].phases[-1].data, RECORDED[name]["phases"][-1]["data"]
    assert final.get("reason") in {recorded.get("reason"), *ON_PURPOSE["sharper"].get(name, ())}
    assert bool(final.get("detail")) == ("reason" in recorded)


@pytest.mark.parametrize("name", list(PLAYED))
async def test_the_caller_hears_the_same_lines_as_with_videosdk(played: dict[str, Played], name: str) -> None:
    expected = recorded_lines(RECORDED[name])
    cut = expected[-1:] if name in ON_PURPOSE["hold line cut"] else expected
    assert played[name].lines in (expected, cut)


@pytest.mark.parametrize("name", list(PLAYED))
async def test_h1_h2_no_leg_is_left_ringing(played: dict[str, Played], name: str) -> None:
    assert played[name].report["supervisorLegsUp"] == (1 if played[name].result.success else 0)
