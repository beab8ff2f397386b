"""The caller's way back: whatever became of the move, they end at home, or are known to be gone."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.actors.gateway.at_most_once import ClaimRecord
from warmxfer.actors.gateway.handlers import return_caller
from warmxfer.actors.gateway.handlers.return_caller import RETURN_EFFECTS
from warmxfer.bus import claim_effect, subjects
from warmxfer.schemas import CallerReturned, CallerSwitched, CommandFailed, FailureKind, encode

from .gateway_fixture import SETTLE_S, TIMEOUT_S, Bridge, Office

SWITCH = {"method": "POST", "path": "/v2/sip/call/switch-room"}
LONG_SETTLE_S = 60.0
"""Much longer than a test waits for a reply."""


async def bring_back(office: Office, bridge: Bridge) -> CallerReturned:
    command = office.bring_back(bridge.caller, bridge.primary, bridge.consult)
    return await office.ask(command, CallerReturned)


async def moved(office: Office, bridge: Bridge) -> None:
    await office.ask(office.switch(bridge.caller, bridge.supervisor, bridge.consult), CallerSwitched)
    await office.cloud.wait_ledger(bridge.consult, "joined", 2)


async def test_a_caller_who_never_left_is_home_and_stays(office: Office, bridge: Bridge) -> None:
    assert (await bring_back(office, bridge)).caller_up
    late = office.switch(bridge.caller, bridge.supervisor, bridge.consult)
    assert (await office.ask(late, CommandFailed)).failure is FailureKind.CALLED_OFF
    assert await office.executed("switch") == []


async def test_a_caller_who_was_moved_is_moved_back(office: Office, bridge: Bridge) -> None:
    await moved(office, bridge)
    assert (await bring_back(office, bridge)).caller_up
    assert await office.room_of(bridge.caller) == bridge.primary
    assert (await office.cloud.ledger(bridge.primary, "joined"))[-1]["participantId"] == f"wxr-{office.id}"


async def test_a_caller_who_was_moved_back_is_known_to_be_home_at_once(
    idle_office: Office, bridge: Bridge
) -> None:
    """Found by simulation: late news of their move, and the room was kept open for a caller who was home."""
    office = idle_office
    office.start(WARMXFER_SETTLE_S=f"{LONG_SETTLE_S:g}")
    await moved(office, bridge)
    await bring_back(office, bridge)
    assert (await bring_back(office, bridge)).caller_up
    assert office.now < (await office.claimed("switch")).at + LONG_SETTLE_S


async def test_a_caller_who_hung_up_is_gone(office: Office, bridge: Bridge) -> None:
    await moved(office, bridge)
    await office.cloud.hang_up(f"wxc-{office.id}")
    assert not (await bring_back(office, bridge)).caller_up


async def test_a_caller_who_is_missing_once_from_the_providers_book_is_brought_back(
    office: Office, bridge: Bridge
) -> None:
    await moved(office, bridge)
    one = {"method": "GET", "path": f"/v2/sip/call/{bridge.caller}"}
    await office.cloud.break_once("status", one, status=404)
    assert (await bring_back(office, bridge)).caller_up
    assert await office.room_of(bridge.caller) == bridge.primary


async def test_a_move_in_flight_is_waited_for_and_undone(office: Office, bridge: Bridge) -> None:
    """The provider gave no answer, and moves the caller a moment later."""
    await office.cloud.break_once("execute_late", SWITCH, delayS=4.0)
    command = office.switch(bridge.caller, bridge.supervisor, bridge.consult)
    await office.tell(command)
    await office.claimed("switch")
    assert (await bring_back(office, bridge)).caller_up
    moved_from = [each["fromRoomId"] for each in await office.executed("switch")]
    assert moved_from == [bridge.primary, bridge.consult]
    assert await office.room_of(bridge.caller) == bridge.primary


async def test_home_is_not_believed_while_the_move_may_still_come(office: Office, bridge: Bridge) -> None:
    await office.cloud.break_once("reset", SWITCH)
    await office.tell(office.switch(bridge.caller, bridge.supervisor, bridge.consult))
    claim = await office.claimed("switch")
    command = office.bring_back(bridge.caller, bridge.primary, bridge.consult)
    # A gateway that waited until the deadline would reply that the caller was not seen.
    assert (await office.ask(command, CallerReturned)).caller_up
    assert await office.reply_at(command) - claim.at >= SETTLE_S
    assert await office.executed("switch") == []


async def test_a_caller_lost_between_the_rooms_is_fetched(office: Office, bridge: Bridge) -> None:
    await office.cloud.break_once("never_arrives", {"switch": True})
    await office.ask(office.switch(bridge.caller, bridge.supervisor, bridge.consult), CallerSwitched)
    await office.cloud.wait_ledger(bridge.primary, "left", 1)
    assert (await bring_back(office, bridge)).caller_up
    assert await office.room_of(bridge.caller) == bridge.primary


async def test_a_return_in_doubt_is_looked_at_not_repeated(office: Office, bridge: Bridge) -> None:
    await moved(office, bridge)
    await office.cloud.break_once("execute_then_reset", SWITCH)
    assert (await bring_back(office, bridge)).caller_up
    assert len(await office.executed("switch")) == 2


async def test_two_returns_at_once_move_the_caller_once(office: Office, bridge: Bridge) -> None:
    office.start()
    await moved(office, bridge)
    answers = await asyncio.gather(*(bring_back(office, bridge) for _ in range(3)))
    assert all(answer.caller_up for answer in answers)
    assert len(await office.executed("switch")) == 2


async def test_a_return_that_comes_late_is_made_all_the_same(office: Office, bridge: Bridge) -> None:
    await moved(office, bridge)
    command = office.bring_back(bridge.caller, bridge.primary, bridge.consult)
    office.commands += 1
    late = type(command)(
        **{
            **{name: getattr(command, name) for name in command.__struct_fields__},
            "deadline_at": office.now - 60.0,
        }
    )
    assert (await office.ask(late, CallerReturned)).caller_up


async def test_a_caller_whose_way_back_was_refused_once_is_brought_back(
    office: Office, bridge: Bridge
) -> None:
    """One refusal left the caller with nobody in the consultation room."""
    await moved(office, bridge)
    await office.cloud.break_once("status", SWITCH, status=400)
    assert (await bring_back(office, bridge)).caller_up
    assert await office.room_of(bridge.caller) == bridge.primary
    assert len(await office.executed("switch")) == 2


async def test_a_return_that_is_refused_again_and_again_is_told(
    office: Office, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(return_caller, "RETURN_EFFECTS", RETURN_EFFECTS[:3])
    await moved(office, bridge)
    await office.cloud.break_once("status", SWITCH, times=0, status=400)
    command = office.bring_back(bridge.caller, bridge.primary, bridge.consult)
    assert (await office.ask(command, CommandFailed)).failure is FailureKind.REFUSED
    claimed = [
        await office.bus.get_last(subjects.effect_claim(office.id, each)) for each in RETURN_EFFECTS[:3]
    ]
    assert None not in claimed


async def test_a_caller_whose_way_back_failed_on_the_way_is_brought_back(
    office: Office, bridge: Bridge
) -> None:
    await moved(office, bridge)
    await office.cloud.break_once("fails", {"switch": "*", "callId": bridge.caller})
    assert (await bring_back(office, bridge)).caller_up
    assert await office.room_of(bridge.caller) == bridge.primary
    assert len(await office.executed("switch")) == 3


async def test_a_caller_is_brought_back_although_the_gateway_that_claimed_it_died(
    idle_office: Office, bridge: Bridge
) -> None:
    """The claim was only watched from then on: the caller stayed with nobody until they hung up."""
    office = idle_office
    office.start()
    await moved(office, bridge)
    command = office.bring_back(bridge.caller, bridge.primary, bridge.consult)
    died = ClaimRecord(command_id=command.command_id, token="somebody else's", moves_done=1)
    await claim_effect(office.bus, office.id, RETURN_EFFECTS[0], encode(died))
    claimed_at = office.now
    assert (await office.ask(command, CallerReturned)).caller_up
    assert office.now - claimed_at >= TIMEOUT_S + SETTLE_S
    assert await office.room_of(bridge.caller) == bridge.primary
    assert len(await office.executed("switch")) == 2


async def test_a_caller_who_has_another_transfer_by_now_is_left_to_it(office: Office, bridge: Bridge) -> None:
    """An order of old, delivered again, would have taken them from their new supervisor."""
    await moved(office, bridge)
    another = await office.cloud.open_room()
    command = office.bring_back(bridge.caller, bridge.primary, another)
    assert (await office.ask(command, CallerReturned)).caller_up
    assert await office.room_of(bridge.caller) == bridge.consult
