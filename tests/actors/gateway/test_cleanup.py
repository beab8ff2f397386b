"""Clean-up: a leg that the provider creates long after the transfer failed is found and ended."""

from __future__ import annotations

import asyncio
import json

from tests.actors.coordinator.fake_actors import FakeActors, answers
from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as run_coordinator
from warmxfer.bus import subjects
from warmxfer.schemas import AnyCommand, AnyEvent, Outcome, ToGateway, encode

from .gateway_fixture import OUR_NUMBER, SUPERVISOR, GatewayHarness

DIAL = {"method": "POST", "path": "/v2/sip/call"}
CLOSE = {"method": "POST", "path": "/v2/rooms/deactivate"}
LATE_S = 30.0
"""By the cloud's clock, which is ten times as fast."""
PATIENCE_S = 20.0


def all_but_the_gateway(command: AnyCommand) -> list[AnyEvent]:
    return [] if isinstance(command, ToGateway) else answers(command)


async def legs_up(harness: GatewayHarness, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await harness.legs_up() != count:
            await asyncio.sleep(0.05)


async def test_a_leg_dialled_half_a_minute_after_the_transfer_failed_is_ended(
    harness: GatewayHarness,
) -> None:
    """No webhook reports the leg, no participant is in the room, and the room could not be closed."""
    caller = await harness.caller()
    await harness.cloud.break_once("execute_late", DIAL, delayS=LATE_S)
    await harness.cloud.break_once("status", CLOSE, times=0, status=400)
    destination = {"routing_rule_id": "rr_1", "sip_call_to": SUPERVISOR, "sip_call_from": OUR_NUMBER}
    request = {
        "room_id": caller["roomId"],
        "config": {"destination": destination, "command_timeout_s": 1.5},
    }
    running = asyncio.create_task(run_coordinator(harness.bus, CoordinatorSettings()))
    try:
        actors = FakeActors(harness.bus, harness.id, all_but_the_gateway)
        result = await asyncio.wait_for(actors.run_transfer(json.dumps(request).encode()), PATIENCE_S)
        assert result.outcome is Outcome.DIAL_FAILED
        assert await harness.executed("dial") == []
        await legs_up(harness, 1)
        await legs_up(harness, 0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert len(await harness.executed("dial")) == 1
    assert len(await harness.executed("end")) == 1, "it would have stopped by itself"
    assert (await harness.bus.get_last(subjects.result(harness.id))).data == encode(result)  # type: ignore[union-attr]
