"""Several waiting events of one transfer become one record, and no crash loses or repeats one of them."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.inbound_events import decode_trigger
from warmxfer.actors.coordinator.state_machine import Applied, expand_log, step
from warmxfer.bus import Bus, Delivery, Stored, subjects
from warmxfer.bus.subjects import CORE, PUBLIC, WRITERS
from warmxfer.schemas import CallerCallFound, CallerHeld, Command, RoomCreated, SummaryReady

from .coordinator_fixture import (
    PATIENCE_S,
    SHORT_WINDOW_S,
    SimulatedCrash,
    deliver,
    delivery_of,
    records,
    request,
    shorten_duplicate_window,
)
from .fake_actors import FakeActors, answers

ID = "t-folded"
PREPARED = (CallerHeld, CallerCallFound, RoomCreated, SummaryReady)


class CrashesBeforePublish(Coordinator):
    async def _publish(self, cached, stored=()):  # type: ignore[no-untyped-def]
        raise SimulatedCrash


async def started(bus: Bus) -> Coordinator:
    """Return the coordinator that handled the request of the transfer."""
    coordinator = Coordinator(bus)
    await bus.publish(subjects.request(ID), request("room-a"), msg_id="request")
    await deliver(bus, coordinator, subjects.request(ID), 1)
    return coordinator


async def replied(bus: Bus) -> list[Delivery]:
    """Reply to each command of the newest record. Return the deliveries of the replies."""
    actors = FakeActors(bus, ID)
    for command in (await records(bus, ID))[-1].outbox:
        if isinstance(command, Command):
            for event in answers(command):  # type: ignore[arg-type]
                await actors.publish(event)
    return [delivery_of(each, 1) for each in await events(bus)]


async def events(bus: Bus) -> list[Stored]:
    found = [each for role in WRITERS for each in await said(bus, role)]
    return sorted(found, key=lambda each: each.seq)


async def said(bus: Bus, role: str) -> list[Stored]:
    return await bus.history(subjects.event(ID, role), 100)


async def messages(bus: Bus) -> list[tuple[str, str | None]]:
    """Return subject and message id of all that the coordinator has published for the transfer."""
    found = [
        *await bus.history(subjects.for_actors(ID), 500, stream=CORE),
        *await bus.history(subjects.session_commands("room-a"), 500, stream=CORE),
        *await bus.history(subjects.for_users(ID), 500, stream=PUBLIC),
    ]
    return sorted((each.subject, each.msg_id) for each in found if each.subject != subjects.log(ID))


def again(deliveries: list[Delivery], count: int = 2) -> list[Delivery]:
    return [replace(each, delivery_count=count) for each in deliveries]


async def test_waiting_events_are_one_record(fresh_bus: Bus) -> None:
    coordinator = await started(fresh_bus)
    deliveries = await replied(fresh_bus)
    assert len(deliveries) >= 3
    assert await coordinator.handle_together(deliveries) == len(deliveries)
    first, record = await records(fresh_bus, ID)
    assert record.triggers == [(each.at, each.seq) for each in deliveries]
    assert record.first_event == deliveries[0].seq
    assert max(record.at, record.newest_at) == max(each.at for each in deliveries)
    assert record.state.seq == 1 + len(deliveries)
    stored = await fresh_bus.get_last(subjects.log(ID))
    assert stored is not None
    assert stored.msg_id == f"{ID}:event:{'+'.join(str(each.seq) for each in deliveries)}"
    transitions = [*expand_log([first, record])]
    assert [each.state.seq for each in transitions] == [*range(1, 2 + len(deliveries))]
    assert {type(each.event) for each in transitions[1:]} <= {*PREPARED}


async def test_together_and_alone_lead_to_the_same_state(fresh_bus: Bus) -> None:
    coordinator = await started(fresh_bus)
    deliveries = await replied(fresh_bus)
    await coordinator.handle_together(deliveries)
    first, together = await records(fresh_bus, ID)
    state = first.state
    for each in deliveries:
        applied = step(state, decode_trigger(each), each.at)
        assert isinstance(applied, Applied)
        state = applied.state
    assert together.state == state


@pytest.mark.parametrize("place", [0, 1, -1])
async def test_a_crash_before_the_outputs_are_published(fresh_bus: Bus, place: int) -> None:
    """Whichever event of the record is redelivered first, to another coordinator: it publishes them."""
    await started(fresh_bus)
    deliveries = await replied(fresh_bus)
    dying = CrashesBeforePublish(fresh_bus)
    await dying._records.read(ID)
    dying._records.known(ID).sent = True  # type: ignore[union-attr]
    before = await messages(fresh_bus)
    with pytest.raises(SimulatedCrash):
        await dying.handle_together(deliveries)
    written = await records(fresh_bus, ID)
    assert len(written) == 2
    assert await messages(fresh_bus) == before
    other = Coordinator(fresh_bus)
    await other.handle(again(deliveries)[place])
    after = await messages(fresh_bus)
    assert len(after) > len(before)
    for each in again(deliveries):
        await other.handle(each)
    assert await messages(fresh_bus) == after
    assert await records(fresh_bus, ID) == written


async def test_a_crash_before_the_acknowledgement(fresh_bus: Bus) -> None:
    """Each coordinator knows each of them, also if a record followed and the broker has forgotten the ids."""
    await shorten_duplicate_window(fresh_bus)
    coordinator = await started(fresh_bus)
    deliveries = await replied(fresh_bus)
    assert await coordinator.handle_together(deliveries) == len(deliveries)
    await fresh_bus.publish(subjects.cancel(ID), b"{}", msg_id="cancel")
    await deliver(fresh_bus, coordinator, subjects.cancel(ID), 1)
    written, sent = await records(fresh_bus, ID), await messages(fresh_bus)
    assert len(written) == 3
    await asyncio.sleep(3 * SHORT_WINDOW_S)
    for handler in (coordinator, Coordinator(fresh_bus)):
        for each in again(deliveries):
            await handler.handle(each)
        await handler.handle_together(again(deliveries))
    assert await records(fresh_bus, ID) == written
    assert await messages(fresh_bus) == sent


@pytest.mark.parametrize("same_process", [True, False])
async def test_a_new_consumer_delivers_them_again_as_new(fresh_bus: Bus, same_process: bool) -> None:
    """A consumer that was deleted and created again counts from one."""
    await shorten_duplicate_window(fresh_bus)
    coordinator = await started(fresh_bus)
    deliveries = await replied(fresh_bus)
    await coordinator.handle_together(deliveries)
    await fresh_bus.publish(subjects.cancel(ID), b"{}", msg_id="cancel")
    await deliver(fresh_bus, coordinator, subjects.cancel(ID), 1)
    written = await records(fresh_bus, ID)
    await asyncio.sleep(3 * SHORT_WINDOW_S)
    handler = coordinator if same_process else Coordinator(fresh_bus)
    left = deliveries
    async with asyncio.timeout(PATIENCE_S):
        while left:
            left = left[await handler.handle_together(left) :]
    assert await records(fresh_bus, ID) == written


async def test_another_coordinator_that_was_first_leaves_each_to_go_alone(fresh_bus: Bus) -> None:
    first = await started(fresh_bus)
    second = Coordinator(fresh_bus)
    await second._records.read(ID)
    second._records.known(ID).sent = True  # type: ignore[union-attr]
    deliveries = await replied(fresh_bus)
    await first.handle(deliveries[0])
    assert await second.handle_together(deliveries[1:]) == 1, "the append was late, so the first goes alone"
    assert await second.handle_together(deliveries[2:]) == len(deliveries) - 2
    triggers = [each for record in await records(fresh_bus, ID) for each in record.triggers]
    assert triggers[1:] == [(each.at, each.seq) for each in deliveries]


async def test_a_dead_letter_that_was_applied_with_others_is_not_applied_again(fresh_bus: Bus) -> None:
    coordinator = await started(fresh_bus)
    deliveries = await replied(fresh_bus)
    await coordinator.handle_together(deliveries)
    written = await records(fresh_bus, ID)
    for each in again(deliveries, count=9):
        await Coordinator(fresh_bus).on_dead_letter(each, "was started 9 times")
    assert await records(fresh_bus, ID) == written


async def test_an_unreadable_event_between_them_ends_the_record_before_it(fresh_bus: Bus) -> None:
    coordinator = await started(fresh_bus)
    deliveries = await replied(fresh_bus)
    torn = replace(deliveries[-1], data=b"{", seq=deliveries[-1].seq + 1)
    assert await coordinator.handle_together([*deliveries[:2], torn, *deliveries[2:]]) == 2
    assert (await records(fresh_bus, ID))[-1].triggers == [(each.at, each.seq) for each in deliveries[:2]]
