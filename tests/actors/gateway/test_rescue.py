"""RescueCaller: the caller's leg is checked first, and one person or agent at most comes to them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmxfer.schemas import (
    CallerCallFound,
    CallerRescued,
    CommandFailed,
    FailureKind,
    FindCallerCall,
    Rescue,
    RescueByAgent,
    RescueByDial,
    RescueCaller,
    participant_ids,
)

from .gateway_fixture import OUR_NUMBER, SUPERVISOR, GatewayHarness

RESCUER = "+14155550114"
DIAL = {"method": "POST", "path": "/v2/sip/call"}
LOOK_UP = {"method": "GET", "path": "/v2/sip/call/*"}
DISPATCH = {"method": "POST", "path": "/v2/agent/dispatch"}
AGENT = RescueByAgent(agent_id="sandbox-agent")


def by_dial(number: str = RESCUER) -> RescueByDial:
    return RescueByDial(routing_rule_id="rr_1", sip_call_to=number, sip_call_from=OUR_NUMBER)


class Rescued:
    """A caller in the primary room, and the commands to rescue them."""

    def __init__(self, harness: GatewayHarness, caller: dict[str, str], room_id: str | None = None) -> None:
        self.harness = harness
        self.room_id = room_id or caller["roomId"]
        self.call_id = caller["callId"]
        self.participant_id = caller["participantId"]

    def command(self, rescue: Rescue, *, within_s: float = 5.0, **fields: Any) -> RescueCaller:
        known: dict[str, Any] = {
            "room_id": self.room_id,
            "caller_call_id": self.call_id,
            "supervisor_call_id": None,
            "consultation_room_id": None,
            "participant_id": participant_ids.rescuer(self.harness.id),
            "ringing_timeout_s": 30,
        }
        return RescueCaller(rescue=rescue, **{**known, **fields}, **self.harness.within(within_s))

    async def rescue(self, rescue: Rescue, **fields: Any) -> CallerRescued:
        return await self.harness.execute(self.command(rescue, **fields), CallerRescued)

    async def fail(self, rescue: Rescue, **fields: Any) -> CommandFailed:
        return await self.harness.execute(self.command(rescue, **fields), CommandFailed)

    async def executed(self) -> list[dict[str, Any]]:
        return await self.harness.executed("dial") + await self.harness.executed("dispatch")


async def rescued(harness: GatewayHarness) -> Rescued:
    return Rescued(harness, await harness.caller(await harness.cloud.open_room()))


async def test_a_person_is_dialled_into_the_room_of_the_caller(harness: GatewayHarness) -> None:
    caller = await rescued(harness)
    reply = await caller.rescue(by_dial())
    [dial] = await caller.executed()
    assert (reply.by, reply.call_id) == ("dial", dial["callId"])
    assert dial["roomId"] == caller.room_id
    assert dial["participantId"] == f"wxh-{harness.id}"
    assert dial["metadata"] == {
        "warmxferId": harness.id,
        "attempt": "rescue",
        "attemptKey": f"{harness.id}-rescue",
    }


async def test_an_agent_is_dispatched_into_the_room_of_the_caller(harness: GatewayHarness) -> None:
    caller = await rescued(harness)
    agent = RescueByAgent(agent_id="sandbox-agent", metadata={"language": "en"})
    reply = await caller.rescue(agent)
    [dispatch] = await caller.executed()
    assert (reply.by, reply.call_id) == ("agent", None)
    assert dispatch["roomId"] == caller.room_id
    assert dispatch["metadata"]["language"] == "en"
    assert dispatch["metadata"]["warmxferId"] == harness.id
    await harness.cloud.wait_ledger(caller.room_id, "speech", 1)


async def test_a_caller_without_a_known_call_is_found_in_the_room(harness: GatewayHarness) -> None:
    caller = await rescued(harness)
    await caller.rescue(by_dial(), caller_call_id=None)
    assert len(await caller.executed()) == 1


@pytest.mark.parametrize("rescue", [by_dial(), AGENT])
async def test_a_caller_who_hung_up_is_not_rescued(harness: GatewayHarness, rescue: Rescue) -> None:
    caller = await rescued(harness)
    await harness.cloud.hang_up(caller.participant_id)
    for call_id in (caller.call_id, None):
        reply = await caller.fail(rescue, caller_call_id=call_id)
        assert reply.failure is FailureKind.CALLER_GONE
    assert await caller.executed() == []


async def test_a_caller_who_is_with_the_supervisor_is_not_rescued(harness: GatewayHarness) -> None:
    """And they are, by the same transfer, once the supervisor has hung up."""
    primary = await harness.cloud.open_room()
    consultation = await harness.cloud.open_room()
    caller = Rescued(harness, await harness.caller(consultation), primary)
    supervisor = await harness.cloud.dial(consultation, harness.supervisor, SUPERVISOR)
    legs = {"supervisor_call_id": supervisor, "consultation_room_id": consultation}
    reply = await caller.fail(AGENT, **legs)
    assert reply.failure is FailureKind.CALLED_OFF
    assert await harness.executed("dispatch") == []
    await harness.cloud.hang_up(harness.supervisor)
    await caller.rescue(AGENT, **legs)
    [dispatch] = await harness.executed("dispatch")
    assert dispatch["roomId"] == primary


async def test_a_rescue_during_an_outage_of_the_provider_has_not_begun(harness: GatewayHarness) -> None:
    """Nothing is claimed, and the same transfer is rescued after the outage."""
    caller = await rescued(harness)
    await harness.cloud.break_once("status", LOOK_UP, times=0, status=503)
    reply = await caller.fail(by_dial())
    assert (reply.failure, reply.not_begun) == (FailureKind.REFUSED, True)
    await harness.cloud.http.delete("/sandbox/faults")
    await caller.rescue(by_dial())
    assert len(await caller.executed()) == 1


async def test_a_caller_in_another_room_is_not_rescued(harness: GatewayHarness) -> None:
    caller = await rescued(harness)
    elsewhere = await harness.cloud.open_room()
    reply = await caller.fail(by_dial(), room_id=elsewhere)
    assert (reply.failure, reply.not_begun) == (FailureKind.REFUSED, False)
    assert await caller.executed() == []


async def test_the_number_of_a_rescue_must_pass_the_dial_policy(idle_harness: GatewayHarness) -> None:
    idle_harness.start(WARMXFER_DIAL_REGIONS="DE")
    caller = await rescued(idle_harness)
    reply = await caller.fail(by_dial())
    assert reply.failure is FailureKind.REFUSED
    assert reply.detail.startswith("config.rescue.sip_call_to is '+•••••••••14', a number of region US; ")
    assert await caller.executed() == []


@pytest.mark.parametrize("rescue", [by_dial(), AGENT])
async def test_two_gateways_and_five_copies_make_one_rescue(harness: GatewayHarness, rescue: Rescue) -> None:
    harness.start()
    caller = await rescued(harness)
    commands = [caller.command(rescue) for _ in range(2)]
    await asyncio.gather(*(harness.send(command) for command in (*commands, *commands, commands[0])))
    for command in commands:
        await harness.reply(command)
    await harness.all_handled()
    assert len(await caller.executed()) == 1


@pytest.mark.parametrize("kind", ["execute_then_reset", "execute_then_timeout", "garbage", "wrong_schema"])
async def test_a_dial_without_a_reply_is_found(harness: GatewayHarness, kind: str) -> None:
    caller = await rescued(harness)
    await harness.cloud.break_once(kind, DIAL, holdS=20.0)
    reply = await caller.rescue(by_dial())
    assert [reply.call_id] == [dial["callId"] for dial in await caller.executed()]


@pytest.mark.parametrize("kind", ["execute_then_reset", "execute_then_timeout", "garbage", "wrong_schema"])
async def test_a_dispatch_without_a_reply_is_not_repeated(harness: GatewayHarness, kind: str) -> None:
    caller = await rescued(harness)
    await harness.cloud.break_once(kind, DISPATCH, holdS=20.0)
    for _ in range(2):
        reply = await caller.fail(AGENT)
        assert reply.failure is FailureKind.UNKNOWN
    assert len(await caller.executed()) == 1


async def test_a_dial_that_is_not_found_is_unknown_and_not_repeated(harness: GatewayHarness) -> None:
    caller = await rescued(harness)
    await harness.cloud.break_once("status", DIAL, status=500)
    for _ in range(2):
        reply = await caller.fail(by_dial())
        assert reply.failure is FailureKind.UNKNOWN
    assert await caller.executed() == []


async def test_a_refused_rescue_is_refused_for_good(harness: GatewayHarness) -> None:
    caller = await rescued(harness)
    unknown = RescueByAgent(agent_id="no-such-agent")
    first, second = await caller.fail(unknown), await caller.fail(AGENT)
    assert (first.failure, first.status) == (FailureKind.REFUSED, 404)
    assert "No workers registered" in first.detail
    assert second.failure is FailureKind.REFUSED
    assert await caller.executed() == []


async def test_a_rescue_that_certainly_was_not_made_is_repeated(harness: GatewayHarness) -> None:
    """Before, the one rescue of the transfer was used up by a rate limit."""
    caller = await rescued(harness)
    await harness.cloud.break_once("status", DIAL, times=0, status=429)
    for _ in range(2):
        reply = await caller.fail(by_dial())
        assert (reply.failure, reply.not_begun) == (FailureKind.REFUSED, True)
    await harness.cloud.http.delete("/sandbox/faults")
    await caller.rescue(by_dial())
    await caller.rescue(by_dial())
    assert len(await caller.executed()) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_look_up_that_is_refused_uses_up_no_rescue(harness: GatewayHarness, status: int) -> None:
    caller = await rescued(harness)
    await harness.cloud.break_once("status", LOOK_UP, times=0, status=status)
    reply = await caller.fail(by_dial())
    assert (reply.failure, reply.not_begun) == (FailureKind.REFUSED, True)
    await harness.cloud.http.delete("/sandbox/faults")
    await caller.rescue(by_dial())
    assert len(await caller.executed()) == 1


async def test_an_expired_rescue_is_not_made_and_forbids_none(harness: GatewayHarness) -> None:
    caller = await rescued(harness)
    await harness.send(caller.command(by_dial(), within_s=-5.0))
    await harness.all_handled()
    assert await caller.executed() == []
    await caller.rescue(by_dial())
    assert len(await caller.executed()) == 1


async def test_a_rescue_of_a_killed_gateway_is_found_by_another(idle_harness: GatewayHarness) -> None:
    harness = idle_harness
    caller = await rescued(harness)
    await harness.cloud.break_once("execute_then_timeout", DIAL, holdS=50.0)
    command = caller.command(by_dial(), within_s=20.0)
    async with harness.process(WARMXFER_PROVIDER_TIMEOUT_S="7") as first:
        await harness.send(command)
        await harness.cloud.wait_ledger(caller.room_id, "dial", 1)
        first.kill()
        await first.wait()
    harness.start()
    reply = await harness.reply(command)
    assert isinstance(reply, CallerRescued)
    assert [reply.call_id] == [dial["callId"] for dial in await caller.executed()]


async def test_a_caller_is_still_found_beside_the_person_who_rescues_them(harness: GatewayHarness) -> None:
    """The person's leg is marked, so no later transfer takes it for the caller's."""
    caller = await rescued(harness)
    await caller.rescue(by_dial())
    await harness.cloud.wait_ledger(caller.room_id, "answered", 2)
    found = await harness.execute(
        FindCallerCall(room_id=caller.room_id, call_id=None, **harness.within()), CallerCallFound
    )
    assert found.call_id == caller.call_id
