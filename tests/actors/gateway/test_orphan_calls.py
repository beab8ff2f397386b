"""Orphan legs: a leg that the stream has lost is ended, and no conversation is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as coordinate
from warmxfer.actors.gateway.orphan_calls import SCANS, OrphanCallReaper
from warmxfer.adapters.telephony import CallRecord, Rejected, choose_provider
from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider
from warmxfer.bus import LiveMessage, subjects
from warmxfer.schemas import (
    CallerRescued,
    Outcome,
    RescueByDial,
    RescueCaller,
    SupervisorDialed,
    WarmTransferPhase,
    WarmTransferResult,
    encode,
    participant_ids,
)
from warmxfer.schemas.archived import ArchivedTransfer

from .gateway_fixture import OUR_NUMBER, GatewayHarness

DEPLOYMENT = "deployment-1"
UNREADABLE = "a-room-that-cannot-be-read"
ScanAs = Callable[[str], Awaitable[int]]


@pytest_asyncio.fixture(loop_scope="session")
async def coordinator(idle_harness: GatewayHarness) -> AsyncIterator[None]:
    """A coordinator, which replies that a transfer is not live."""
    ready = asyncio.Event()
    running = asyncio.create_task(
        coordinate(idle_harness.bus, CoordinatorSettings(), ready=ready.set), name="coordinator"
    )
    await asyncio.wait_for(ready.wait(), 5)
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="session")
async def scan(idle_harness: GatewayHarness) -> AsyncIterator[ScanAs]:
    """`await scan(deployment)`: scan as a gateway of that deployment, then return the number of legs that
    are up.
    """
    provider = choose_provider(idle_harness.env).open(None, None)

    async def scan_as(deployment: str) -> int:
        reaper = OrphanCallReaper(idle_harness.bus, provider, deployment, interval_s=60.0)
        for _ in range(SCANS):
            await reaper.scan()
        return await idle_harness.legs_up()

    yield scan_as
    await provider.aclose()


async def dial(harness: GatewayHarness, room_id: str) -> None:
    """Dial a leg as a gateway of the deployment, for a transfer that the stream does not contain."""
    harness.start(WARMXFER_DEPLOYMENT=DEPLOYMENT)
    harness.stage = "failed"
    await harness.execute(harness.dial(room_id), SupervisorDialed)
    await harness.stop()
    assert await harness.legs_up() == 1


@pytest.mark.usefixtures("coordinator")
async def test_an_orphan_leg_is_ended_and_its_room_closed(idle_harness: GatewayHarness) -> None:
    await dial(idle_harness, await idle_harness.cloud.open_room())
    idle_harness.start(WARMXFER_DEPLOYMENT=DEPLOYMENT, WARMXFER_RECONCILE_S="1")
    async with asyncio.timeout(10):
        while await idle_harness.legs_up():
            await asyncio.sleep(0.05)
        while not await idle_harness.executed("room_deactivated"):
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("coordinator")
async def test_a_caller_whose_move_comes_late_keeps_the_supervisor(idle_harness: GatewayHarness) -> None:
    """Found by chaos once no worker was restarted: after two scans the leg was ended and the room closed.

    The move of the caller came later and failed, and the caller was in no room.
    """
    room_id = await idle_harness.cloud.open_room()
    await dial(idle_harness, room_id)
    provider = choose_provider(idle_harness.env).open(None, None)
    reaper = OrphanCallReaper(idle_harness.bus, provider, DEPLOYMENT, interval_s=60.0)
    for _ in range(SCANS - 1):
        await reaper.scan()
    assert await idle_harness.legs_up() == 1
    await idle_harness.caller(room_id)
    for _ in range(SCANS):
        await reaper.scan()
    await provider.aclose()
    assert SCANS >= 3
    assert await idle_harness.executed("end") == []


@pytest.mark.usefixtures("coordinator")
async def test_the_leg_of_a_supervisor_who_talks_with_a_caller_is_not_ended(
    idle_harness: GatewayHarness, scan: ScanAs
) -> None:
    room_id = await idle_harness.cloud.open_room()
    await dial(idle_harness, room_id)
    await idle_harness.caller(room_id)
    assert await scan(DEPLOYMENT) == 1
    assert await idle_harness.executed("end") == []


async def rescue(harness: GatewayHarness) -> dict[str, str]:
    """Rescue a caller as a gateway of the deployment; return the caller."""
    harness.start(WARMXFER_DEPLOYMENT=DEPLOYMENT)
    harness.stage = "failed"
    caller = await harness.caller(await harness.cloud.open_room())
    command = RescueCaller(
        room_id=caller["roomId"],
        caller_call_id=caller["callId"],
        supervisor_call_id=None,
        consultation_room_id=None,
        participant_id=participant_ids.rescuer(harness.id),
        ringing_timeout_s=30,
        rescue=RescueByDial(routing_rule_id="rr_1", sip_call_to="+14155550114", sip_call_from=OUR_NUMBER),
        **harness.within(),
    )
    await harness.execute(command, CallerRescued)
    await harness.stop()
    assert await harness.legs_up() == 1
    return caller


@pytest.mark.usefixtures("coordinator")
async def test_the_leg_of_a_rescue_is_not_ended_while_the_caller_is_there(
    idle_harness: GatewayHarness, scan: ScanAs
) -> None:
    await rescue(idle_harness)
    assert await scan(DEPLOYMENT) == 1


@pytest.mark.usefixtures("coordinator")
async def test_the_leg_of_a_rescue_is_ended_without_the_caller_and_their_room_is_not_closed(
    idle_harness: GatewayHarness, scan: ScanAs
) -> None:
    """The room is the user's: an AI may still be in it."""
    caller = await rescue(idle_harness)
    await idle_harness.cloud.hang_up(caller["participantId"])
    assert await scan(DEPLOYMENT) == 0
    assert await idle_harness.executed("room_deactivated") == []


@pytest.mark.usefixtures("coordinator")
async def test_the_legs_of_a_successful_transfer_are_not_ended(
    idle_harness: GatewayHarness, scan: ScanAs
) -> None:
    await dial(idle_harness, await idle_harness.cloud.open_room())
    complete = WarmTransferResult(
        success=True,
        phase=WarmTransferPhase.TRANSFER_COMPLETE,
        outcome=Outcome.COMPLETE,
        consultation_room_id=None,
        supervisor_call_id=None,
        switched_call_id=None,
        summary="",
    )
    await idle_harness.bus.publish(subjects.result(idle_harness.id), encode(complete))
    assert await scan(DEPLOYMENT) == 1
    await idle_harness.bus.purge(subjects.PUBLIC, subjects.result(idle_harness.id))
    summary = ArchivedTransfer(id=idle_harness.id, phase=complete.phase, seq=11, at=1.0, result=complete)
    await idle_harness.bus.publish(subjects.archived(idle_harness.id), encode(summary) + b"\n")
    assert await scan(DEPLOYMENT) == 1


@pytest.mark.usefixtures("coordinator")
async def test_a_leg_of_another_deployment_is_not_ended(idle_harness: GatewayHarness, scan: ScanAs) -> None:
    await dial(idle_harness, await idle_harness.cloud.open_room())
    assert await scan("deployment-2") == 1


async def test_no_leg_is_ended_without_a_coordinator(idle_harness: GatewayHarness, scan: ScanAs) -> None:
    await dial(idle_harness, await idle_harness.cloud.open_room())
    assert await scan(DEPLOYMENT) == 1


async def test_no_leg_is_ended_when_a_coordinator_fails_at_the_liveness_query(
    idle_harness: GatewayHarness, scan: ScanAs
) -> None:
    """The error reply used to end the gateway."""

    async def fail(_: LiveMessage) -> bytes:
        raise LookupError("a record of a newer version")

    await dial(idle_harness, await idle_harness.cloud.open_room())
    async with idle_harness.bus.serve(subjects.ASK_LIVENESS, fail):
        assert await scan(DEPLOYMENT) == 1


@pytest.mark.usefixtures("coordinator")
async def test_a_leg_that_cannot_be_read_keeps_no_other_leg_up(
    idle_harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch, scan: ScanAs
) -> None:
    await dial(idle_harness, await idle_harness.cloud.open_room())
    find, read = VideoSDKProvider.find_marked_calls, VideoSDKProvider.find_caller_call

    async def with_another(self: VideoSDKProvider, *args: Any, **options: Any) -> list[CallRecord]:
        legs = await find(self, *args, **options)
        return [*(replace(leg, call_id="other", room_id=UNREADABLE) for leg in legs[:1]), *legs]

    async def refused(self: VideoSDKProvider, room_id: str, **options: Any) -> CallRecord | None:
        if room_id == UNREADABLE:
            raise Rejected("this room cannot be read", status=403)
        return await read(self, room_id, **options)

    monkeypatch.setattr(VideoSDKProvider, "find_marked_calls", with_another)
    monkeypatch.setattr(VideoSDKProvider, "find_caller_call", refused)
    assert await scan(DEPLOYMENT) == 0


async def test_a_bug_in_one_scan_ends_neither_the_scans_nor_the_gateway(
    idle_harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = 0

    async def broken(*_: object) -> None:
        nonlocal scans
        scans += 1
        raise KeyError("a record without a field")

    monkeypatch.setattr(OrphanCallReaper, "scan", broken)
    provider = choose_provider(idle_harness.env).open(None, None)
    running = asyncio.create_task(OrphanCallReaper(idle_harness.bus, provider, DEPLOYMENT, 0.01).run())
    async with asyncio.timeout(10):
        while scans < 3 and not running.done():
            await asyncio.sleep(0.01)
    assert scans >= 3
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await provider.aclose()
