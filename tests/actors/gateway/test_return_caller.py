"""ReturnCaller: whatever happened to the switch, the caller ends in the primary room or has hung up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmxfer.actors.gateway.at_most_once import ClaimRecord, EffectEnd
from warmxfer.actors.gateway.handlers import return_caller
from warmxfer.actors.gateway.handlers.return_caller import RETURN_EFFECTS
from warmxfer.bus import claim_effect, subjects
from warmxfer.schemas import CallerReturned, CallerSwitched, CommandFailed, FailureKind, encode

from .gateway_fixture import SETTLE_S, TIMEOUT_S, Bridge, GatewayHarness

SWITCH = {"method": "POST", "path": "/v2/sip/call/switch-room"}
LONG_SETTLE_S = 60.0
"""Much longer than a test waits for a reply."""


async def bring_back(harness: GatewayHarness, bridge: Bridge) -> CallerReturned:
    command = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
    return await harness.execute(command, CallerReturned)


async def move_caller(harness: GatewayHarness, bridge: Bridge) -> None:
    await harness.execute(harness.switch(bridge.caller, bridge.supervisor, bridge.consult), CallerSwitched)
    await harness.cloud.wait_ledger(bridge.consult, "joined", 2)


async def test_a_caller_who_was_not_moved_stays_in_the_primary_room(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    assert (await bring_back(harness, bridge)).caller_up
    late = harness.switch(bridge.caller, bridge.supervisor, bridge.consult)
    assert (await harness.execute(late, CommandFailed)).failure is FailureKind.CALLED_OFF
    assert await harness.executed("switch") == []


async def test_a_caller_who_was_moved_is_moved_back(harness: GatewayHarness, bridge: Bridge) -> None:
    await move_caller(harness, bridge)
    assert (await bring_back(harness, bridge)).caller_up
    assert await harness.room_of(bridge.caller) == bridge.primary
    assert (await harness.cloud.ledger(bridge.primary, "joined"))[-1]["participantId"] == f"wxr-{harness.id}"


async def test_a_caller_who_was_moved_back_is_confirmed_at_once(
    idle_harness: GatewayHarness, bridge: Bridge
) -> None:
    """Found by simulation. A late event of the caller's move arrived, and the room was kept open although the
    caller was back in the primary room.
    """
    harness = idle_harness
    harness.start(WARMXFER_SETTLE_S=f"{LONG_SETTLE_S:g}")
    await move_caller(harness, bridge)
    await bring_back(harness, bridge)
    assert (await bring_back(harness, bridge)).caller_up
    assert harness.now < (await harness.claimed("switch")).at + LONG_SETTLE_S


async def test_a_caller_who_hung_up_is_gone(harness: GatewayHarness, bridge: Bridge) -> None:
    await move_caller(harness, bridge)
    await harness.cloud.hang_up(f"wxc-{harness.id}")
    assert not (await bring_back(harness, bridge)).caller_up


async def test_a_caller_who_is_missing_once_from_the_call_records_is_moved_back(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await move_caller(harness, bridge)
    one = {"method": "GET", "path": f"/v2/sip/call/{bridge.caller}"}
    await harness.cloud.break_once("status", one, status=404)
    assert (await bring_back(harness, bridge)).caller_up
    assert await harness.room_of(bridge.caller) == bridge.primary


async def test_a_switch_in_progress_is_awaited_and_undone(harness: GatewayHarness, bridge: Bridge) -> None:
    """The provider does not reply, and moves the caller a moment later."""
    await harness.cloud.break_once("execute_late", SWITCH, delayS=4.0)
    command = harness.switch(bridge.caller, bridge.supervisor, bridge.consult)
    await harness.send(command)
    await harness.claimed("switch")
    assert (await bring_back(harness, bridge)).caller_up
    moved_from = [each["fromRoomId"] for each in await harness.executed("switch")]
    assert moved_from == [bridge.primary, bridge.consult]
    assert await harness.room_of(bridge.caller) == bridge.primary


async def test_the_position_is_not_final_while_the_switch_may_still_happen(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await harness.cloud.break_once("reset", SWITCH)
    await harness.send(harness.switch(bridge.caller, bridge.supervisor, bridge.consult))
    claim = await harness.claimed("switch")
    command = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
    # A gateway that waited until the deadline would reply that the caller was not seen.
    assert (await harness.execute(command, CallerReturned)).caller_up
    assert await harness.reply_at(command) - claim.at >= SETTLE_S
    assert await harness.executed("switch") == []


async def test_a_caller_who_never_arrived_is_moved_back(harness: GatewayHarness, bridge: Bridge) -> None:
    await harness.cloud.break_once("never_arrives", {"switch": True})
    await harness.execute(harness.switch(bridge.caller, bridge.supervisor, bridge.consult), CallerSwitched)
    await harness.cloud.wait_ledger(bridge.primary, "left", 1)
    assert (await bring_back(harness, bridge)).caller_up
    assert await harness.room_of(bridge.caller) == bridge.primary


async def test_a_return_with_unknown_outcome_is_looked_up_not_repeated(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await move_caller(harness, bridge)
    await harness.cloud.break_once("execute_then_reset", SWITCH)
    assert (await bring_back(harness, bridge)).caller_up
    assert len(await harness.executed("switch")) == 2


async def test_concurrent_returns_move_the_caller_once(harness: GatewayHarness, bridge: Bridge) -> None:
    harness.start()
    await move_caller(harness, bridge)
    answers = await asyncio.gather(*(bring_back(harness, bridge) for _ in range(3)))
    assert all(reply.caller_up for reply in answers)
    assert len(await harness.executed("switch")) == 2


async def test_an_expired_return_is_executed(harness: GatewayHarness, bridge: Bridge) -> None:
    await move_caller(harness, bridge)
    command = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
    harness.commands += 1
    late = type(command)(
        **{
            **{name: getattr(command, name) for name in command.__struct_fields__},
            "deadline_at": harness.now - 60.0,
        }
    )
    assert (await harness.execute(late, CallerReturned)).caller_up


async def test_a_caller_is_moved_back_after_a_first_refusal(harness: GatewayHarness, bridge: Bridge) -> None:
    """One refusal used to leave the caller alone in the consultation room."""
    await move_caller(harness, bridge)
    await harness.cloud.break_once("status", SWITCH, status=400)
    assert (await bring_back(harness, bridge)).caller_up
    assert await harness.room_of(bridge.caller) == bridge.primary
    assert len(await harness.executed("switch")) == 2


async def test_a_return_that_is_always_refused_fails(
    harness: GatewayHarness, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(return_caller, "REFUSED_AFTER_S", -2.0)
    await move_caller(harness, bridge)
    await harness.cloud.break_once("status", SWITCH, times=0, status=400)
    command = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
    assert (await harness.execute(command, CommandFailed)).failure is FailureKind.REFUSED
    claimed = [await harness.bus.get_last(subjects.effect_claim(harness.id, each)) for each in RETURN_EFFECTS]
    assert claimed[1] is not None, "the refused command was not tried again"
    assert claimed[4] is None, "the pause after a refusal did not grow"


async def test_commands_share_the_claims_and_the_pause_after_a_refusal(
    harness: GatewayHarness, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by simulation, seed 31720. Three commands used up ten claims while no AI was in the primary room;
    no later command could move the caller.
    """
    monkeypatch.setattr(return_caller, "REFUSED_RETRY_S", LONG_SETTLE_S)
    monkeypatch.setattr(return_caller, "REFUSED_RETRY_MAX_S", LONG_SETTLE_S)
    monkeypatch.setattr(return_caller, "REFUSED_AFTER_S", -LONG_SETTLE_S)
    await move_caller(harness, bridge)
    await harness.cloud.break_once("status", SWITCH, times=0, status=400)
    for _ in range(3):
        command = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
        assert (await harness.execute(command, CommandFailed)).failure is FailureKind.REFUSED
    second = await harness.bus.get_last(subjects.effect_claim(harness.id, RETURN_EFFECTS[1]))
    assert second is None, "a command claimed a move within the pause after the refusal of another command"


async def test_a_move_that_is_refused_to_another_command_meanwhile_is_known_as_refused(
    idle_harness: GatewayHarness, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by simulation, seeds 226 and 812. A command replied that the arrival was not seen, while the
    request of another command had been refused. Each such reply begins the search for the caller anew.
    """
    harness = idle_harness
    harness.start(WARMXFER_SETTLE_S=f"{LONG_SETTLE_S:g}")
    monkeypatch.setattr(return_caller, "REFUSED_AFTER_S", -2 * LONG_SETTLE_S)
    watches, watch_return = asyncio.Event(), getattr(return_caller, "_watch_return")  # noqa: B009

    def watched(*given: Any) -> Any:
        watches.set()
        return watch_return(*given)

    monkeypatch.setattr(return_caller, "_watch_return", watched)
    await move_caller(harness, bridge)
    claim = ClaimRecord(command_id="other", token="other", moves_done=1)
    await claim_effect(harness.bus, harness.id, RETURN_EFFECTS[0], encode(claim))
    asked = asyncio.create_task(
        harness.execute(harness.bring_back(bridge.caller, bridge.primary, bridge.consult), CommandFailed)
    )
    await watches.wait()
    end = EffectEnd("refused", "other")
    await claim_effect(harness.bus, harness.id, f"{RETURN_EFFECTS[0]}-ended", encode(end))
    assert (await asked).failure is FailureKind.REFUSED


async def test_the_newest_of_many_refused_claims_is_found(
    harness: GatewayHarness, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller who is alone for half an hour is moved at the first attempt after the AI is back."""
    monkeypatch.setattr(return_caller, "REFUSED_RETRY_MAX_S", 0.1)
    await move_caller(harness, bridge)
    command = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
    refused = RETURN_EFFECTS[:117]
    for effect in refused:
        claim = ClaimRecord(command_id="earlier", token=effect, moves_done=1)
        await claim_effect(harness.bus, harness.id, effect, encode(claim))
    end = EffectEnd("refused", "earlier")
    await claim_effect(harness.bus, harness.id, f"{refused[-1]}-ended", encode(end))
    assert (await harness.execute(command, CallerReturned)).caller_up
    following = await harness.bus.get_last(subjects.effect_claim(harness.id, RETURN_EFFECTS[len(refused)]))
    assert following is not None


async def test_a_caller_is_moved_back_after_a_first_move_failed(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await move_caller(harness, bridge)
    await harness.cloud.break_once("fails", {"switch": "*", "callId": bridge.caller})
    assert (await bring_back(harness, bridge)).caller_up
    assert await harness.room_of(bridge.caller) == bridge.primary
    assert len(await harness.executed("switch")) == 3


async def test_a_caller_is_moved_back_after_the_gateway_with_the_claim_died(
    idle_harness: GatewayHarness, bridge: Bridge
) -> None:
    """Other gateways used to watch the claim only: the caller stayed alone until they hung up."""
    harness = idle_harness
    harness.start()
    await move_caller(harness, bridge)
    command = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
    other_claim = ClaimRecord(command_id=command.command_id, token="of the dead gateway", moves_done=1)
    await claim_effect(harness.bus, harness.id, RETURN_EFFECTS[0], encode(other_claim))
    claimed_at = harness.now
    assert (await harness.execute(command, CallerReturned)).caller_up
    assert harness.now - claimed_at >= TIMEOUT_S + SETTLE_S
    assert await harness.room_of(bridge.caller) == bridge.primary
    assert len(await harness.executed("switch")) == 2


async def test_a_caller_of_a_newer_transfer_is_not_moved_back(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    """A redelivered old command would have taken the caller from the new supervisor."""
    await move_caller(harness, bridge)
    another = await harness.cloud.open_room()
    command = harness.bring_back(bridge.caller, bridge.primary, another)
    assert (await harness.execute(command, CallerReturned)).caller_up
    assert await harness.room_of(bridge.caller) == bridge.consult
