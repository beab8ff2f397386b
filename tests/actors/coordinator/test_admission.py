"""Admission: one transfer per caller, a limit on running transfers, and a maximum time in the queue."""

from __future__ import annotations

import asyncio
import time

import pytest
from msgspec.structs import replace

from warmxfer.actors.coordinator import Coordinator, CoordinatorSettings, run
from warmxfer.actors.coordinator.admission import Admission
from warmxfer.actors.coordinator.outbox import GUARD_TIMER, TIMER
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.bus import BrokerClock, Bus, subjects
from warmxfer.schemas import (
    DEFAULT_BRIDGE_GUARD_S,
    AnyCommand,
    AnyEvent,
    CheckLegs,
    HoldCaller,
    LeaveCall,
    Outcome,
    WarmTransferRequest,
    WarmTransferResult,
    decode_as,
    decode_command,
    decode_result,
)

from .coordinator_fixture import (
    deliver,
    last_delivery,
    records,
    request,
    running_coordinators,
    until_stored,
)
from .fake_actors import FakeActors, answers


async def test_a_second_transfer_of_the_same_caller_is_refused(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        first = asyncio.create_task(
            FakeActors(fresh_bus, "t-first", lambda _: []).run_transfer(request("room-a"))
        )
        await until_stored(fresh_bus, subjects.log("t-first"))
        second = await asyncio.wait_for(FakeActors(fresh_bus, "t-second").run_transfer(request("room-a")), 30)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert second.outcome is Outcome.CALLER_IN_TRANSFER
    assert second.detail == (
        "session room-a is already being transferred by t-first; wait for that transfer to end, or cancel it."
    )


async def test_a_caller_is_free_again_when_their_transfer_is_over(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        for id in ("t-one", "t-two"):
            result = await asyncio.wait_for(FakeActors(fresh_bus, id).run_transfer(request("room-a")), 30)
            assert result.success


async def test_a_transfer_beyond_the_limit_is_rejected_with_a_retry_time(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The callers used to wait for minutes without a reason."""

    def without_hold(command: AnyCommand) -> list[AnyEvent]:
        return [] if isinstance(command, HoldCaller) else answers(command)

    monkeypatch.setattr("warmxfer.actors.coordinator.admission.COUNT_EVERY_S", 0.0)
    running_transfers: list[asyncio.Task[WarmTransferResult]] = []
    running = asyncio.create_task(run(fresh_bus, CoordinatorSettings(max_transfers=2)))
    try:
        running_transfers = [
            asyncio.create_task(
                FakeActors(fresh_bus, f"t-in-{n}", without_hold).run_transfer(request(f"room-{n}"))
            )
            for n in range(2)
        ]
        for n in range(2):
            await until_stored(fresh_bus, subjects.timer(f"t-in-{n}", TIMER))
        actors = FakeActors(fresh_bus, "t-out")
        result = await asyncio.wait_for(actors.run_transfer(request("room-out")), 30)
        assert result.outcome is Outcome.TOO_BUSY
        assert result.evidence == {"retry_after_s": 5.0, "limit": "transfers"}
        assert result.detail == (
            "2 transfers are running, WARMXFER_MAX_TRANSFERS allows 2; "
            "ask again in 5 s, or start more coordinators."
        )
        assert actors.command_names == []
        await fresh_bus.publish(subjects.cancel("t-in-0"), b"{}")
        assert (await asyncio.wait_for(running_transfers[0], 30)).outcome is Outcome.CANCELLED
        assert (
            await asyncio.wait_for(FakeActors(fresh_bus, "t-later").run_transfer(request("room-out")), 30)
        ).success
    finally:
        for task in (running, *running_transfers):
            task.cancel()
        await asyncio.gather(running, *running_transfers, return_exceptions=True)


async def test_requests_that_waited_together_do_not_exceed_the_limit(fresh_bus: Bus) -> None:
    """All were counted before one of them started: without a second look the limit counted for none."""
    clock = BrokerClock()
    clock.observe(time.time())
    admission = Admission(fresh_bus, 3, clock)
    config = decode_as(WarmTransferRequest, request("room-a")).config
    await admission.listen()
    waiting = [
        asyncio.create_task(admission.admit(f"t-{number}", clock.now(), config)) for number in range(20)
    ]
    refusals = await asyncio.gather(*waiting)
    assert refusals.count(None) == 3
    assert {each.limit for each in refusals if each is not None} == {"transfers"}


async def test_a_transfer_in_its_bridge_guard_does_not_count_as_running(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.coordinator.admission.COUNT_EVERY_S", 0.0)
    running = asyncio.create_task(run(fresh_bus, CoordinatorSettings(max_transfers=1)))
    try:
        for n in range(3):
            transfer = FakeActors(fresh_bus, f"t-guarded-{n}").run_transfer(
                request(f"room-{n}", bridge_guard_s=300)
            )
            assert (await asyncio.wait_for(transfer, 30)).success
            await until_stored(fresh_bus, subjects.timer(f"t-guarded-{n}", GUARD_TIMER))
        assert await fresh_bus.count(subjects.any_timer(TIMER)) == 0
        assert await fresh_bus.count(subjects.any_timer(GUARD_TIMER)) == 3
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_request_without_a_bridge_guard_gets_the_default_at_admission(fresh_bus: Bus) -> None:
    """The record holds it, because a record without one is of a version without the guard."""
    async with running_coordinators(fresh_bus):
        for id, config in (
            ("t-default", {}),
            ("t-none", {"bridge_guard_s": None}),
            ("t-off", {"bridge_guard_s": 0}),
        ):
            await asyncio.wait_for(FakeActors(fresh_bus, id).run_transfer(request(id, **config)), 30)
    recorded = {}
    for id in ("t-default", "t-none", "t-off"):
        state = (await records(fresh_bus, id))[0].state
        assert state.request is not None
        recorded[id] = state.request.config.bridge_guard_s
    assert recorded == {"t-default": DEFAULT_BRIDGE_GUARD_S, "t-none": DEFAULT_BRIDGE_GUARD_S, "t-off": 0.0}


async def test_the_guards_timer_fires_and_the_session_leaves(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-leaves")
        assert (
            await asyncio.wait_for(actors.run_transfer(request("room-a", bridge_guard_s=0.4)), 30)
        ).success
        for _ in range(2):
            check = await _next_check(fresh_bus, actors)
            for event in answers(check):
                await actors.publish(event)
        async with asyncio.timeout(30):
            while not await _has_left(fresh_bus, "t-leaves", "room-a"):
                await asyncio.sleep(0.02)
        assert (await records(fresh_bus, "t-leaves"))[-1].state.stage is Stage.COMPLETED
        async with asyncio.timeout(30):
            while await fresh_bus.count(subjects.any_timer(GUARD_TIMER)):
                await asyncio.sleep(0.02)


async def _next_check(bus: Bus, actors: FakeActors) -> AnyCommand:
    """Return the next leg check that the fake actors have not answered."""
    answered = {each.command_id for each in actors.commands}
    async with asyncio.timeout(30):
        while True:
            stored = await bus.get_last(subjects.work_queue(actors.id, "gateway"))
            command = decode_command(stored.data) if stored else None
            if isinstance(command, CheckLegs) and command.command_id not in answered:
                actors.commands.append(command)
                return command
            await asyncio.sleep(0.02)


async def _has_left(bus: Bus, id: str, session: str) -> bool:
    stored = await bus.get_last(subjects.session_commands(session))
    return stored is not None and isinstance(decode_command(stored.data), LeaveCall)


async def test_a_request_that_was_queued_too_long_is_rejected(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id, room in (("t-old", "room-a"), ("t-new", "room-b")):
        await fresh_bus.publish(subjects.request(id), request(room))
    coordinator = Coordinator(fresh_bus)
    await deliver(fresh_bus, coordinator, subjects.request("t-new"), 1)
    monkeypatch.setattr("warmxfer.actors.coordinator.admission.MAX_QUEUED_S", 0.0)
    await deliver(fresh_bus, coordinator, subjects.request("t-old"), 1)
    result = await until_stored(fresh_bus, subjects.result("t-old"))
    assert decode_result(result.data).outcome is Outcome.TOO_BUSY
    assert await fresh_bus.get_last(subjects.result("t-new")) is None


async def test_a_request_is_not_old_because_the_brokers_clock_was_set_back(fresh_bus: Bus) -> None:
    """A message that arrived before had a time that the broker has not reached yet."""
    await fresh_bus.publish(subjects.request("t-new"), request("room-a"))
    coordinator = Coordinator(fresh_bus)
    delivery = await last_delivery(fresh_bus, subjects.request("t-new"), 1)
    assert coordinator.check(replace(delivery, at=delivery.at + 300.0)) is None
    await coordinator.handle(delivery)
    assert await fresh_bus.get_last(subjects.result("t-new")) is None
    assert await fresh_bus.get_last(subjects.log("t-new")) is not None
