"""A request whose call the dial policy forbids ends before the caller is held."""

from __future__ import annotations

import asyncio
import json

from warmxfer.actors.common.dial_policy import DialPolicy
from warmxfer.actors.coordinator import Coordinator
from warmxfer.bus import Bus, subjects
from warmxfer.schemas import Outcome, WarmTransferPhase, decode_phase, decode_result

from .coordinator_fixture import deliver, records, request

AMERICA = DialPolicy(regions=frozenset({"US"}))
ABROAD = "+442079460000"


def rescue(number: str) -> dict[str, str]:
    return {"by": "dial", "routing_rule_id": "r", "sip_call_to": number, "sip_call_from": "+14155550100"}


async def ask(bus: Bus, id: str, body: bytes, policy: DialPolicy = AMERICA) -> None:
    await bus.publish(subjects.request(id), body)
    await deliver(bus, Coordinator(bus, policy=policy), subjects.request(id), 1)


async def commands(bus: Bus) -> list[str]:
    """Return the subjects of every command, also of those to a session."""
    stored = await bus.history(">", 100, stream=subjects.CORE)
    return [each.subject for each in stored if ".do." in each.subject or ".session." in each.subject]


async def test_a_forbidden_number_ends_the_request_before_any_command(fresh_bus: Bus) -> None:
    body = json.loads(request("room-a"))
    body["config"]["destination"]["sip_call_to"] = ABROAD
    await ask(fresh_bus, "t-1", json.dumps(body).encode())
    stored = await fresh_bus.get_last(subjects.result("t-1"))
    assert stored is not None
    result = decode_result(stored.data)
    assert (result.success, result.outcome) == (False, Outcome.DIAL_FAILED)
    assert result.detail == (
        "config.destination.sip_call_to is '+••••••••••00', a number of region GB; "
        "dial US, or extend WARMXFER_DIAL_REGIONS."
    )
    phases = [decode_phase(each.data).phase for each in await fresh_bus.history(subjects.phase("t-1"), 9)]
    assert phases == [WarmTransferPhase.TRANSFER_FAILED]
    assert await commands(fresh_bus) == []
    (record,) = await records(fresh_bus, "t-1")
    assert record.state.stage.ended


async def test_the_number_of_a_rescue_is_checked_at_admission_too(fresh_bus: Bus) -> None:
    await ask(fresh_bus, "t-1", request("room-a", rescue=rescue(ABROAD)))
    stored = await fresh_bus.get_last(subjects.result("t-1"))
    assert stored is not None
    assert (decode_result(stored.data).detail or "").startswith("config.rescue.sip_call_to is ")
    assert await commands(fresh_bus) == []


async def test_the_caller_of_a_refused_request_is_free_for_the_next_one(fresh_bus: Bus) -> None:
    await ask(fresh_bus, "t-1", request("room-a", rescue=rescue(ABROAD)))
    await ask(fresh_bus, "t-2", request("room-a", rescue=rescue("+14155550114")))
    (record,) = await records(fresh_bus, "t-2")
    assert record.state.decision is None
    assert await commands(fresh_bus)


async def test_a_refused_request_is_refused_once(fresh_bus: Bus) -> None:
    """Another coordinator with another policy does not start what the first one refused."""
    await ask(fresh_bus, "t-1", request("room-a", rescue=rescue(ABROAD)))
    later = Coordinator(fresh_bus)
    await asyncio.wait_for(deliver(fresh_bus, later, subjects.request("t-1"), 2), 30)
    assert len(await records(fresh_bus, "t-1")) == 1
    assert await commands(fresh_bus) == []
