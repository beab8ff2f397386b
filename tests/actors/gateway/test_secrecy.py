"""A number, a name and a secret pass through the gateway; none may appear in a log or in the stream."""

from __future__ import annotations

import pytest
import structlog

from tests.testkit.provider_sandbox import SECRET
from tests.testkit.stored import stored_of
from warmxfer.schemas import (
    CallEnded,
    CreateRoom,
    RoomCreated,
    SupervisorDialed,
)

from .gateway_fixture import CALLER, OUR_NUMBER, SUPERVISOR, Bridge, GatewayHarness, build_bridge

FAULTS = ["reset", "execute_then_reset", "garbage", "status"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_log_line_contains_a_number_or_a_secret(
    idle_harness: GatewayHarness, capfd: pytest.CaptureFixture[str], fault: str
) -> None:
    harness = idle_harness
    with structlog.testing.capture_logs() as lines:
        await harness.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY="fetch")
        room = (await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)).room_id
        body = {"message": f"cannot call {SUPERVISOR}, nor 415-555-0110, with {SECRET}"}
        await harness.cloud.break_once(
            fault, {"method": "POST", "path": "/v2/sip/call"}, status=400, body=body
        )
        dial = harness.dial(room)
        await harness.send(dial)
        await harness.reply(dial)
        await harness.execute(harness.end(room), CallEnded)
        await harness.stop()
    assert {"provider_request", "command_handled", "effect_claimed"} <= {line["event"] for line in lines}
    out, err = capfd.readouterr()
    seen = repr(lines) + out + err
    for canary in (SUPERVISOR.lstrip("+"), OUR_NUMBER.lstrip("+"), SECRET, "eyJ", "555-0110"):
        assert canary not in seen


async def test_no_secret_or_token_enters_the_stream(idle_harness: GatewayHarness) -> None:
    harness = idle_harness
    harness.start()
    bridge: Bridge = await build_bridge(harness)
    room = (await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)).room_id
    await harness.execute(harness.dial(room), SupervisorDialed)
    await harness.send(harness.switch(bridge.caller, bridge.supervisor, bridge.consult))
    await harness.execute(harness.bring_back(bridge.caller, bridge.primary, bridge.consult), object)
    stored = await stored_of(harness.bus, harness.id)
    assert len(stored) > 5
    for message in stored:
        assert SECRET.encode() not in message.data
        assert b"eyJ" not in message.data
        if ".intent." in message.subject:
            assert CALLER.encode() not in message.data
            assert SUPERVISOR.encode() not in message.data
