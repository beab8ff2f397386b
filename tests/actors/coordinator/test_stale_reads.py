"""A coordinator that is behind: it reads a slow replica, was frozen, or was never told that time is up."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.outbox import TIMER
from warmxfer.actors.coordinator.state_machine import Stage, step
from warmxfer.bus import Bus, DeadLetter, RetryableError, Stored, TransferLog, subjects
from warmxfer.bus.stream import STREAM
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
    coordinating,
    deliver,
    forget_names_soon,
    records,
    request,
    until_stored,
)
from .fake_actors import Cast, answers

BEHIND_S = 0.5


class Behind(Bus):
    """A bus whose direct gets are answered by a replica that has nothing after number `seen`."""

    def __init__(self, bus: Bus, seen: int) -> None:
        super().__init__(bus._connection)
        self._seen = seen

    async def get_last(self, subject: str, *, deadline_s: float = 5.0) -> Stored | None:
        stored = await self.history(subject, 1_000, deadline_s=deadline_s)
        return stored[-1] if stored else None

    async def history(
        self, subject: str, limit: int, *, after: int = 0, deadline_s: float = 5.0
    ) -> list[Stored]:
        stored = await super().history(subject, limit, after=after, deadline_s=deadline_s)
        return [each for each in stored if each.seq <= self._seen]


async def pulse(bus: Bus, id: str) -> bool:
    return decode_as(
        LivenessReply, await bus.request(subjects.ASK_LIVENESS, encode(LivenessQuery(id)), 2)
    ).live


async def until_ringing(bus: Bus, id: str) -> None:
    """Play transfer `id` until its supervisor's phone rings; the dial is not answered yet."""

    def without_an_answer(command: AnyCommand) -> list[AnyEvent]:
        return [] if isinstance(command, DialSupervisor) else answers(command)

    async with coordinating(bus):
        playing = asyncio.create_task(Cast(bus, id, without_an_answer).play(request("room-a")))
        async with asyncio.timeout(5):
            while not (kept := await records(bus, id)) or kept[-1].state.stage is not Stage.RINGING:
                await asyncio.sleep(0.02)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


# ── a slow replica ───────────────────────────────────────────────────────────────────────────────────


async def test_an_event_is_not_ignored_because_a_replica_is_behind(fresh_bus: Bus) -> None:
    """Found in a cluster with a slow follower: on the old record nobody had dialled, so the answer of the
    dial was let go; and so was a transfer's only timer."""
    await until_ringing(fresh_bus, "t-old")
    dial = (await records(fresh_bus, "t-old"))[-1].state.pending
    command_id = next(id for id, pending in dial.items() if pending.kind == "dial_supervisor")
    behind = Behind(fresh_bus, (await fresh_bus.history(subjects.log("t-old"), 1))[0].seq)
    answer = SupervisorDialed(command_id=command_id, attempt=1, call_id="call-2")
    await fresh_bus.publish(subjects.event("t-old"), encode(answer))
    await deliver(fresh_bus, Coordinator(behind), subjects.event("t-old"), 1)
    assert (await records(fresh_bus, "t-old"))[-1].event == answer


async def test_a_transfer_is_not_said_to_be_over_because_a_replica_is_behind(fresh_bus: Bus) -> None:
    await fresh_bus.publish(subjects.request("t-young"), request("room-a"))
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.request("t-young"), 1)
    async with coordinating(Behind(fresh_bus, seen=0)):
        assert await pulse(fresh_bus, "t-young")
        assert not await pulse(fresh_bus, "t-never")


async def test_a_cancel_is_not_dropped_because_a_replica_has_not_seen_the_request(fresh_bus: Bus) -> None:
    await fresh_bus.publish(subjects.request("t-asked"), request("room-a"))
    await fresh_bus.publish(subjects.cancel("t-asked"), b"{}")
    with pytest.raises(RetryableError):
        await deliver(fresh_bus, Coordinator(Behind(fresh_bus, seen=0)), subjects.cancel("t-asked"), 10)
    await fresh_bus.publish(subjects.cancel("t-unasked"), b"{}")
    with pytest.raises(DeadLetter):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.cancel("t-unasked"), 10)


# ── a timer that was lost ────────────────────────────────────────────────────────────────────────────


async def test_a_caller_whose_transfers_timer_was_lost_is_let_go_and_their_transfer_ends(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pulse said for ever that somebody was in charge, and nothing ever happened again."""
    monkeypatch.setattr("warmxfer.actors.coordinator.liveness.OVERDUE_S", BEHIND_S)
    monkeypatch.setitem(step.__globals__, "TIMER_LOST_AFTER_S", BEHIND_S)

    def holds_and_releases(command: AnyCommand) -> list[AnyEvent]:
        return answers(command) if "Caller" in type(command).__name__ else []

    async with coordinating(fresh_bus):
        cast = Cast(fresh_bus, "t-lost", holds_and_releases)
        playing = asyncio.create_task(cast.play(request("room-a", command_timeout_s=3)))
        async with asyncio.timeout(5):
            while CallerHeld not in [type(each.event) for each in await records(fresh_bus, "t-lost")]:
                await asyncio.sleep(0.02)
        timer = {"filter": subjects.timer("t-lost", TIMER)}
        assert (await fresh_bus._connection.api(f"STREAM.PURGE.{STREAM}", timer))["purged"] == 1
        assert await pulse(fresh_bus, "t-lost")
        async with asyncio.timeout(PATIENCE_S):
            while await pulse(fresh_bus, "t-lost"):
                await asyncio.sleep(0.05)
        await cast.tell(CallerReleased(command_id=None, cause="bus_silent"))
        result = await asyncio.wait_for(playing, 10)
    assert result.outcome is Outcome.SESSION_RELEASED


# ── a freeze ─────────────────────────────────────────────────────────────────────────────────────────


class Freezing(TransferLog):
    """Stands still between the commit and what is sent for it, until `thaw`."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.frozen, self.thaw = asyncio.Event(), asyncio.Event()

    async def append(self, *args, **more) -> int:  # type: ignore[no-untyped-def, override]
        seq = await super().append(*args, **more)
        self.frozen.set()
        await self.thaw.wait()
        return seq


@pytest.mark.parametrize("others_go_on", [True, False])
async def test_who_was_frozen_behind_the_commit_sends_only_what_nobody_else_has_sent(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch, others_go_on: bool
) -> None:
    """After two minutes the broker has forgotten the names: every command went out again, and the timer that
    others had set since was replaced by the old one."""
    monkeypatch.setattr("warmxfer.actors.coordinator.coordinator.PAUSED_PROCESS_S", SHORT_WINDOW_S)
    await forget_names_soon(fresh_bus)
    frozen, others = Coordinator(fresh_bus), Coordinator(fresh_bus)
    frozen._log = standing = Freezing(fresh_bus)
    await fresh_bus.publish(subjects.request("t-cold"), request("room-a"))
    handling = asyncio.create_task(deliver(fresh_bus, frozen, subjects.request("t-cold"), 1))
    await asyncio.wait_for(standing.frozen.wait(), 5)
    await deliver(fresh_bus, others, subjects.request("t-cold"), 2)
    hold = await until_stored(fresh_bus, subjects.primary("t-cold", "room-a"))
    assert b"hold_caller" in hold.data
    if others_go_on:
        due_at = (await records(fresh_bus, "t-cold"))[0].state.timer_due_at
        assert due_at is not None
        await fresh_bus.publish(subjects.timeout("t-cold"), encode(DeadlinePassed(due_at=due_at)))
        await deliver(fresh_bus, others, subjects.timeout("t-cold"), 1)
    await asyncio.sleep(3 * SHORT_WINDOW_S)
    before = await fresh_bus.history(subjects.all_of("t-cold"), 500)
    standing.thaw.set()
    await asyncio.wait_for(handling, 5)
    assert await fresh_bus.history(subjects.all_of("t-cold"), 500) == before


async def test_who_was_frozen_and_is_alone_sends_all_of_it(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.coordinator.coordinator.PAUSED_PROCESS_S", 0.0)
    await fresh_bus.publish(subjects.request("t-alone"), request("room-a"))
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.request("t-alone"), 1)
    (record,) = await records(fresh_bus, "t-alone")
    names = {each.msg_id for each in await fresh_bus.history(subjects.all_of("t-alone"), 500)}
    assert {f"t-alone:1:{place}" for place in range(len(record.outbox))} <= names
