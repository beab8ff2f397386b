"""A coordinator with stale data: it reads a slow replica, was paused, or lost a timer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.testkit.stored import stored_of
from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.outbox import TIMER
from warmxfer.actors.coordinator.state_machine import Stage, step
from warmxfer.bus import Bus, DeadLetter, RetryableError, Stored, TransferLog, subjects
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    CallerHeld,
    CallerReleased,
    DeadlinePassed,
    DialSupervisor,
    LivenessQuery,
    LivenessReply,
    Outcome,
    SupervisorDialed,
    decode_as,
    encode,
)

from .coordinator_fixture import (
    PATIENCE_S,
    SHORT_WINDOW_S,
    deliver,
    records,
    request,
    run_until,
    running_coordinators,
    shorten_duplicate_window,
    transitions,
    until_stored,
)
from .fake_actors import FakeActors, answers

SHORT_OVERDUE_S = 0.5


class StaleReplicaBus(Bus):
    """A bus whose direct gets are served by a replica that has nothing after sequence `seen`."""

    def __init__(self, bus: Bus, seen: int) -> None:
        super().__init__(bus._connection)
        self._seen = seen

    async def get_last(self, subject: str, *, deadline_s: float = 5.0) -> Stored | None:
        stored = await self.history(subject, 1_000, deadline_s=deadline_s)
        return stored[-1] if stored else None

    async def history(self, subject: str, limit: int, **options: Any) -> list[Stored]:
        stored = await super().history(subject, limit, **options)
        return [each for each in stored if each.seq <= self._seen]


async def ask_liveness(bus: Bus, id: str) -> bool:
    return decode_as(
        LivenessReply, await bus.request(subjects.ASK_LIVENESS, encode(LivenessQuery(id)), 2)
    ).live


# ── a slow replica ───────────────────────────────────────────────────────────────────────────────────


async def test_a_stale_read_does_not_lose_an_event(fresh_bus: Bus) -> None:
    """Found in a cluster with a slow follower. On the old record there was no dial, so the dial's reply was
    ignored. A transfer's only timer was lost in the same way.
    """
    await run_until(fresh_bus, "t-old", Stage.RINGING, DialSupervisor)
    dial = (await records(fresh_bus, "t-old"))[-1].state.pending
    command_id = next(id for id, pending in dial.items() if pending.kind == "dial_supervisor")
    stale_bus = StaleReplicaBus(fresh_bus, (await fresh_bus.history(subjects.log("t-old"), 1))[0].seq)
    answer = SupervisorDialed(command_id=command_id, attempt=1, call_id="call-2")
    await fresh_bus.publish(subjects.event("t-old", "gateway"), encode(answer))
    await deliver(fresh_bus, Coordinator(stale_bus), subjects.event("t-old", "gateway"), 1)
    assert (await records(fresh_bus, "t-old"))[-1].event == answer


async def test_a_stale_read_does_not_report_a_transfer_as_ended(fresh_bus: Bus) -> None:
    await fresh_bus.publish(subjects.request("t-young"), request("room-a"))
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.request("t-young"), 1)
    async with running_coordinators(StaleReplicaBus(fresh_bus, seen=0)):
        assert await ask_liveness(fresh_bus, "t-young")
        assert not await ask_liveness(fresh_bus, "t-never")


async def test_a_stale_read_does_not_drop_a_cancel(fresh_bus: Bus) -> None:
    await fresh_bus.publish(subjects.request("t-asked"), request("room-a"))
    await fresh_bus.publish(subjects.cancel("t-asked"), b"{}")
    with pytest.raises(RetryableError):
        await deliver(
            fresh_bus, Coordinator(StaleReplicaBus(fresh_bus, seen=0)), subjects.cancel("t-asked"), 10
        )
    await fresh_bus.publish(subjects.cancel("t-unasked"), b"{}")
    with pytest.raises(DeadLetter):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.cancel("t-unasked"), 10)


# ── a timer that was lost ────────────────────────────────────────────────────────────────────────────


async def test_a_caller_is_released_when_the_timer_of_the_transfer_is_lost(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The liveness reply used to stay positive for ever, although nothing happened any more."""
    monkeypatch.setattr("warmxfer.actors.coordinator.liveness.OVERDUE_S", SHORT_OVERDUE_S)
    monkeypatch.setitem(step.__globals__, "TIMER_LOST_AFTER_S", SHORT_OVERDUE_S)

    def holds_and_releases(command: AnyCommand) -> list[AnyEvent]:
        return answers(command) if "Caller" in type(command).__name__ else []

    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-lost", holds_and_releases)
        running = asyncio.create_task(actors.run_transfer(request("room-a", command_timeout_s=3)))
        async with asyncio.timeout(PATIENCE_S):
            while CallerHeld not in [type(each.event) for each in await transitions(fresh_bus, "t-lost")]:
                await asyncio.sleep(0.02)
        timer = {"filter": subjects.timer("t-lost", TIMER)}
        assert (await fresh_bus._connection.api(f"STREAM.PURGE.{subjects.CORE}", timer))["purged"] == 1
        assert await ask_liveness(fresh_bus, "t-lost")
        async with asyncio.timeout(PATIENCE_S):
            while await ask_liveness(fresh_bus, "t-lost"):
                await asyncio.sleep(0.05)
        await actors.publish(CallerReleased(command_id=None, cause="bus_silent"))
        result = await asyncio.wait_for(running, 30)
    assert result.outcome is Outcome.SESSION_RELEASED


# ── a freeze ─────────────────────────────────────────────────────────────────────────────────────────


class PausingLog(TransferLog):
    """Pauses between the append and the publishing of its outputs, until `resume`."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.paused, self.resume = asyncio.Event(), asyncio.Event()

    async def append(self, *args, **more) -> int:  # type: ignore[no-untyped-def, override]
        seq = await super().append(*args, **more)
        self.paused.set()
        await self.resume.wait()
        return seq


@pytest.mark.parametrize("others_continue", [True, False])
async def test_a_coordinator_paused_after_the_append_publishes_nothing_twice(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch, others_continue: bool
) -> None:
    """After two minutes the broker has forgotten the message ids. Every command used to be published again,
    and the old timer replaced the one that other coordinators had scheduled since.
    """
    monkeypatch.setattr("warmxfer.actors.coordinator.coordinator.PAUSED_PROCESS_S", SHORT_WINDOW_S)
    await shorten_duplicate_window(fresh_bus)
    paused, others = Coordinator(fresh_bus), Coordinator(fresh_bus)
    paused._records.log = pausing_log = PausingLog(fresh_bus)
    await fresh_bus.publish(subjects.request("t-cold"), request("room-a"))
    handling = asyncio.create_task(deliver(fresh_bus, paused, subjects.request("t-cold"), 1))
    await asyncio.wait_for(pausing_log.paused.wait(), 30)
    await deliver(fresh_bus, others, subjects.request("t-cold"), 2)
    hold = await until_stored(fresh_bus, subjects.session_commands("room-a"))
    assert b"hold_caller" in hold.data
    if others_continue:
        due_at = (await records(fresh_bus, "t-cold"))[0].state.timer_due_at
        assert due_at is not None
        await fresh_bus.publish(subjects.timeout("t-cold"), encode(DeadlinePassed(due_at=due_at)))
        await deliver(fresh_bus, others, subjects.timeout("t-cold"), 1)
    await asyncio.sleep(3 * SHORT_WINDOW_S)
    before = await stored_of(fresh_bus, "t-cold", "room-a")
    pausing_log.resume.set()
    await asyncio.wait_for(handling, 30)
    assert await stored_of(fresh_bus, "t-cold", "room-a") == before


async def test_a_paused_coordinator_publishes_everything_if_no_other_did(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.coordinator.coordinator.PAUSED_PROCESS_S", 0.0)
    await fresh_bus.publish(subjects.request("t-alone"), request("room-a"))
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.request("t-alone"), 1)
    (record,) = await records(fresh_bus, "t-alone")
    names = {each.msg_id for each in await stored_of(fresh_bus, "t-alone", "room-a")}
    assert {f"t-alone:1:{place}" for place in range(len(record.outbox))} <= names
