"""Clean-up commands whose log is gone: only what carries the transfer's own mark is ended."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.sent_log import store_in_log
from warmxfer.actors.gateway import command_handler
from warmxfer.bus import subjects
from warmxfer.schemas import CloseRoom, Command, RoomCreated, SupervisorDialed, encode
from warmxfer.schemas import CreateRoom as Create

from .gateway_fixture import Bridge, GatewayHarness

SOON_S = 10.0


@pytest.fixture(autouse=True)
def gone_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_handler, "WITHOUT_LOG_AFTER", 2)


async def forge(harness: GatewayHarness, command: Command) -> None:
    await harness.bus.publish(subjects.work_queue(harness.id, "gateway"), encode(command))


async def archive(harness: GatewayHarness) -> None:
    """Leave the one record that stays for a while after a log was moved to the archive."""
    await store_in_log(harness.bus, harness.id, stage="failed", archived=True)


async def test_the_marked_leg_of_an_archived_transfer_is_ended(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    await harness.execute(harness.dial(room), SupervisorDialed)
    await archive(harness)
    await forge(harness, harness.end(room))
    async with asyncio.timeout(SOON_S):
        while await harness.legs_up():
            await asyncio.sleep(0.05)


async def test_a_call_that_the_command_names_is_not_ended(harness: GatewayHarness, bridge: Bridge) -> None:
    """Only the mark counts: the leg of the bridge has the participant id of this transfer, and no mark."""
    await archive(harness)
    await forge(harness, harness.end(bridge.consult, bridge.supervisor))
    await harness.all_handled()
    assert await harness.executed("end") == []


async def test_a_leg_that_talks_with_a_caller_is_kept(harness: GatewayHarness) -> None:
    """The log of a complete transfer may be archived while both still talk."""
    room = await harness.cloud.open_room()
    await harness.execute(harness.dial(room), SupervisorDialed)
    await harness.caller(room)
    await archive(harness)
    await forge(harness, harness.end(room))
    await harness.all_handled()
    assert await harness.legs_up() == 1


async def test_its_own_room_is_closed_and_no_other(harness: GatewayHarness, bridge: Bridge) -> None:
    reply = await harness.execute(Create(key=harness.id, **harness.within()), RoomCreated)
    await archive(harness)
    await forge(harness, CloseRoom(room_id=bridge.primary, key="another", **harness.within()))
    await harness.all_handled()
    assert [each["roomId"] for each in await harness.executed("room_deactivated")] == [reply.room_id]


async def test_no_effect_without_a_log(harness: GatewayHarness, bridge: Bridge) -> None:
    await archive(harness)
    await forge(harness, harness.switch(bridge.caller, bridge.supervisor, bridge.consult))
    await forge(harness, harness.bring_back(bridge.caller, bridge.consult, bridge.primary))
    await asyncio.sleep(1.0)
    assert await harness.executed("switch") == []
