"""A coordinator that lives on while its stream or consumer is lost."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.stored import stored_of
from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.bus import Bus, DeadLetter, RetryableError, subjects
from warmxfer.bus.consumer_table import CONSUMERS, consumers_of
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    BriefSupervisor,
    DialSupervisor,
    ParticipantJoined,
    SupervisorDeclined,
    SwitchCaller,
    encode,
)
from warmxfer.schemas.events import CommandReply

from .coordinator_fixture import (
    SHORT_WINDOW_S,
    deliver,
    records,
    request,
    running_coordinators,
    shorten_duplicate_window,
    until_all_handled,
)
from .fake_actors import FakeActors, answers


async def test_old_triggers_of_a_consumer_created_again_are_not_applied_twice(fresh_bus: Bus) -> None:
    """They come as if for the first time. A cancelled transfer takes the old reply of its dial for a new leg.

    Without the check of their age, the log grows, and the gateway ends each old leg again.
    """

    def decline(command: AnyCommand) -> list[AnyEvent]:
        return [SupervisorDeclined(reason="no")] if isinstance(command, BriefSupervisor) else answers(command)

    await shorten_duplicate_window(fresh_bus)
    async with running_coordinators(fresh_bus):
        # A long guard: its end would add a record on a slow machine.
        await FakeActors(fresh_bus, "t-done").run_transfer(request("room-a", bridge_guard_s=300))
        await FakeActors(fresh_bus, "t-declined", decline).run_transfer(request("room-b"))
        await until_all_handled(fresh_bus)
    before = {id: await records(fresh_bus, id) for id in ("t-done", "t-declined")}
    assert before["t-declined"][-1].state.stage is Stage.CANCELLED
    await asyncio.sleep(2 * SHORT_WINDOW_S)
    for consumer in consumers_of("coordinator"):
        await fresh_bus._connection.api(f"CONSUMER.DELETE.{CONSUMERS[consumer].stream}.{consumer}")
    await fresh_bus.ensure()
    async with running_coordinators(fresh_bus):
        await until_all_handled(fresh_bus)
    assert {id: await records(fresh_bus, id) for id in before} == before


async def test_a_command_that_claims_an_effect_names_the_first_event(fresh_bus: Bus) -> None:
    """By it the gateway sees that the claims were lost, which are in the stream of the events."""
    actors = FakeActors(fresh_bus, "t-first")
    async with running_coordinators(fresh_bus):
        await actors.run_transfer(request("room-a"))
    stored = await records(fresh_bus, "t-first")
    event = next(each for each in stored if isinstance(each.event, CommandReply))
    effects = [each for each in actors.commands if isinstance(each, DialSupervisor | SwitchCaller)]
    assert [each.first_event for each in effects] == [event.trigger, event.trigger]


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("lost", [subjects.STREAMS, (subjects.CORE,)], ids=["all", "its own stream"])
async def test_a_transfer_of_a_lost_stream_is_not_continued_from_memory(
    fresh_bus: Bus, sent: bool, lost: tuple[str, ...]
) -> None:
    """The cached record names commands. In the new stream no effect claim forbids a second dial."""
    coordinator = Coordinator(fresh_bus)
    await fresh_bus.publish(subjects.request("t1"), request("room-a"))
    await deliver(fresh_bus, coordinator, subjects.request("t1"), 1)
    cached = coordinator._records._cache.get("t1")
    assert cached is not None
    cached.sent = sent
    for stream in lost:
        await fresh_bus._connection.api(f"STREAM.DELETE.{stream}")
    await fresh_bus.ensure()
    event = ParticipantJoined(room_id="room-a", participant_id="p")
    await fresh_bus.publish(subjects.event("t1", "gateway"), encode(event))
    # While the request is known, a coordinator that died may have been about to start the transfer.
    refused = DeadLetter if subjects.IN in lost else RetryableError
    with pytest.raises(refused, match=r"[Nn]o transfer t1"):
        await deliver(fresh_bus, coordinator, subjects.event("t1", "gateway"), 1)
    kept = [each.subject for each in await stored_of(fresh_bus, "t1")]
    internal = [each for each in kept if each.startswith("wx.")]
    assert [each for each in internal if not each.endswith(".request")] == [subjects.event("t1", "gateway")]
