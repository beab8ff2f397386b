"""The claims of a transfer are lost while its commands are not: another stream has them.

The gateway then does nothing that may have happened already, and looks for what may be up. It knows by the
first event of the transfer, which is in the stream of the claims and older than each of them.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

import pytest
from msgspec.structs import replace

from tests.testkit.sent_log import store_in_log
from warmxfer.bus import subjects
from warmxfer.schemas import (
    CallEnded,
    CallerReturned,
    CallerSwitched,
    Command,
    CommandFailed,
    FailureKind,
    ParticipantJoined,
    ReturnCaller,
    SupervisorDialed,
    encode,
)

from .gateway_fixture import Bridge, GatewayHarness

C = TypeVar("C", bound=Command)


async def after_an_event(harness: GatewayHarness, command: C) -> C:
    """Return `command` as a coordinator sends it that has applied an event."""
    event = ParticipantJoined(room_id="r", participant_id="p")
    seq = await harness.bus.publish(subjects.event(harness.id, "primary"), encode(event))
    return replace(command, first_event=seq)


async def lose_claims(harness: GatewayHarness) -> None:
    """Remove what the stream of events and claims holds of the transfer."""
    everything = {"filter": subjects.for_actors(harness.id)}
    purged = await harness.bus._connection.api(f"STREAM.PURGE.{subjects.EVENTS}", everything)
    assert purged["purged"] > 0


def again(harness: GatewayHarness, command: C, within_s: float = 5.0) -> C:
    """Return `command` as another one: the reply to the first one is known to the broker."""
    return replace(command, **harness.within(within_s))


async def test_a_dial_is_made_while_its_first_event_is_stored(harness: GatewayHarness) -> None:
    command = await after_an_event(harness, harness.dial(await harness.cloud.open_room()))
    await harness.execute(command, SupervisorDialed)
    assert len(await harness.executed("dial")) == 1


@pytest.mark.parametrize("within_s", [5.0, -1.0], ids=["in time", "late"])
async def test_a_dial_that_comes_again_is_found_and_not_repeated(
    harness: GatewayHarness, within_s: float
) -> None:
    """A late one does not say that the dial was called off: it is up."""
    command = await after_an_event(harness, harness.dial(await harness.cloud.open_room()))
    dialed = await harness.execute(command, SupervisorDialed)
    await lose_claims(harness)
    found = await harness.execute(again(harness, command, within_s), SupervisorDialed)
    assert found.call_id == dialed.call_id
    assert len(await harness.executed("dial")) == 1


async def test_an_event_of_another_transfer_does_not_stand_for_the_lost_one(harness: GatewayHarness) -> None:
    command = await after_an_event(harness, harness.dial(await harness.cloud.open_room()))
    other = subjects.event(f"{harness.id}-2", "primary")
    seq = await harness.bus.publish(other, encode(ParticipantJoined(room_id="r", participant_id="p")))
    failed = await harness.execute(replace(command, first_event=seq), CommandFailed)
    assert failed.failure is FailureKind.UNKNOWN
    assert await harness.executed("dial") == []


@pytest.mark.parametrize("redialled", [False, True])
async def test_the_leg_of_a_lost_dial_is_ended(harness: GatewayHarness, redialled: bool) -> None:
    """The claim that forbids the dial is the first one, although the dial was made.

    So is the claim of a dial that came again too late. It forbids nothing either.
    """
    dial = await after_an_event(harness, harness.dial(room := await harness.cloud.open_room()))
    await harness.execute(dial, SupervisorDialed)
    await lose_claims(harness)
    if redialled:
        await harness.execute(again(harness, dial, -1.0), SupervisorDialed)
    ended = await harness.execute(replace(harness.end(room), first_event=dial.first_event), CallEnded)
    assert ended.existed
    assert await harness.legs_up() == 0


async def test_a_switch_that_comes_again_is_found_and_not_repeated(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    command = harness.switch(bridge.caller, bridge.supervisor, bridge.consult)
    command = await after_an_event(harness, command)
    await harness.execute(command, CallerSwitched)
    await lose_claims(harness)
    await harness.execute(again(harness, command), CallerSwitched)
    assert len(await harness.executed("switch")) == 1


async def test_a_caller_is_moved_back_all_the_same(harness: GatewayHarness, bridge: Bridge) -> None:
    """A second move back does no harm. A missing one leaves the caller alone."""
    switch = harness.switch(bridge.caller, bridge.supervisor, bridge.consult)
    switch = await after_an_event(harness, switch)
    await harness.execute(switch, CallerSwitched)
    await lose_claims(harness)
    back = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
    returned = await harness.execute(replace(back, first_event=switch.first_event), CallerReturned)
    assert returned.caller_up
    assert await harness.room_of(bridge.caller) == bridge.primary


async def late_return(harness: GatewayHarness, bridge: Bridge) -> ReturnCaller:
    """Move the caller to the supervisor, lose the claims, and return a late command to move them back."""
    switch = harness.switch(bridge.caller, bridge.supervisor, bridge.consult)
    switch = await after_an_event(harness, switch)
    await harness.execute(switch, CallerSwitched)
    while await harness.room_of(bridge.caller) != bridge.consult:
        await asyncio.sleep(0.01)  # The cloud accepts a move before the caller is there.
    await lose_claims(harness)
    back = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
    return replace(again(harness, back, -1.0), first_event=switch.first_event)


async def test_a_return_of_an_archived_transfer_that_comes_late_moves_no_caller(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    """Its claims left the streams with it. A gateway that was stopped meanwhile finds none."""
    back = await late_return(harness, bridge)
    await store_in_log(harness.bus, harness.id, back, stage=harness.stage)
    await harness.bus.publish(subjects.archived(harness.id), b"{}\n")
    await harness.bus.publish(subjects.work_queue(harness.id, "gateway"), encode(back))
    failed = await harness.reply(back)
    assert isinstance(failed, CommandFailed)
    assert failed.failure is FailureKind.REFUSED
    assert await harness.room_of(bridge.caller) == bridge.consult


async def test_a_return_that_the_log_sent_after_the_archived_record_is_made(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    """A late event was recorded before the last record: the transfer goes on, and is archived again later."""
    back = await late_return(harness, bridge)
    await harness.bus.publish(subjects.archived(harness.id), b"{}\n")
    returned = await harness.execute(back, CallerReturned)
    assert returned.caller_up
    assert await harness.room_of(bridge.caller) == bridge.primary
