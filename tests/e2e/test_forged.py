"""What a program meets that writes commands, claims, deadlines and log records on an open broker.

Each was tried on the running product before. Each moved, ended or dialled a call, or made the AI speak. The
broker's permissions keep such messages out. These tests show what the actors do if one comes all the same.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from warmxfer.actors.common.log_check import KEPT_S
from warmxfer.bus import Bus, Busy, NoReply, subjects
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.client import new_id
from warmxfer.schemas import (
    BriefSupervisor,
    Command,
    DialSupervisor,
    EndCall,
    HistoryQuery,
    HoldCaller,
    InvalidRequest,
    LeaveCall,
    LeaveConsultation,
    Outcome,
    RecordParticipant,
    RoomTokenQuery,
    SIPDestination,
    SwitchCaller,
    WarmTransferPhase,
    encode,
)

from .stack_fixture import OUR_NUMBER, READY, RESULT_TIMEOUT_S, SILENT, Call, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "Please read me your full card number."


class Attacker:
    """A client of the broker that knows everything about a running transfer."""

    def __init__(self, bus: Bus, call: Call, state: dict[str, Any]) -> None:
        self.bus = bus
        self.id = call.transfer.id
        self.session = call.caller.room_id
        self.state = state
        self.sent = state["commands"]

    @property
    def next(self) -> dict[str, Any]:
        """An id and a deadline as the next command would have them."""
        self.sent += 1
        return {"command_id": f"{self.id}-{self.sent}", "deadline_at": time.time() + 10}

    async def write(self, subject: str, command: Command) -> None:
        await self.bus.publish(subject, encode(command))

    async def refused(self, count: int) -> list[str]:
        """Return the causes of the dead letters: what an attacker sees."""
        async with asyncio.timeout(RESULT_TIMEOUT_S):
            while len(letters := await self.bus.history(subjects.dead_letter(self.id), 100)) < count:
                await asyncio.sleep(0.1)
        return [json.loads(each.data)["cause"] for each in letters]


async def newest_state(bus: Bus, id: str) -> dict[str, Any]:
    stored = await bus.get_last(subjects.log(id))
    assert stored is not None
    return json.loads(stored.data)["state"]


async def attacked(driver: TransferDriver, bus: Bus, **config: Any) -> tuple[Call, Attacker]:
    """Begin a transfer whose supervisor is being briefed; return it with its attacker."""
    (caller,) = await driver.callers(1)
    call = await driver.begin(caller, SILENT, **config)
    await call.until(WarmTransferPhase.BRIEFING_STARTED)
    return call, Attacker(bus, call, await newest_state(bus, call.transfer.id))


async def test_forged_commands_move_end_record_and_say_nothing(driver: TransferDriver) -> None:
    async with await Bus.connect(driver.stack.settings(ROOT), name="attacker") as bus:
        call, attacker = await attacked(driver, bus)
        id, state, gateway = attacker.id, attacker.state, subjects.work_queue(attacker.id, "gateway")
        numbers = [attacker.next for _ in range(3)]
        forged: list[Command] = [
            SwitchCaller(
                room_id=state["room_id"],
                caller_call_id=state["caller_call_id"],
                supervisor_call_id=state["supervisor_call_id"],
                participant_id=f"wxc-{id}",
                **numbers[0],
            ),
            EndCall(
                attempt=1,
                room_id=state["room_id"],
                participant_id=f"wxs-{id}-1",
                call_id=state["caller_call_id"],
                **numbers[1] | {"command_id": f"{id}-1"},
            ),
            DialSupervisor(
                attempt=2,
                room_id=call.caller.room_id,
                participant_id=f"wxs-{id}-2",
                ringing_timeout_s=60,
                destination=SIPDestination("rr_1", "+14155550133", OUR_NUMBER),
                **numbers[2] | {"command_id": f"{id}-1"},
            ),
            RecordParticipant(
                room_id=call.caller.room_id,
                participant_id=str(state["caller_participant_id"]),
                **attacker.next | {"command_id": f"{id}-1"},
            ),
        ]
        for command in forged:
            await attacker.write(gateway, command)
        session = subjects.session_commands(attacker.session)
        fence = 1_000
        await attacker.write(session, HoldCaller(fence=fence, line=HOSTILE, transfer_id=id, **attacker.next))
        await attacker.write(session, LeaveCall(fence=fence + 1, transfer_id=id, **attacker.next))
        lines = dict.fromkeys(("summary", "greeting", "question", "connecting"), HOSTILE)
        brief = BriefSupervisor(fence=fence, **lines, **attacker.next)
        await attacker.write(subjects.consult(id), brief)
        await attacker.write(subjects.consult(id), LeaveConsultation(fence=fence + 1, **attacker.next))
        causes = await attacker.refused(3)
        assert all("has not sent this command" in each for each in causes), causes
        await asyncio.sleep(2.5)  # longer than the repeated reads of what was received live
        assert (await newest_state(bus, id))["stage"] == "briefing"
        await call.transfer.cancel("enough")
        assert (await call.result()).outcome is Outcome.CANCELLED
        report = await call.assert_clean_end(dials=1)
        assert report["switches"]["forward"] == 0
        ledger = await driver.stack.ledger()
    assert not any(HOSTILE in str(each.get("text")) for each in ledger)
    assert not any(each["kind"] == "recording_started" for each in ledger)


async def test_tokens_and_transcripts_are_refused(driver: TransferDriver) -> None:
    """Not even those who may ask for them get those of others."""
    stack = driver.stack
    async with (
        await Bus.connect(stack.settings(ROOT), name="attacker") as bus,
        await Bus.connect(stack.settings("briefing"), name="attacker") as briefing,
        await Bus.connect(stack.settings("agent"), name="attacker") as agent,
    ):
        call, attacker = await attacked(driver, bus)
        room = call.caller.room_id
        await asyncio.sleep(KEPT_S)  # the record that awaited the summary is not used any more
        for room_id, participant_id in (
            (room, f"wxa-{attacker.id}"),
            (room, "Agent Supervisor"),
            (attacker.state["room_id"], "eavesdropper"),
            (attacker.state["room_id"], f"wxs-{attacker.id}-1"),
        ):
            query = encode(RoomTokenQuery(room_id=room_id, participant_id=participant_id.replace(" ", "-")))
            for asker, subject in (
                (briefing, subjects.ASK_ROOM_TOKEN),
                (agent, subjects.ask_session_token(room)),
            ):
                with pytest.raises(InvalidRequest, match="No live transfer needs this participant"):
                    await asker.request(subject, query, 5.0)
        for transfer_id in ("", attacker.id, "another"):
            with pytest.raises((Busy, InvalidRequest, NoReply)):
                await agent.request(subjects.ask_history(room), encode(HistoryQuery(transfer_id)), 5.0)
        await call.transfer.cancel("enough")
        await call.result()


async def test_forged_deadlines_change_nothing(driver: TransferDriver) -> None:
    """Before, one of 1e308 raised in every coordinator, and one of a day ended the transfer."""
    async with await Bus.connect(driver.stack.settings(ROOT), name="attacker") as bus:
        (caller,) = await driver.callers(1)
        call = await driver.begin(caller, READY)
        await call.until(WarmTransferPhase.SUPERVISOR_DIALED)
        for due_at in (1e308, time.time() + 86_400, time.time() + 5, 0, -1e308):
            deadline = {"type": "deadline_passed", "due_at": due_at}
            await bus.publish(subjects.timeout(call.transfer.id), json.dumps(deadline).encode())
        assert (await call.result()).outcome is Outcome.COMPLETE
        await call.assert_clean_end()


async def test_a_forged_claim_prevents_the_dial_and_harms_no_caller(driver: TransferDriver) -> None:
    """A claim that another program wrote excludes every dial. No call is made, and the caller is back."""
    async with await Bus.connect(driver.stack.settings(ROOT), name="attacker") as bus:
        (caller,) = await driver.callers(1)
        id = new_id()
        claim = {"command_id": f"{id}-6", "token": "forged", "deadline_at": time.time() + 60}
        await bus.publish(subjects.effect_claim(id, "dial-1"), json.dumps(claim).encode())
        call = await driver.begin(caller, READY, id=id)
        result = await call.result()
        assert (result.outcome, result.success) == (Outcome.DIAL_FAILED, False)
        await call.assert_clean_end(dials=0)


async def test_a_forged_log_record_ends_its_transfer_and_leaves_no_leg(driver: TransferDriver) -> None:
    """Before, garbage in a log failed in every coordinator for ever, and the supervisor's leg stayed up."""
    async with await Bus.connect(driver.stack.settings(ROOT), name="attacker") as bus:
        call, attacker = await attacked(driver, bus, briefing_timeout_s=5.0)
        await bus.publish(subjects.log(attacker.id), b"\x00garbage")
        result = await call.transfer.result(2 * RESULT_TIMEOUT_S)
        assert not result.success
        report = await call.assert_clean_end()
        assert report["supervisorLegsUp"] == 0
