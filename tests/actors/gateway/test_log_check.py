"""A command is carried out only if the log of its transfer has sent it. What a forged one meets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.testkit.sent_log import store_in_log
from warmxfer.actors.common.log_check import LogCheck
from warmxfer.actors.gateway import command_handler
from warmxfer.bus import subjects
from warmxfer.schemas import (
    CallEnded,
    CloseRoom,
    Command,
    CreateRoom,
    RecordParticipant,
    RoomCreated,
    SwitchCaller,
    encode,
)

from .gateway_fixture import Bridge, GatewayHarness

NOT_SENT = "has not sent this command"


async def forge(harness: GatewayHarness, command: Command) -> None:
    """Send a command that no log holds."""
    await harness.bus.publish(subjects.work_queue(harness.id, "gateway"), encode(command))


async def cause_of_dead_letter(harness: GatewayHarness) -> str:
    (letter,) = await harness.dead_letters(1)
    return json.loads(letter)["cause"]


async def running(harness: GatewayHarness, **state: Any) -> None:
    """Store the log of a transfer that has sent 9 commands, and waits for the reply to the ninth."""
    await store_in_log(harness.bus, harness.id, **{"commands": 9, "stage": "briefing", **state})


async def test_a_stranger_is_not_switched(harness: GatewayHarness, bridge: Bridge) -> None:
    """Before, `do.gateway switch_caller` moved a stranger's call into any room, with no transfer."""
    await running(harness, room_id=bridge.consult, caller_call_id="call-own", supervisor_call_id="call-sup")
    await forge(harness, harness.switch(bridge.caller, bridge.supervisor, bridge.consult))
    assert NOT_SENT in await cause_of_dead_letter(harness)
    assert await harness.executed("switch") == []
    assert await harness.events() == [], "no reply: it would end the transfer whose command id it names"


@pytest.mark.parametrize("pending", [True, False])
async def test_no_stranger_is_hung_up_on(harness: GatewayHarness, bridge: Bridge, pending: bool) -> None:
    """Before, a forged claim `dial-1` and `end_call` ended any call of the project."""
    await harness.claimed_dial()
    command = replace(harness.end(bridge.consult, bridge.supervisor), command_id=f"{harness.id}-9")
    awaited = {command.command_id: {"kind": "end_call", "due_at": command.deadline_at}} if pending else {}
    await running(
        harness, room_id=bridge.consult, leg_doubtful=True, supervisor_call_id="own", pending=awaited
    )
    await forge(harness, command)
    assert NOT_SENT in await cause_of_dead_letter(harness)
    assert await harness.legs_up() == 2, "the agent's leg and the supervisor's"


async def test_a_leg_of_a_running_transfer_is_not_ended(harness: GatewayHarness, bridge: Bridge) -> None:
    """The content is right, but the log has not sent it: nothing is to be cleaned up."""
    await running(harness, room_id=bridge.consult, supervisor_call_id=bridge.supervisor)
    await forge(harness, harness.end(bridge.consult, bridge.supervisor))
    await harness.all_handled()
    assert await harness.legs_up() == 2
    assert await harness.events() == []


async def test_no_stranger_is_recorded(harness: GatewayHarness, bridge: Bridge) -> None:
    await running(harness, room_id=bridge.consult)
    record = RecordParticipant(room_id=bridge.consult, participant_id=harness.supervisor, **harness.within())
    await forge(harness, record)
    assert NOT_SENT in await cause_of_dead_letter(harness)
    assert await harness.executed("recording_started") == []


async def test_sixty_forged_dials_give_no_leg(harness: GatewayHarness) -> None:
    """Before, 60 forged `dial_supervisor` gave 60 legs in 0.76 s, past admission."""
    room = await harness.cloud.open_room()
    await running(harness, room_id=room, commands=60)
    await asyncio.gather(
        *(forge(harness, replace(harness.dial(room), attempt=attempt)) for attempt in range(1, 61))
    )
    await harness.all_handled()
    assert await harness.legs_up() == 0
    assert await harness.executed("dial") == []


async def test_the_room_of_another_transfer_is_neither_made_nor_closed(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await running(harness, room_id="own-room", room_closing=True)
    await forge(harness, CloseRoom(room_id=bridge.primary, key=harness.id, **harness.within()))
    assert NOT_SENT in await cause_of_dead_letter(harness)
    await forge(harness, CreateRoom(key="another", **harness.within()))
    assert len(await harness.dead_letters(2)) == 2
    assert await harness.executed("room_deactivated") == []


async def test_a_forged_reply_to_a_pending_command_is_not_given(harness: GatewayHarness) -> None:
    """A useless message with the id of a pending command: its dead letter must not end the transfer."""
    await running(
        harness, pending={f"{harness.id}-9": {"kind": "dial_supervisor", "due_at": harness.now + 9}}
    )
    garbage = {"type": "dial_supervisor", "command_id": f"{harness.id}-9", "deadline_at": harness.now}
    await harness.bus.publish(subjects.work_queue(harness.id, "gateway"), json.dumps(garbage).encode())
    await harness.dead_letters(1)
    await harness.all_handled()
    assert await harness.events() == []


async def test_an_effect_whose_log_never_holds_it_is_dead_lettered_after_its_deadline(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    switch = harness.switch(bridge.caller, bridge.supervisor, bridge.consult, within_s=-1.5)
    await forge(harness, switch)
    assert "did not hold the command until its deadline" in await cause_of_dead_letter(harness)
    assert await harness.executed("switch") == []
    assert await harness.events() == []


async def test_a_log_that_is_behind_refuses_nothing(harness: GatewayHarness, bridge: Bridge) -> None:
    """A replica may not have the record yet that sent the command. Then the read is repeated."""
    command = harness.switch(bridge.caller, bridge.supervisor, bridge.consult)
    await forge(harness, command)
    await asyncio.sleep(0.3)
    assert await harness.executed("switch") == []
    await store_in_log(harness.bus, harness.id, command)
    reply = await harness.reply(command)
    assert type(reply).__name__ == "CallerSwitched"


async def test_a_command_of_an_earlier_record_is_carried_out_while_it_is_awaited(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    command = harness.switch(bridge.caller, bridge.supervisor, bridge.consult)
    await running(
        harness,
        room_id=bridge.consult,
        caller_call_id=bridge.caller,
        supervisor_call_id=bridge.supervisor,
        pending={command.command_id: {"kind": "switch_caller", "due_at": command.deadline_at}},
    )
    await forge(harness, command)
    assert type(await harness.reply(command)).__name__ == "CallerSwitched"


async def test_an_effect_that_is_not_awaited_any_more_is_not_carried_out(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    """It was sent, and came back after the transfer had decided otherwise: no dead letter, and no move."""
    await running(
        harness,
        room_id=bridge.consult,
        caller_call_id=bridge.caller,
        supervisor_call_id=bridge.supervisor,
        stage="unwinding",
    )
    await forge(harness, harness.switch(bridge.caller, bridge.supervisor, bridge.consult))
    await harness.all_handled()
    assert await harness.executed("switch") == []
    assert await harness.bus.history(subjects.dead_letter(harness.id), 10) == []


async def test_a_late_clean_up_is_carried_out(harness: GatewayHarness, bridge: Bridge) -> None:
    """A gateway that was away for minutes finds the command in its queue. Its transfer has ended since."""
    await harness.claimed_dial()
    command = harness.end(bridge.consult, bridge.supervisor)
    await running(
        harness,
        room_id=bridge.consult,
        supervisor_call_id=bridge.supervisor,
        leg_doubtful=True,
        stage="failed",
    )
    await forge(harness, command)
    assert isinstance(await harness.reply(command), CallEnded)
    assert await harness.legs_up() == 1


async def test_a_transfer_that_ends_well_costs_two_reads(
    harness: GatewayHarness, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One direct get for each effect; commands that only read cost none."""
    read = list[str]()
    get = command_handler.LogCheck.read

    async def recorded(self: command_handler.LogCheck, transfer_id: str) -> Any:
        read.append(transfer_id)
        return await get(self, transfer_id)

    monkeypatch.setattr(command_handler.LogCheck, "read", recorded)
    await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)
    assert read == []
    await harness.execute(harness.dial(bridge.consult), object)
    switch = harness.switch(bridge.caller, bridge.supervisor, bridge.consult)
    assert isinstance(switch, SwitchCaller)
    await harness.execute(switch, object)
    assert read == [harness.id] * 2


async def test_a_read_that_is_behind_refuses_no_command_after_its_deadline(
    harness: GatewayHarness, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by simulation, seed 565. A late coordinator sent a command after its deadline."""
    monkeypatch.setattr(command_handler, "WITHOUT_LOG_AFTER", 1_000)
    read = asyncio.Event()
    is_wanted = LogCheck.is_wanted

    async def noted(check: LogCheck, *given: Any) -> bool:
        try:
            return await is_wanted(check, *given)
        finally:
            read.set()

    monkeypatch.setattr(LogCheck, "is_wanted", noted)
    switch = harness.switch(bridge.caller, bridge.supervisor, bridge.consult, within_s=-30.0)
    await forge(harness, switch)
    await read.wait()
    await store_in_log(harness.bus, harness.id, switch)
    assert await harness.reply(switch) is not None
    assert await harness.executed("switch") == []
