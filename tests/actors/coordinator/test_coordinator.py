"""The coordinator: one record per trigger and its outputs, also when repeated or concurrent."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.testkit.counting import CountingHandler
from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.state_machine import Applied, Stage, join_outboxes, step
from warmxfer.bus import Bus, DeadLetter, Worker, subjects
from warmxfer.schemas import (
    CheckLegs,
    DeadlinePassed,
    LeaveCall,
    LivenessQuery,
    LivenessReply,
    Outcome,
    SupervisorReady,
    WarmTransferPhase,
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
    running_coordinators,
    until_all_handled,
    until_stored,
)
from .fake_actors import FakeActors, answers


async def test_a_whole_transfer(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-whole")
        result = await asyncio.wait_for(actors.run_transfer(request("room-a")), 30)
    assert (result.success, result.outcome) == (True, Outcome.COMPLETE)
    assert result.summary == "Ann wants a refund."
    assert [phase.seq for phase in actors.phases] == list(range(1, 12))
    assert actors.phases[-1].phase is WarmTransferPhase.TRANSFER_COMPLETE


async def test_only_the_first_delivery_of_an_event_says_how_late_events_are(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests wait for places, and redeliveries for the ack wait: neither shows an overload."""
    coordinator = Coordinator(fresh_bus)
    observed: list[float] = []
    monkeypatch.setattr(coordinator.admission, "observe_delay", observed.append)
    await fresh_bus.publish(subjects.request("t-late"), request("room-a"))
    await deliver(fresh_bus, coordinator, subjects.request("t-late"), 1)
    subject = subjects.event("t-late", "briefing")
    await fresh_bus.publish(subject, encode(SupervisorReady()))
    await deliver(fresh_bus, coordinator, subject, 2)
    assert observed == []
    await deliver(fresh_bus, coordinator, subject, 1)
    assert len(observed) == 1


@pytest.mark.parametrize(
    ("brief_by", "subject"),
    [("briefing", subjects.work_queue("t-b", "briefing")), ("session", subjects.session_briefing("room-a"))],
)
async def test_the_chosen_briefing_actor_receives_the_command(
    fresh_bus: Bus, brief_by: str, subject: str
) -> None:
    async with running_coordinators(fresh_bus):
        await asyncio.wait_for(
            FakeActors(fresh_bus, "t-b").run_transfer(request("room-a", brief_by=brief_by)), 10
        )
    stored = await fresh_bus.history(subjects.session_briefing("room-a"), 10) + await fresh_bus.history(
        subjects.work_queue("t-b", "briefing"), 10
    )
    assert [each.subject for each in stored] == [subject]


async def test_the_log_replays_to_the_same_state(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        await asyncio.wait_for(FakeActors(fresh_bus, "t-replay").run_transfer(request("room-a")), 30)
    state = None
    place = 0
    for record in await records(fresh_bus, "t-replay"):
        steps: list[Applied] = []
        for at, event in ((record.at, record.event), *((each.at, each.event) for each in record.also)):
            moved = step(state, event, at)
            assert isinstance(moved, Applied)
            steps.append(moved)
            state = moved.state
            place += 1
        assert encode(state) == encode(record.state)
        assert join_outboxes(steps) == record.outbox
        assert record.state.seq == place


async def test_two_coordinators_move_one_transfer_without_a_gap(fresh_bus: Bus, fresh_server: object) -> None:
    settings = fresh_bus.settings
    async with (
        await Bus.connect(settings, name="second") as second,
        running_coordinators(fresh_bus),
        running_coordinators(second),
    ):
        transfers = [FakeActors(fresh_bus, f"t-two-{n}") for n in range(20)]
        results = await asyncio.wait_for(
            asyncio.gather(
                *(
                    actors.run_transfer(request(f"room-{n}", bridge_guard_s=0))
                    for n, actors in enumerate(transfers)
                )
            ),
            30,
        )
    assert all(result.success for result in results)
    for actors in transfers:
        phases = await fresh_bus.history(subjects.phase(actors.id), 100)
        assert [decode_phase(each.data).seq for each in phases] == list(range(1, 12))
        stored = await fresh_bus.history(subjects.work_queue(actors.id, "gateway"), 100)
        commands = [decode_command(each.data) for each in stored]
        assert len(commands) == len({each.command_id for each in commands}), "each stored once"
        effects = sorted(type(each).__name__ for each in commands if not isinstance(each, CheckLegs))
        assert effects == ["CreateRoom", "DialSupervisor", "FindCallerCall", "SwitchCaller"]


async def test_the_same_request_twice_is_one_transfer(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-same")
        running = asyncio.create_task(actors.run_transfer(request("room-a")))
        await fresh_bus.publish(subjects.request("t-same"), request("room-a"), msg_id="another-name")
        result = await asyncio.wait_for(running, 30)
        await until_all_handled(fresh_bus)
    assert result.success
    stored = await fresh_bus.history(subjects.session_commands("room-a"), 100)
    assert [type(decode_command(each.data)).__name__ for each in stored].count("HoldCaller") == 1


async def test_a_rejected_request_names_the_reason_and_sends_no_command(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-bad")
        result = await asyncio.wait_for(actors.run_transfer(request("room-a", pacing="fast")), 30)
    assert result.outcome is Outcome.INVALID_REQUEST
    assert result.detail == "config.pacing is 'fast'; use one of overlap, sequential."
    assert [phase.phase.value for phase in actors.phases] == ["transfer_failed"]
    assert actors.command_names == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("event", b"{"),
        ("event", b'{"type":"no_such_event"}'),
        ("event", encode({"type": "deadline_passed", "due_at": 1.0})),
        ("event", encode({"type": "cancel_requested", "reason": "forged"})),
        ("timeout", encode(SupervisorReady())),
        ("cancel", b'{"why":1}'),
    ],
)
async def test_an_unreadable_message_is_dead_lettered_with_its_cause(
    fresh_bus: Bus, kind: str, body: bytes
) -> None:
    subject = {
        "event": subjects.event("t-poison", "gateway"),
        "timeout": subjects.timeout("t-poison"),
        "cancel": subjects.cancel("t-poison"),
    }[kind]
    async with running_coordinators(fresh_bus):
        await fresh_bus.publish(subject, body)
        other = await asyncio.wait_for(FakeActors(fresh_bus, "t-other").run_transfer(request("room-b")), 30)
        dead = await until_stored(fresh_bus, subjects.dead_letter("t-poison"))
    assert other.success
    dead_letter = json.loads(dead.data)
    assert dead_letter["subject"] == subjects.place_of(subject).subject
    assert dead_letter["cause"]
    assert dead_letter["tries"] == 1


async def test_an_event_without_effect_is_handled_once(fresh_bus: Bus) -> None:
    """Found by simulation. The event was read 25 times, deferred, and dead-lettered a minute later."""
    counting = CountingHandler(Coordinator(fresh_bus).handle)
    async with Worker(fresh_bus, "coordinator", counting, jobs=8, keyed=True):
        await fresh_bus.publish(subjects.request("t-idle"), request("room-a"))
        await until_stored(fresh_bus, subjects.log("t-idle"))
        await fresh_bus.publish(subjects.event("t-idle", "briefing"), encode(SupervisorReady()))
        async with asyncio.timeout(30):
            while counting.done + counting.failed < 2:
                await asyncio.sleep(0.02)
    assert (counting.done, counting.failed) == (2, 0)
    assert len(await records(fresh_bus, "t-idle")) == 1


async def test_a_cancel_without_a_request_is_dead_lettered(fresh_bus: Bus) -> None:
    await fresh_bus.publish(subjects.cancel("t-unrequested"), b"{}")
    with pytest.raises(DeadLetter):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.cancel("t-unrequested"), 10)


async def test_an_undecodable_event_does_not_end_a_transfer(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-robust")
        await fresh_bus.publish(subjects.event("t-robust", "gateway"), b"{")
        assert (await asyncio.wait_for(actors.run_transfer(request("room-a")), 30)).success


async def test_the_liveness_reply_says_whether_a_transfer_is_live(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        for id, guard_s in (("t-over", 0), ("t-guarded", 300)):
            done = FakeActors(fresh_bus, id).run_transfer(request("room-a", bridge_guard_s=guard_s))
            assert (await asyncio.wait_for(done, 30)).success
        live = asyncio.create_task(
            FakeActors(fresh_bus, "t-live", lambda _: []).run_transfer(request("room-b"))
        )
        await until_stored(fresh_bus, subjects.log("t-live"))
        reply = {
            id: decode_as(
                LivenessReply, await fresh_bus.request(subjects.ASK_LIVENESS, encode(LivenessQuery(id)), 2)
            ).live
            for id in ("t-over", "t-guarded", "t-live", "t-never")
        }
        live.cancel()
    assert reply == {"t-over": False, "t-guarded": True, "t-live": True, "t-never": False}, (
        "in the bridge guard the session still holds for this transfer"
    )


async def test_a_dead_lettered_deadline_ends_the_bridge_guard(fresh_bus: Bus) -> None:
    """Without it the session would hold its room until the lease ends, a minute after the lost timer."""
    async with running_coordinators(fresh_bus):
        done = FakeActors(fresh_bus, "t-lost").run_transfer(request("room-a", bridge_guard_s=300))
        assert (await asyncio.wait_for(done, 30)).success
    await fresh_bus.publish(subjects.timeout("t-lost"), encode(DeadlinePassed(due_at=1.0)))
    delivery = await last_delivery(fresh_bus, subjects.timeout("t-lost"), 5)
    await Coordinator(fresh_bus).on_dead_letter(delivery, "KeyError at guard.py:42")
    assert (await records(fresh_bus, "t-lost"))[-1].state.stage is Stage.COMPLETED
    command = await fresh_bus.get_last(subjects.session_commands("room-a"))
    assert command is not None
    assert isinstance(decode_command(command.data), LeaveCall)


async def test_an_absent_actor_ends_the_transfer_with_the_sentence_that_names_it(fresh_bus: Bus) -> None:
    def without_gateway(command: object) -> list[object]:
        return [] if type(command).__name__ in {"FindCallerCall", "CreateRoom"} else answers(command)

    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-absent", without_gateway)
        result = await asyncio.wait_for(actors.run_transfer(request("room-a", command_timeout_s=1)), 30)
    assert result.outcome is Outcome.GATEWAY_ABSENT
    assert result.detail == (
        "No SIP gateway answered find_caller_call within 1 s; start one with `warmxfer run gateway`."
    )
    assert "ReleaseCaller" in actors.command_names
    assert "DialSupervisor" not in actors.command_names


@pytest.mark.parametrize("bad_id", ["bad!id", "x" * 65, "ünï"])
async def test_an_invalid_id_is_rejected_on_the_subjects_of_its_request(fresh_bus: Bus, bad_id: str) -> None:
    async with running_coordinators(fresh_bus), fresh_bus.subscribe("warmxfer.*.result") as messages:
        await fresh_bus.publish(f"warmxfer.{bad_id}.request", request("room-a"))
        reply = await messages.next(5)
    assert reply is not None
    assert reply.subject == f"warmxfer.{bad_id}.result"
    result = decode_result(reply.data)
    assert result.outcome is Outcome.INVALID_REQUEST
    assert result.detail is not None
    assert result.detail.startswith("id is ")
    assert result.detail.endswith("; use 1 to 64 of A-Z a-z 0-9 _ -")
