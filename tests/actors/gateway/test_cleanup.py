"""A leg that the provider makes long after everybody gave it up is looked for, found and ended."""

from __future__ import annotations

import asyncio
import json

from tests.actors.coordinator.fake_actors import Cast, answers
from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as coordinate
from warmxfer.bus import subjects
from warmxfer.schemas import AnyCommand, AnyEvent, Outcome, ToGateway, encode

from .gateway_fixture import HOUSE, SUPERVISOR, Office

DIAL = {"method": "POST", "path": "/v2/sip/call"}
CLOSE = {"method": "POST", "path": "/v2/rooms/deactivate"}
LATE_S = 30.0
"""By the cloud's watch, which is fast here."""
PATIENCE_S = 20.0


def all_but_the_gateway(command: AnyCommand) -> list[AnyEvent]:
    return [] if isinstance(command, ToGateway) else answers(command)


async def legs_up(office: Office, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await office.legs_up() != count:
            await asyncio.sleep(0.05)


async def test_a_supervisor_rung_half_a_minute_after_the_transfer_failed_is_not_left_ringing(
    office: Office,
) -> None:
    """No webhook tells of the leg, nobody is in the room, and the room could not be closed."""
    caller = await office.caller()
    await office.cloud.break_once("execute_late", DIAL, delayS=LATE_S)
    await office.cloud.break_once("status", CLOSE, times=0, status=400)
    destination = {"routing_rule_id": "rr_1", "sip_call_to": SUPERVISOR, "sip_call_from": HOUSE}
    request = {
        "room_id": caller["roomId"],
        "config": {"destination": destination, "command_timeout_s": 1.5},
    }
    coordinating = asyncio.create_task(coordinate(office.bus, CoordinatorSettings()))
    try:
        cast = Cast(office.bus, office.id, all_but_the_gateway)
        result = await asyncio.wait_for(cast.play(json.dumps(request).encode()), PATIENCE_S)
        assert result.outcome is Outcome.DIAL_FAILED
        assert await office.executed("dial") == []
        await legs_up(office, 1)
        await legs_up(office, 0)
    finally:
        coordinating.cancel()
        await asyncio.gather(coordinating, return_exceptions=True)
    assert len(await office.executed("dial")) == 1
    assert len(await office.executed("end")) == 1, "it would have stopped by itself"
    assert (await office.bus.get_last(subjects.result(office.id))).data == encode(result)  # type: ignore[union-attr]
