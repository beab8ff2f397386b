"""An operator has a coordinator handle a dead-lettered message again; what could do harm is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from msgspec.structs import replace

from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.dead_letter_replay import DeadLetterReplay
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.bus import Bus, InvalidRequest, LiveMessage, Stored, subjects
from warmxfer.client import Client, NoCoordinator, NoSuchDeadLetter
from warmxfer.schemas import (
    CallerCallEnded,
    CancelRequest,
    CloseRoom,
    Command,
    DialSupervisor,
    EndCall,
    HoldCaller,
    ReplayQuery,
    SwitchCaller,
    decode_command,
    encode,
)

from .coordinator_fixture import (
    deliver,
    delivery_of,
    records,
    request,
    run_until,
    running_coordinators,
    until_all_handled,
    until_stored,
)
from .fake_actors import CALLER_CALL, FakeActors

ID = "t-1"


async def store_dead_letter(bus: Bus, subject: str, seq: int, *, id: str = ID, **more: Any) -> int:
    """Store a dead letter about message `seq`, and return the number of the dead letter."""
    stream = subjects.place_of(subject).stream
    body = {"subject": subject, "seq": seq, "cause": "x", "tries": 5, "consumer": "c", "stream": stream}
    body |= more
    return await bus.publish(subjects.dead_letter(id), json.dumps(body).encode())


async def test_a_request_that_no_coordinator_handled_starts_its_transfer(fresh_bus: Bus) -> None:
    """It is taken from the queue before a coordinator runs, as a dead-lettered one is."""
    await fresh_bus.publish(subjects.request(ID), request("room-a"))
    stored = await until_stored(fresh_bus, subjects.request(ID))
    consumer = delivery_of(stored, 1).consumer
    reset = f"CONSUMER.RESET.{subjects.IN}.{consumer}"
    await fresh_bus._connection.api(reset, {"seq": stored.seq + 1}, 5.0)
    number = await store_dead_letter(fresh_bus, stored.subject, stored.seq)
    async with running_coordinators(fresh_bus):
        assert await records(fresh_bus, ID) == []
        asked_at = await fresh_bus.broker_time()
        replayed = await Client(fresh_bus).replay(number)
        assert (replayed.subject, replayed.seq) == (stored.subject, stored.seq)
        first = (await records(fresh_bus, ID))[0]
        assert first.trigger == stored.seq
        assert first.at >= asked_at, "it is as old as the replay, so it is not refused for its age"
        with pytest.raises(InvalidRequest, match="the request of transfer t-1, which has begun;"):
            await Client(fresh_bus).replay(number)
        assert sum(each.trigger == stored.seq for each in await records(fresh_bus, ID)) == 1


async def test_a_request_whose_id_was_used_before_is_not_replayed_in_silence(fresh_bus: Bus) -> None:
    """The first request with an id owns it. Its transfer is gone here, and its request is stored."""
    await fresh_bus.publish(subjects.request(ID), request("room-a"))
    await fresh_bus.publish(subjects.request(ID), request("room-b"), msg_id="second")
    second = await until_stored(fresh_bus, subjects.request(ID))
    number = await store_dead_letter(fresh_bus, second.subject, second.seq)
    replay = DeadLetterReplay(fresh_bus, Coordinator(fresh_bus).handle)
    with pytest.raises(InvalidRequest, match="did not begin, because its id was used before"):
        await replay.answer(LiveMessage(subjects.ASK_REPLAY, encode(ReplayQuery(number))))


async def skip(bus: Bus, stored: Stored) -> None:
    """Let the consumer of a trigger deliver only what is stored after it."""
    name = delivery_of(stored, 1).consumer
    stream = subjects.place_of(stored.subject).stream
    await bus._connection.api(f"CONSUMER.RESET.{stream}.{name}", {"seq": stored.seq + 1}, 5.0)


async def old_cancel(bus: Bus) -> tuple[Stored, int]:
    """Return a cancel that was dead-lettered before its transfer began, and its dead letter's number."""
    await bus.publish(subjects.cancel(ID), encode(CancelRequest(reason="wrong person")))
    stored = await until_stored(bus, subjects.cancel(ID))
    await skip(bus, stored)
    return stored, await store_dead_letter(bus, stored.subject, stored.seq)


async def old_event(bus: Bus) -> tuple[Stored, int]:
    """Return an event that was dead-lettered before its transfer began, and its dead letter's number."""
    async with running_coordinators(bus):
        await bus.publish(subjects.event(ID, "gateway"), encode(CallerCallEnded(call_id=CALLER_CALL)))
        letter = await until_stored(bus, subjects.dead_letter(ID))
    return await until_stored(bus, subjects.event(ID, "gateway")), letter.seq


@pytest.mark.parametrize("old_trigger", [old_cancel, old_event])
async def test_a_cancel_or_an_event_acts_at_the_time_of_the_replay(
    fresh_bus: Bus, old_trigger: Callable[[Bus], Awaitable[tuple[Stored, int]]]
) -> None:
    """At the time of the old message, it would be before its transfer began."""
    stored, number = await old_trigger(fresh_bus)
    await run_until(fresh_bus, ID, Stage.RINGING, DialSupervisor)
    asked_at = await fresh_bus.broker_time()
    async with running_coordinators(fresh_bus):
        await Client(fresh_bus).replay(number)
        kept = await records(fresh_bus, ID)
        (record,) = [each for each in kept if each.trigger == stored.seq]
        assert record.at >= asked_at
        assert [each.at for each in kept] == sorted(each.at for each in kept)
        deadlines = [each.deadline_at for each in record.outbox if isinstance(each, Command)]
        assert deadlines
        assert min(deadlines) > asked_at


async def test_a_cancel_of_no_transfer_is_refused_with_the_cause(fresh_bus: Bus) -> None:
    """Regression: the operator was asked to try again, as for a cancel that came before its request."""
    _, number = await old_cancel(fresh_bus)
    async with running_coordinators(fresh_bus):
        with pytest.raises(InvalidRequest, match=f"there is no transfer {ID}"):
            await Client(fresh_bus).replay(number)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_cancel_is_replayed_once(fresh_bus: Bus, restarted: bool) -> None:
    """Neither another replay nor its own consumer, which delivers it as if for the first time, repeats it."""
    stored, number = await old_cancel(fresh_bus)
    await run_until(fresh_bus, ID, Stage.RINGING, DialSupervisor)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running_coordinators(fresh_bus))
        await Client(fresh_bus).replay(number)
        if restarted:
            await stack.aclose()
            await stack.enter_async_context(running_coordinators(fresh_bus))
        for _ in range(2):
            await Client(fresh_bus).replay(number)
        assert sum(each.trigger == stored.seq for each in await records(fresh_bus, ID)) == 1
    applied = len(await records(fresh_bus, ID))
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.cancel(ID), 1)
    assert len(await records(fresh_bus, ID)) == applied


async def test_a_trigger_that_was_handled_changes_nothing(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        body = request("room-a", bridge_guard_s=300)
        await asyncio.wait_for(FakeActors(fresh_bus, ID).run_transfer(body), 30)
        await until_all_handled(fresh_bus)
        before = await records(fresh_bus, ID)
        events = [
            each
            for role in subjects.WRITERS
            for each in await fresh_bus.history(subjects.event(ID, role), 100)
        ]
        assert len(events) > 5
        for stored in events:
            await Client(fresh_bus).replay(await store_dead_letter(fresh_bus, stored.subject, stored.seq))
        assert await records(fresh_bus, ID) == before


@pytest.mark.parametrize("command", [DialSupervisor, SwitchCaller])
async def test_a_command_that_is_not_awaited_any_more_is_refused(fresh_bus: Bus, command: type[Any]) -> None:
    async with running_coordinators(fresh_bus):
        await asyncio.wait_for(FakeActors(fresh_bus, ID).run_transfer(request("room-a")), 30)
        sent = await commands(fresh_bus, command)
        number = await store_dead_letter(fresh_bus, subjects.work_queue(ID, "gateway"), sent[0])
        with pytest.raises(InvalidRequest, match=f"which transfer {ID} does not await any more"):
            await Client(fresh_bus).replay(number)
        assert await commands(fresh_bus, command) == sent


async def test_a_command_that_is_awaited_is_published_again(fresh_bus: Bus) -> None:
    await run_until(fresh_bus, ID, Stage.RINGING, DialSupervisor)
    (seq,) = await commands(fresh_bus, DialSupervisor)
    number = await store_dead_letter(fresh_bus, subjects.work_queue(ID, "gateway"), seq)
    async with running_coordinators(fresh_bus):
        await Client(fresh_bus).replay(number)
        assert len(await commands(fresh_bus, DialSupervisor)) == 2
        await Client(fresh_bus).replay(number)
        assert len(await commands(fresh_bus, DialSupervisor)) == 2, "twice is once"


@pytest.mark.parametrize(
    "command",
    [
        EndCall(
            command_id=f"{ID}-9", deadline_at=1.0, attempt=1, room_id="r", participant_id="p", call_id="c"
        ),
        CloseRoom(command_id=f"{ID}-10", deadline_at=1.0, room_id="r"),
    ],
)
async def test_a_command_that_only_cleans_up_is_published_again(fresh_bus: Bus, command: Any) -> None:
    subject = subjects.work_queue(ID, "gateway")
    number = await store_dead_letter(fresh_bus, subject, await fresh_bus.publish(subject, encode(command)))
    async with running_coordinators(fresh_bus):
        await Client(fresh_bus).replay(number)
    assert len(await commands(fresh_bus, type(command))) == 2


async def test_what_names_no_message_of_its_transfer_is_refused(fresh_bus: Bus) -> None:
    other = await fresh_bus.publish(subjects.request("t-2"), request("room-b"))
    phase = await fresh_bus.publish(subjects.phase(ID), b"{}")
    hold = encode(HoldCaller(command_id=f"{ID}-2", deadline_at=1.0, fence=1, line="x"))
    held = await fresh_bus.publish(subjects.consult(ID), hold)
    other_subject = (await until_stored(fresh_bus, subjects.request("t-2"))).subject
    numbers = {
        "of another transfer": await store_dead_letter(fresh_bus, other_subject, other),
        "not stored any more": await store_dead_letter(fresh_bus, subjects.event(ID, "gateway"), 12),
        "stands for 7 messages": await store_dead_letter(
            fresh_bus, subjects.event(ID, "gateway"), 12, count=7
        ),
        "no valid id": await store_dead_letter(fresh_bus, "wx.3.a b.request", 1, id=subjects.INVALID_ID),
        "no message that a worker handles": await store_dead_letter(fresh_bus, subjects.phase(ID), phase),
        "does not await any more": await store_dead_letter(fresh_bus, subjects.consult(ID), held),
        "is not a dead letter": await fresh_bus.publish(subjects.dead_letter(ID), b"[]"),
        "no dead letter has this number": phase,
    }
    async with running_coordinators(fresh_bus):
        for sentence, number in numbers.items():
            with pytest.raises(InvalidRequest, match=sentence):
                await Client(fresh_bus).replay(number)
        with pytest.raises(InvalidRequest, match="not a ReplayQuery"):
            await fresh_bus.request(subjects.ASK_REPLAY, b"[]", 5.0)


async def test_the_newest_dead_letters_are_listed_first(fresh_bus: Bus) -> None:
    client = Client(fresh_bus)
    assert await client.dead_letters() == []
    numbers = [await store_dead_letter(fresh_bus, subjects.event(ID, "gateway"), seq) for seq in range(1, 8)]
    await fresh_bus.publish(subjects.dead_letter(ID), b"not json")
    listed = await client.dead_letters(3)
    assert [each.number for each in listed] == numbers[:-4:-1]
    assert (listed[0].transfer_id, listed[0].body.seq, listed[0].body.consumer) == (ID, 7, "c")
    assert await client.dead_letter(numbers[0]) == (await client.dead_letters(100))[-1]
    for number in (0, -3, numbers[-1] + 100):
        with pytest.raises(NoSuchDeadLetter):
            await client.dead_letter(number)
    with pytest.raises(InvalidRequest, match="limit is 0; give 1 to 1000"):
        await client.dead_letters(0)
    with pytest.raises(NoCoordinator):
        await client.replay(numbers[0])


async def commands(bus: Bus, kind: type[Any]) -> list[int]:
    """Return the numbers of the stored commands of one type."""
    stored = await bus.history(subjects.work_queue(ID, "gateway"), 100)
    return [each.seq for each in stored if isinstance(decode_command(each.data), kind)]


async def test_a_replayed_trigger_is_found_by_its_record(fresh_bus: Bus) -> None:
    """Its time is later than each record, and the time of its message is earlier than its own record."""
    stored, _ = await old_cancel(fresh_bus)
    coordinator, first = Coordinator(fresh_bus), delivery_of(stored, 1)
    await fresh_bus.publish(subjects.request(ID), request("room-a"))
    await deliver(fresh_bus, coordinator, subjects.request(ID), 1)  # So it knows every record of the log.
    replay = replace(first, at=await fresh_bus.broker_time(), delivery_count=2, replayed=True)
    kept = coordinator._records
    assert not await kept.is_applied(await kept.load(ID), replay, redelivered=True)
    await coordinator.handle(replay)
    later = replace(replay, at=replay.at + 1.0)
    for delivery in (replay, later, first):
        redelivered = delivery.delivery_count > 1
        assert await kept.is_applied(await kept.load(ID), delivery, redelivered=redelivered)
