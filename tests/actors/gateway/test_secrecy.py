"""Canaries: a number, a name, and a secret go through everything; none is seen where it must not be."""

from __future__ import annotations

import pytest
import structlog

from tests.testkit.provider_sandbox import SECRET
from warmxfer.bus import subjects
from warmxfer.schemas import (
    CallEnded,
    CreateRoom,
    RoomCreated,
    SupervisorDialed,
)

from .gateway_fixture import CALLER, HOUSE, SUPERVISOR, Bridge, Office, build_bridge

FAULTS = ["reset", "execute_then_reset", "garbage", "status"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_log_line_holds_a_number_or_a_secret(
    idle_office: Office, capfd: pytest.CaptureFixture[str], fault: str
) -> None:
    office = idle_office
    with structlog.testing.capture_logs() as lines:
        await office.start_with_webhooks(WARMXFER_WEBHOOK_PUBLIC_KEY="fetch")
        room = (await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)).room_id
        body = {"message": f"cannot call {SUPERVISOR}, nor 415-555-0110, with {SECRET}"}
        await office.cloud.break_once(
            fault, {"method": "POST", "path": "/v2/sip/call"}, status=400, body=body
        )
        dial = office.dial(room)
        await office.tell(dial)
        await office.answer(dial)
        await office.ask(office.end(room), CallEnded)
        await office.stop()
    assert {"provider_request", "command_handled", "effect_claimed"} <= {line["event"] for line in lines}
    out, err = capfd.readouterr()
    seen = repr(lines) + out + err
    for canary in (SUPERVISOR.lstrip("+"), HOUSE.lstrip("+"), SECRET, "eyJ", "555-0110"):
        assert canary not in seen


async def test_no_secret_or_token_enters_the_stream(idle_office: Office) -> None:
    office = idle_office
    office.start()
    bridge: Bridge = await build_bridge(office)
    room = (await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)).room_id
    await office.ask(office.dial(room), SupervisorDialed)
    await office.tell(office.switch(bridge.caller, bridge.supervisor, bridge.consult))
    await office.ask(office.bring_back(bridge.caller, bridge.primary, bridge.consult), object)
    stored = await office.bus.history(subjects.all_of(office.id), 1_000)
    assert len(stored) > 5
    for message in stored:
        assert SECRET.encode() not in message.data
        assert b"eyJ" not in message.data
        if ".intent." in message.subject:
            assert CALLER.encode() not in message.data
            assert SUPERVISOR.encode() not in message.data
