"""A record that this version cannot continue: left to a newer version for a while, then the transfer ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.testkit.stored import stored_of
from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.caller_lock import lock_caller
from warmxfer.actors.coordinator.outbox import GUARD_TIMER, TIMER
from warmxfer.actors.coordinator.state_machine import Stage, obstacle
from warmxfer.bus import Bus, DeadLetter, NewerVersionNeeded, Stored, newer_retries, subjects
from warmxfer.bus.partition import PARTITIONS
from warmxfer.schemas import (
    AnyCommand,
    BriefSupervisor,
    CommandFailed,
    DeadlinePassed,
    DialSupervisor,
    EndCall,
    FailureKind,
    LivenessQuery,
    LivenessReply,
    Outcome,
    ReleaseCaller,
    SupervisorReady,
    WarmTransferPhase,
    apology_for,
    decode_as,
    decode_command,
    decode_phase,
    decode_result,
    encode,
)

from .coordinator_fixture import (
    deliver,
    last_delivery,
    records,
    request,
    run_until,
    running_coordinators,
    until_all_handled,
    until_stored,
)
from .fake_actors import FakeActors

Json = dict[str, Any]
LAST_DELIVERY = 20
"""Delivery count of a trigger that is dead-lettered."""


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave messages to a newer version for less than a second."""
    monkeypatch.setattr(newer_retries, "NEWER_RETRY_MIN_S", 0.01)
    monkeypatch.setattr(newer_retries, "NEWER_RETRY_MAX_S", 0.03)


async def run_until_briefing(bus: Bus, id: str) -> None:
    """Run transfer `id` until the supervisor is asked."""
    await run_until(bus, id, Stage.BRIEFING, BriefSupervisor)


async def append(bus: Bus, id: str, change: Callable[[Json], None]) -> Stored:
    """Append the newest record of `id` again, with `change`, as a newer version would have."""
    stored = await bus.get_last_from_leader(subjects.log(id))
    assert stored is not None
    written = json.loads(stored.data)
    written["state"]["seq"] += 1
    written["outbox"] = []
    change(written)
    await bus.publish(subjects.log(id), json.dumps(written).encode(), expect_last=stored.seq)
    appended = await bus.get_last_from_leader(subjects.log(id))
    assert appended is not None
    return appended


def stage(written: Json) -> None:
    written["state"]["stage"] = "conferencing"


def requirement(written: Json) -> None:
    written["min_machine_version"] = 1_000


def awaited_command(written: Json) -> None:
    written["state"]["pending"]["x-1"] = {"kind": "play_music", "due_at": written["at"] + 5}


def shape(written: Json) -> None:
    written["state"]["pending"] = ["another shape"]


def stage_and_request(written: Json) -> None:
    written["state"]["stage"] = "conferencing"
    written["state"]["request"]["config"]["destination"] = ["another shape"]


UNCONTINUABLE = [stage, requirement, awaited_command, shape, stage_and_request]


async def commands_of(bus: Bus, id: str) -> list[AnyCommand]:
    stored = await stored_of(bus, id, "room-a")
    stored = [each for each in stored if ".do." in each.subject or subjects.is_of_session(each.subject)]
    return [decode_command(each.data) for each in stored]


async def check_given_up(bus: Bus, id: str) -> None:
    """Check that the transfer ended as `broken` in its briefing: caller first, leg ended by its mark."""
    result = decode_result((await until_stored(bus, subjects.result(id))).data)
    assert (result.outcome, result.success) == (Outcome.BROKEN, False)
    assert result.detail is not None
    assert result.detail.startswith("This version of warmxfer cannot continue the transfer")
    phases = [decode_phase(each.data) for each in await bus.history(subjects.phase(id), 100)]
    assert [each.seq for each in phases] == list(range(1, len(phases) + 1))
    assert phases[-1].phase is WarmTransferPhase.TRANSFER_FAILED
    sent = await commands_of(bus, id)
    release = next(place for place, each in enumerate(sent) if isinstance(each, ReleaseCaller))
    ends = [place for place, each in enumerate(sent) if isinstance(each, EndCall)]
    assert release < ends[0]
    released, ended = sent[release], sent[ends[0]]
    assert isinstance(released, ReleaseCaller)
    assert isinstance(ended, EndCall)
    assert released.line == apology_for(Outcome.BROKEN)
    assert released.fence > max(getattr(each, "fence", 0) for each in sent[:release])
    assert (ended.attempt, ended.participant_id, ended.call_id) == (1, f"wxs-{id}-1", "call-2")
    dialed = next(each for each in sent if isinstance(each, DialSupervisor))
    assert isinstance(dialed.first_event, int)
    assert ended.first_event == dialed.first_event, "by it a gateway sees that the dial's claim was lost"
    assert {type(each).__name__ for each in sent[release:]} >= {"LeaveConsultation", "CloseRoom"}
    last = await bus.get_last_from_leader(subjects.log(id))
    assert last is not None
    assert json.loads(last.data)["state"]["stage"] == "failed"


@pytest.mark.parametrize("change", UNCONTINUABLE)
async def test_a_transfer_that_no_version_continues_ends_with_the_caller_first(
    fresh_bus: Bus, change: Callable[[Json], None]
) -> None:
    """Before the fix every trigger failed, and giving up failed too, without end."""
    await run_until_briefing(fresh_bus, "t-new")
    await append(fresh_bus, "t-new", change)
    async with running_coordinators(fresh_bus):
        await fresh_bus.publish(subjects.event("t-new", "briefing"), encode(SupervisorReady()))
        await until_stored(fresh_bus, subjects.result("t-new"))
        await until_all_handled(fresh_bus)  # The outputs of one record go to several streams at once.
        await check_given_up(fresh_bus, "t-new")
    letters = [json.loads(each.data) for each in await fresh_bus.history(subjects.dead_letter("t-new"), 10)]
    assert [each["tries"] for each in letters] == [newer_retries.NEWER_TRIES]
    assert "cannot be continued" in letters[0]["cause"]


@pytest.mark.parametrize("garbage", [b"{", b"null", b"\xff", b'{"state": {"stage": "briefing"}}', b"cut"])
async def test_a_transfer_whose_newest_record_is_garbage_ends(fresh_bus: Bus, garbage: bytes) -> None:
    await run_until_briefing(fresh_bus, "t-torn")
    newest = await fresh_bus.get_last_from_leader(subjects.log("t-torn"))
    assert newest is not None
    data = newest.data[: len(newest.data) // 2] if garbage == b"cut" else garbage
    await fresh_bus.publish(subjects.log("t-torn"), data, expect_last=newest.seq)
    async with running_coordinators(fresh_bus):
        await fresh_bus.publish(subjects.timeout("t-torn"), encode(DeadlinePassed(due_at=newest.at)))
        result = decode_result((await until_stored(fresh_bus, subjects.result("t-torn"))).data)
        await until_all_handled(fresh_bus)
    assert result.outcome is Outcome.BROKEN
    sent = await commands_of(fresh_bus, "t-torn")
    place, released = next((n, each) for n, each in enumerate(sent) if isinstance(each, ReleaseCaller))
    assert released.fence > max(getattr(each, "fence", 0) for each in sent[:place])
    assert any(isinstance(each, EndCall) for each in sent) != (released.stay_s > 0)


def another_transfers(written: Json) -> None:
    written["state"] |= {
        "id": "t-other",
        "supervisor_call_id": "call-of-other",
        "caller_call_id": "call-of-other",
    }
    written["outbox"] = [{"type": "end_call", "command_id": "t-other-9", "deadline_at": 1e12, "call_id": "x"}]


async def test_the_record_of_another_transfer_ends_its_own_and_touches_no_other(fresh_bus: Bus) -> None:
    """Before, its transfer never ended, and what followed was written for the other one."""
    await run_until_briefing(fresh_bus, "t-mine")
    await append(fresh_bus, "t-mine", another_transfers)
    async with running_coordinators(fresh_bus):
        await fresh_bus.publish(subjects.event("t-mine", "briefing"), encode(SupervisorReady()))
        result = decode_result((await until_stored(fresh_bus, subjects.result("t-mine"))).data)
        await until_all_handled(fresh_bus)
    assert result.outcome is Outcome.BROKEN
    assert await stored_of(fresh_bus, "t-other") == []
    commands = await commands_of(fresh_bus, "t-mine")
    assert [each for each in commands if "of-other" in str(each) or "t-other" in str(each)] == []


async def test_a_trigger_is_left_to_a_newer_version_and_not_lost(fresh_bus: Bus) -> None:
    """A newer coordinator continues after some deliveries: here, the record becomes readable again."""
    await run_until_briefing(fresh_bus, "t-wait")
    newest = await append(fresh_bus, "t-wait", stage)
    await fresh_bus.publish(subjects.event("t-wait", "briefing"), encode(SupervisorReady()))
    coordinator = Coordinator(fresh_bus)
    for delivery_count in (1, 2, 3):
        with pytest.raises(NewerVersionNeeded, match="its stage conferencing is unknown"):
            await deliver(fresh_bus, coordinator, subjects.event("t-wait", "briefing"), delivery_count)
    await append(fresh_bus, "t-wait", lambda written: written["state"].update(stage="briefing"))
    await deliver(fresh_bus, coordinator, subjects.event("t-wait", "briefing"), 4)
    kept = await records(fresh_bus, "t-wait")
    assert kept[-1].event == SupervisorReady()
    assert kept[-1].state.seq == json.loads(newest.data)["state"]["seq"] + 2


async def test_a_newer_version_that_continued_meanwhile_keeps_its_transfer(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer coordinator appends its record while the older one is giving the transfer up."""
    await run_until_briefing(fresh_bus, "t-race")
    await append(fresh_bus, "t-race", stage)
    coordinator = Coordinator(fresh_bus)
    await fresh_bus.publish(subjects.event("t-race", "briefing"), encode(SupervisorReady()))
    real = coordinator._records.log.since

    async def since(id: str, seq: int, on: list[str]) -> Any:
        monkeypatch.setattr(coordinator._records.log, "since", real)
        await append(fresh_bus, "t-race", lambda written: written["state"].update(stage="briefing"))
        return await real(id, seq, on)

    monkeypatch.setattr(coordinator._records.log, "since", since)
    delivery = await last_delivery(fresh_bus, subjects.event("t-race", "briefing"), LAST_DELIVERY)
    await coordinator.on_dead_letter(delivery, "too new")
    kept = await records(fresh_bus, "t-race")
    assert (kept[-1].event, kept[-1].state.stage) == (SupervisorReady(), Stage.SWITCHING)
    assert await fresh_bus.get_last(subjects.result("t-race")) is None


async def test_a_published_result_stands(fresh_bus: Bus) -> None:
    """A newer version may do more after the end. Giving that up does not end the transfer again."""
    async with running_coordinators(fresh_bus):
        done = await asyncio.wait_for(FakeActors(fresh_bus, "t-done").run_transfer(request("room-a")), 30)
        await until_all_handled(fresh_bus)
    before = len(await commands_of(fresh_bus, "t-done"))
    await append(fresh_bus, "t-done", lambda written: written["state"].update(stage="monitoring"))
    async with running_coordinators(fresh_bus):
        await fresh_bus.publish(subjects.timeout("t-done"), encode(DeadlinePassed(due_at=1.0)))
        await until_stored(fresh_bus, subjects.dead_letter("t-done"))
        await until_all_handled(fresh_bus)
    assert [type(each).__name__ for each in (await commands_of(fresh_bus, "t-done"))[before:]] == [
        "LeaveCall"
    ]
    results = await fresh_bus.history(subjects.result("t-done"), 10)
    assert [decode_result(each.data) for each in results] == [done]
    last = (await records(fresh_bus, "t-done"))[-1].state
    assert last.stage is Stage.COMPLETED
    assert last.decision is not None
    assert last.decision.outcome is Outcome.COMPLETE


async def test_a_caller_who_is_alone_in_the_guard_is_released_and_the_guard_timer_is_cancelled(
    fresh_bus: Bus,
) -> None:
    """Without the fix the AI left the call of a caller who was being moved back to it."""
    async with running_coordinators(fresh_bus):
        body = request("room-a", bridge_guard_s=300)
        await asyncio.wait_for(FakeActors(fresh_bus, "t-guard").run_transfer(body), 30)
        await until_all_handled(fresh_bus)
    timer = subjects.timer("t-guard", GUARD_TIMER)
    assert await fresh_bus.get_last_from_leader(timer) is not None
    before = len(await commands_of(fresh_bus, "t-guard"))

    def move_back(written: Json) -> None:
        assert written["state"]["stage"] == "guarding"
        written["state"]["caller_arrived"] = False
        written["min_machine_version"] = 1_000

    await append(fresh_bus, "t-guard", move_back)
    await fresh_bus.publish(subjects.timeout("t-guard"), encode(DeadlinePassed(due_at=1.0)))
    delivery = await last_delivery(fresh_bus, subjects.timeout("t-guard"), LAST_DELIVERY)
    await Coordinator(fresh_bus).on_dead_letter(delivery, "too new")
    sent = [type(each).__name__ for each in (await commands_of(fresh_bus, "t-guard"))[before:]]
    assert sent == ["ReleaseCaller", "ReturnCaller"]
    assert await fresh_bus.get_last_from_leader(timer) is None


@pytest.mark.parametrize("due_at", [0.0, 4e9, 1e300])
async def test_commands_of_the_final_record_are_published_after_a_crash(
    fresh_bus: Bus, due_at: float
) -> None:
    """The newer coordinator died after it stored its last record. A bad timer prevents no end."""
    async with running_coordinators(fresh_bus):
        body = request("room-a", bridge_guard_s=0)
        await asyncio.wait_for(FakeActors(fresh_bus, "t-last").run_transfer(body), 30)
        await until_all_handled(fresh_bus)
    before = len(await commands_of(fresh_bus, "t-last"))
    leave = {"type": "leave_call", "command_id": "t-last-99", "deadline_at": 1e10, "fence": 99}

    def leave_call(written: Json) -> None:
        assert written["state"]["stage"] == "completed"
        written["outbox"] = [leave, {"type": "arm_timer", "due_at": due_at}]
        written["min_machine_version"] = 1_000

    await append(fresh_bus, "t-last", leave_call)
    await fresh_bus.publish(subjects.timeout("t-last"), encode(DeadlinePassed(due_at=1.0)))
    delivery = await last_delivery(fresh_bus, subjects.timeout("t-last"), LAST_DELIVERY)
    for _ in range(2):  # the second time as after a crash
        await Coordinator(fresh_bus).on_dead_letter(delivery, "too new")
        sent = [each.command_id for each in (await commands_of(fresh_bus, "t-last"))[before:]]
        assert sent == (["t-last-99"] if due_at < 1e300 else [])
    assert await fresh_bus.get_last_from_leader(subjects.timer("t-last", TIMER)) is None
    assert obstacle((await records(fresh_bus, "t-last"))[-1]) is None


async def test_a_coordinator_forgets_what_it_knew_of_a_transfer_that_it_gives_up(fresh_bus: Bus) -> None:
    """It would count as running for ever."""
    await run_until_briefing(fresh_bus, "t-known")
    coordinator = Coordinator(fresh_bus)
    assert await coordinator._records.read("t-known") is not None
    await append(fresh_bus, "t-known", requirement)
    await fresh_bus.publish(subjects.event("t-known", "briefing"), encode(SupervisorReady()))
    delivery = await last_delivery(fresh_bus, subjects.event("t-known", "briefing"), LAST_DELIVERY)
    assert coordinator.running(range(PARTITIONS)) == {Stage.BRIEFING: 1}
    await coordinator.on_dead_letter(delivery, "too new")
    assert coordinator.running(range(PARTITIONS)) == {}


async def test_a_result_that_the_newest_record_orders_is_published_and_stands(fresh_bus: Bus) -> None:
    """The newer coordinator died after it stored the end, before it published it."""
    async with running_coordinators(fresh_bus):
        await asyncio.wait_for(FakeActors(fresh_bus, "t-ordered").run_transfer(request("room-a")), 30)
        await until_all_handled(fresh_bus)
    ended = (await fresh_bus.history(subjects.log("t-ordered"), 100))[-1]
    written = json.loads(ended.data.replace(b"t-ordered", b"t-died"))
    written["state"]["stage"] = "monitoring"
    for place, output in enumerate(each for each in written["outbox"] if each["type"] == "phase_changed"):
        output["seq"] = place + 1
    await fresh_bus.publish(subjects.log("t-died"), json.dumps(written).encode(), expect_last=0)
    await fresh_bus.publish(subjects.timeout("t-died"), encode(DeadlinePassed(due_at=1.0)))
    delivery = await last_delivery(fresh_bus, subjects.timeout("t-died"), LAST_DELIVERY)
    coordinator = Coordinator(fresh_bus)
    for _ in range(2):  # the second time as after a crash
        await coordinator.on_dead_letter(delivery, "too new")
        (result,) = await fresh_bus.history(subjects.result("t-died"), 10)
        assert decode_result(result.data).outcome is Outcome.COMPLETE
        (phase,) = await fresh_bus.history(subjects.phase("t-died"), 10)
        assert decode_phase(phase.data).phase is WarmTransferPhase.TRANSFER_COMPLETE


async def test_outputs_of_the_end_are_published_after_a_crash(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinator stored the record that ends the transfer, and died before it published the outputs."""
    await run_until_briefing(fresh_bus, "t-crash")
    await append(fresh_bus, "t-crash", stage)
    await fresh_bus.publish(subjects.event("t-crash", "briefing"), encode(SupervisorReady()))
    delivery = await last_delivery(fresh_bus, subjects.event("t-crash", "briefing"), LAST_DELIVERY)
    dies = Coordinator(fresh_bus)

    async def die(*_: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(dies, "_publish", die)
    with pytest.raises(ConnectionError):
        await dies.on_dead_letter(delivery, "too new")
    assert await fresh_bus.get_last(subjects.result("t-crash")) is None
    await Coordinator(fresh_bus).on_dead_letter(delivery, "too new")
    await check_given_up(fresh_bus, "t-crash")


async def test_an_output_of_an_unknown_type_is_left_to_the_newer_version_until_it_is_published(
    fresh_bus: Bus,
) -> None:
    await run_until_briefing(fresh_bus, "t-out")
    output = {"type": "play_music", "command_id": "x-1", "deadline_at": 1.0}
    newest = await append(fresh_bus, "t-out", lambda written: written["outbox"].append(output))
    await fresh_bus.publish(subjects.event("t-out", "briefing"), encode(SupervisorReady()))
    with pytest.raises(NewerVersionNeeded, match="is of an unknown type and not published yet"):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-out", "briefing"), 1)
    seq = json.loads(newest.data)["state"]["seq"]
    await fresh_bus.publish(subjects.consult("t-out"), json.dumps(output).encode(), msg_id=f"t-out:{seq}:0")
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-out", "briefing"), 2)
    assert (await records(fresh_bus, "t-out"))[-1].event == SupervisorReady()


async def test_fields_of_a_newer_version_survive_the_records_of_this_one(fresh_bus: Bus) -> None:
    await run_until_briefing(fresh_bus, "t-keep")

    def add(written: Json) -> None:
        written["state"]["mood"] = {"of": "caller"}
        written["state"]["request"]["config"].setdefault("lines", {})["music"] = "waltz"
        for pending in written["state"]["pending"].values():
            pending["colour"] = "red"

    await append(fresh_bus, "t-keep", add)
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-keep")
        await actors.publish(SupervisorReady())
        await until_all_handled(fresh_bus)
    stored = await fresh_bus.get_last_from_leader(subjects.log("t-keep"))
    assert stored is not None
    state = json.loads(stored.data)["state"]
    assert state["stage"] == "switching"
    assert state["mood"] == {"of": "caller"}
    assert state["request"]["config"]["lines"]["music"] == "waltz"
    assert [each["kind"] for each in state["pending"].values()] == ["switch_caller"]


async def test_an_event_of_an_unknown_type_waits_for_a_newer_version_only_if_its_transfer_is_live(
    fresh_bus: Bus,
) -> None:
    await run_until_briefing(fresh_bus, "t-event")
    body = encode({"type": "supervisor_sneezed"})
    for id in ("t-event", "t-none"):
        await fresh_bus.publish(subjects.event(id, "gateway"), body)
    with pytest.raises(NewerVersionNeeded):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-event", "gateway"), 1)
    with pytest.raises(DeadLetter, match="its transfer is not running"):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-none", "gateway"), 1)
    async with running_coordinators(fresh_bus):
        await until_stored(fresh_bus, subjects.dead_letter("t-event"))
        await until_all_handled(fresh_bus)
        await FakeActors(fresh_bus, "t-event").publish(SupervisorReady())
        await until_all_handled(fresh_bus)
    assert (await records(fresh_bus, "t-event"))[-1].state.stage is Stage.SWITCHING


async def test_a_timer_of_a_newer_version_wakes_an_older_coordinator(fresh_bus: Bus) -> None:
    """Otherwise the transfer would have no timer any more after a rollback."""
    async with running_coordinators(fresh_bus):
        silent = FakeActors(fresh_bus, "t-timer", lambda _: [])
        config = {"command_timeout_s": 0.5, "summary_timeout_s": 0.5}
        running = asyncio.create_task(silent.run_transfer(request("room-a", **config)))
        await until_stored(fresh_bus, subjects.log("t-timer"))
    newest = (await records(fresh_bus, "t-timer"))[-1].state
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert newest.timer_due_at is not None
    await fresh_bus.publish(subjects.timeout("t-timer"), encode({"type": "guard_due"}))
    delivery = await last_delivery(fresh_bus, subjects.timeout("t-timer"), LAST_DELIVERY)
    due = replace(delivery, at=newest.timer_due_at)
    await Coordinator(fresh_bus).on_dead_letter(due, "too new")
    last = (await records(fresh_bus, "t-timer"))[-1]
    assert last.event == DeadlinePassed(due_at=newest.timer_due_at)
    assert last.state.stage is Stage.UNWINDING


async def test_a_failure_of_an_unknown_kind_may_have_had_an_effect(fresh_bus: Bus) -> None:
    await run_until_briefing(fresh_bus, "t-kind")
    coordinator = Coordinator(fresh_bus)
    await fresh_bus.publish(subjects.event("t-kind", "briefing"), encode(SupervisorReady()))
    await deliver(fresh_bus, coordinator, subjects.event("t-kind", "briefing"), 1)
    (command_id,) = (await records(fresh_bus, "t-kind"))[-1].state.pending
    body = {"type": "command_failed", "command_id": command_id, "fault": "struck_by_lightning"}
    await fresh_bus.publish(subjects.event("t-kind", "gateway"), encode(body))
    await deliver(fresh_bus, coordinator, subjects.event("t-kind", "gateway"), 1)
    last = (await records(fresh_bus, "t-kind"))[-1]
    assert last.event == CommandFailed(
        command_id=command_id, failure=FailureKind.UNKNOWN, detail="struck_by_lightning"
    )
    assert last.state.stage is Stage.RETURNING


@pytest.mark.parametrize("change", UNCONTINUABLE)
async def test_a_session_that_asks_gets_a_reply_about_a_record_that_cannot_be_continued(
    fresh_bus: Bus, change: Callable[[Json], None]
) -> None:
    await run_until_briefing(fresh_bus, "t-ask")
    await append(fresh_bus, "t-ask", change)
    async with running_coordinators(fresh_bus):
        query = encode(LivenessQuery("t-ask"))
        reply = decode_as(LivenessReply, await fresh_bus.request(subjects.ASK_LIVENESS, query, 2))
    assert reply.live


@pytest.mark.parametrize(
    "lock", [b"{", b'{"holder": "t-1"}', b'{"transfer_id": 5}', b'{"transfer_id": "a b"}']
)
async def test_a_lock_that_cannot_be_read_is_taken_over_after_a_minute(fresh_bus: Bus, lock: bytes) -> None:
    async with running_coordinators(fresh_bus):
        pass  # the stream exists
    await fresh_bus.publish(subjects.caller_lock("room-a"), lock)
    stored = await fresh_bus.get_last_from_leader(subjects.caller_lock("room-a"))
    assert stored is not None

    async def is_live(id: str) -> bool | None:
        return None

    assert await lock_caller(fresh_bus, "room-a", "t-2", stored.at + 1, is_live) is not None
    assert await lock_caller(fresh_bus, "room-a", "t-2", stored.at + 61, is_live) is None
