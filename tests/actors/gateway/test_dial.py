"""The supervisor's leg: one dial an attempt, whatever the provider does, and none after it was called off."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.provider_sandbox import TIME_SCALE
from warmxfer.schemas import CallEnded, CommandFailed, FailureKind, SupervisorDialed

from .gateway_fixture import Office

DIAL = {"method": "POST", "path": "/v2/sip/call"}


async def test_a_dial_rings_the_supervisor_under_our_names(office: Office) -> None:
    room = await office.cloud.open_room()
    answer = await office.ask(office.dial(room), SupervisorDialed)
    [dial] = await office.executed("dial")
    assert answer.call_id == dial["callId"]
    assert answer.attempt == 1
    assert answer.response["message"] == "Call initiated successfully"
    assert dial["participantId"] == office.supervisor
    assert dial["roomId"] == room
    assert dial["metadata"] == {"warmxferId": office.id, "attempt": "1", "attemptKey": f"{office.id}-1"}


@pytest.mark.parametrize("kind", ["execute_then_reset", "execute_then_timeout", "garbage", "wrong_schema"])
async def test_a_dial_that_happened_unseen_is_found(office: Office, kind: str) -> None:
    room = await office.cloud.open_room()
    await office.cloud.break_once(kind, DIAL, holdS=20.0)
    answer = await office.ask(office.dial(room), SupervisorDialed)
    [dial] = await office.executed("dial")
    assert answer.call_id == dial["callId"]
    assert answer.response["data"]["roomId"] == room


async def test_a_dial_executed_late_is_waited_for(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.cloud.break_once("execute_late", DIAL, delayS=3.0)
    answer = await office.ask(office.dial(room), SupervisorDialed)
    assert [answer.call_id] == [dial["callId"] for dial in await office.executed("dial")]


@pytest.mark.parametrize(("kind", "status"), [("reset", None), ("status", 500)])
async def test_a_doubt_that_does_not_clear_is_unknown(office: Office, kind: str, status: int | None) -> None:
    room = await office.cloud.open_room()
    await office.cloud.break_once(kind, DIAL, status=500)
    answer = await office.ask(office.dial(room), CommandFailed)
    assert (answer.failure, answer.status) == (FailureKind.UNKNOWN, status)
    assert await office.executed("dial") == []


async def test_h9_a_rate_limit_is_waited_out(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.cloud.break_once("status", DIAL, times=2, status=429, retryAfterS=0.05)
    await office.ask(office.dial(room), SupervisorDialed)
    assert len(await office.executed("dial")) == 1


async def test_a_rate_limit_that_lasts_is_not_done(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.cloud.break_once("status", DIAL, times=0, status=429)
    answer = await office.ask(office.dial(room), CommandFailed)
    assert (answer.failure, answer.status) == (FailureKind.REFUSED, 429)
    assert await office.executed("dial") == []


async def test_a_refusal_says_why(office: Office) -> None:
    answer = await office.ask(office.dial("none-such-room"), CommandFailed)
    assert (answer.failure, answer.status) == (FailureKind.REFUSED, 404)
    assert answer.detail == "POST /v2/sip/call answered 404: Room not found."


async def test_a_number_outside_the_policy_is_never_dialled(idle_office: Office) -> None:
    idle_office.start(WARMXFER_DIAL_REGIONS="DE")
    room = await idle_office.cloud.open_room()
    answer = await idle_office.ask(idle_office.dial(room), CommandFailed)
    assert answer.failure is FailureKind.REFUSED
    assert "region US" in answer.detail
    assert await idle_office.executed("dial") == []


async def test_two_gateways_and_five_copies_make_one_dial(office: Office) -> None:
    office.start()
    room = await office.cloud.open_room()
    command = office.dial(room)
    await asyncio.gather(*(office.tell(command) for _ in range(5)))
    await office.answer(command)
    await office.all_handled()
    assert len(await office.executed("dial")) == 1
    answers = [event for event in await office.events() if isinstance(event, SupervisorDialed)]
    assert len(answers) == 1, "the same answer is stored once"


async def test_killed_between_claim_and_answer_it_is_found_again(idle_office: Office) -> None:
    """The first gateway is killed while the provider holds its answer back; the second one looks."""
    office = idle_office
    room = await office.cloud.open_room()
    await office.cloud.break_once("execute_then_timeout", DIAL, holdS=50.0)
    command = office.dial(room, within_s=20.0)
    async with office.process(WARMXFER_PROVIDER_TIMEOUT_S="7") as first:
        await office.tell(command)
        await office.cloud.wait_ledger(room, "dial", 1)
        first.kill()
        await first.wait()
    office.start()
    answer = await office.answer(command)
    assert isinstance(answer, SupervisorDialed)
    assert [answer.call_id] == [dial["callId"] for dial in await office.executed("dial")]


async def test_a_dial_nobody_waits_for_is_called_off(office: Office) -> None:
    room = await office.cloud.open_room()
    answer = await office.ask(office.dial(room, within_s=-1.0), CommandFailed)
    assert answer.failure is FailureKind.CALLED_OFF
    assert await office.executed("dial") == []


async def test_h15_the_end_before_the_dial_forbids_it(office: Office) -> None:
    room = await office.cloud.open_room()
    ended = await office.ask(office.end(room), CallEnded)
    assert (ended.attempt, ended.existed) == (1, False)
    answer = await office.ask(office.dial(room), CommandFailed)
    assert answer.failure is FailureKind.CALLED_OFF
    assert await office.executed("dial") == []


async def test_the_end_hangs_up(office: Office) -> None:
    room = await office.cloud.open_room()
    dialed = await office.ask(office.dial(room), SupervisorDialed)
    ended = await office.ask(office.end(room, dialed.call_id), CallEnded)
    assert ended.existed
    assert await office.legs_up() == 0
    again = await office.ask(office.end(room, dialed.call_id), CallEnded)
    assert again.existed
    assert len(await office.executed("end")) == 1


async def test_the_end_finds_a_leg_whose_id_never_came(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.cloud.break_once("execute_late", DIAL, delayS=9.0)
    assert (await office.ask(office.dial(room), CommandFailed)).failure is FailureKind.UNKNOWN
    await office.cloud.wait_ledger(room, "dial", 1)
    ended = await office.ask(office.end(room), CallEnded)
    assert ended.existed
    assert await office.legs_up() == 0


async def test_the_end_waits_until_a_dial_in_doubt_can_no_longer_come(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.cloud.break_once("execute_late", DIAL, delayS=6.0, holdS=2.0)
    dial = office.dial(room)
    await office.tell(dial)
    await office.claimed("dial-1")
    ended = await office.ask(office.end(room), CallEnded)
    assert ended.existed
    assert await office.legs_up() == 0
    await office.answer(dial)


async def test_the_end_gives_up_waiting_when_nothing_can_come(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.cloud.break_once("reset", DIAL)
    dial = office.dial(room)
    await office.tell(dial)
    await office.claimed("dial-1")
    ended = await office.ask(office.end(room), CallEnded)
    assert not ended.existed


async def test_a_leg_that_the_provider_made_twice_is_ended_twice(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.cloud.break_once("execute_twice", DIAL)
    dialed = await office.ask(office.dial(room), SupervisorDialed)
    assert await office.legs_up() == 2
    await office.ask(office.end(room, dialed.call_id), CallEnded)
    assert await office.legs_up() == 0


async def test_the_end_outlasts_a_provider_that_is_away(office: Office) -> None:
    room = await office.cloud.open_room()
    dialed = await office.ask(office.dial(room), SupervisorDialed)
    await office.cloud.break_once("status", {"method": "POST", "path": "/v2/sip/call/end"}, 4, status=503)
    await office.ask(office.end(room, dialed.call_id), CallEnded)
    assert await office.legs_up() == 0


async def test_the_end_of_a_leg_that_is_down_is_seen_at_a_provider_far_away(office: Office) -> None:
    """Found by simulation: the one look at a leg that hung up by itself was given too little time, so the
    caller's transfer stayed open for a minute behind an answer that could not come."""
    room = await office.cloud.open_room()
    dialed = await office.ask(office.dial(room), SupervisorDialed)
    await office.ask(office.end(room, dialed.call_id), CallEnded)
    look_up = {"method": "GET", "path": f"/v2/sip/call/{dialed.call_id}"}
    await office.cloud.break_once("slow_drip", look_up, 0, delayS=0.2 / TIME_SCALE)
    assert (await office.ask(office.end(room, dialed.call_id), CallEnded)).existed
