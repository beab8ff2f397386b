"""The coordinator: one record per trigger and its outputs, also when repeated, concurrent, or after a
crash.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.testkit.counting import CountingHandler
from warmxfer.actors.coordinator import Coordinator, CoordinatorSettings, run
from warmxfer.actors.coordinator.outbox import TIMER
from warmxfer.actors.coordinator.state_machine import Applied, Stage, step
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS, Transition
from warmxfer.bus import Bus, BusSettings, DeadLetter, Delivery, Worker, subjects
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    CancelRequested,
    HoldCaller,
    LivenessQuery,
    LivenessReply,
    Outcome,
    RetryableError,
    SupervisorDialed,
    SupervisorReady,
    TransferBroken,
    VoicemailDetected,
    WarmTransferPhase,
    WarmTransferResult,
    decode_as,
    decode_command,
    decode_phase,
    decode_result,
    encode,
)

from .coordinator_fixture import (
    PATIENCE_S,
    SHORT_WINDOW_S,
    deliver,
    records,
    request,
    running_coordinators,
    shorten_duplicate_window,
    until_all_handled,
    until_stored,
)
from .fake_actors import FakeActors, answers


async def test_a_whole_transfer(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-whole")
        result = await asyncio.wait_for(actors.run_transfer(request("room-a")), 10)
    assert (result.success, result.outcome) == (True, Outcome.COMPLETE)
    assert result.summary == "Ann wants a refund."
    assert [phase.seq for phase in actors.phases] == list(range(1, 12))
    assert actors.phases[-1].phase is WarmTransferPhase.TRANSFER_COMPLETE


@pytest.mark.parametrize(
    ("brief_by", "subject"),
    [("briefing", "warmxfer.t-b.do.briefing"), ("session", "warmxfer.t-b.do.briefing.room-a")],
)
async def test_the_chosen_briefing_actor_receives_the_command(
    fresh_bus: Bus, brief_by: str, subject: str
) -> None:
    async with running_coordinators(fresh_bus):
        await asyncio.wait_for(
            FakeActors(fresh_bus, "t-b").run_transfer(request("room-a", brief_by=brief_by)), 10
        )
    stored_types = await fresh_bus.history("warmxfer.t-b.do.briefing.>", 10) + await fresh_bus.history(
        "warmxfer.t-b.do.briefing", 10
    )
    assert [each.subject for each in stored_types] == [subject]


async def test_the_log_replays_to_the_same_state(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        await asyncio.wait_for(FakeActors(fresh_bus, "t-replay").run_transfer(request("room-a")), 10)
    state = None
    for place, record in enumerate(await records(fresh_bus, "t-replay"), 1):
        moved = step(state, record.event, record.at)
        assert isinstance(moved, Applied)
        assert encode(moved.state) == encode(record.state)
        assert moved.outbox == record.outbox
        assert record.state.seq == place
        state = moved.state


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
                *(actors.run_transfer(request(f"room-{n}")) for n, actors in enumerate(transfers))
            ),
            30,
        )
    assert all(result.success for result in results)
    for actors in transfers:
        stored = [
            decode_phase(each.data).seq for each in await fresh_bus.history(subjects.phase(actors.id), 100)
        ]
        assert stored == list(range(1, 12))
        commands = await fresh_bus.history(subjects.work_queue(actors.id, "gateway"), 100)
        assert len(commands) == 4  # find, room, dial, switch: each stored once


async def test_the_same_request_twice_is_one_transfer(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-same")
        running = asyncio.create_task(actors.run_transfer(request("room-a")))
        await fresh_bus.publish(subjects.request("t-same"), request("room-a"), msg_id="another-name")
        result = await asyncio.wait_for(running, 10)
        await until_all_handled(fresh_bus)
    assert result.success
    stored = await fresh_bus.history(subjects.primary("t-same", "room-a"), 100)
    assert [type(decode_command(each.data)).__name__ for each in stored].count("HoldCaller") == 1


async def test_a_second_transfer_of_the_same_caller_is_refused(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        first = asyncio.create_task(
            FakeActors(fresh_bus, "t-first", lambda _: []).run_transfer(request("room-a"))
        )
        await until_stored(fresh_bus, subjects.log("t-first"))
        second = await asyncio.wait_for(FakeActors(fresh_bus, "t-second").run_transfer(request("room-a")), 10)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert second.outcome is Outcome.CALLER_IN_TRANSFER
    assert second.detail == (
        "session room-a is already being transferred by t-first; wait for that transfer to end, or cancel it."
    )


async def test_a_caller_is_free_again_when_their_transfer_is_over(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        for id in ("t-one", "t-two"):
            result = await asyncio.wait_for(FakeActors(fresh_bus, id).run_transfer(request("room-a")), 10)
            assert result.success


async def test_a_rejected_request_names_the_reason_and_sends_no_command(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-bad")
        result = await asyncio.wait_for(actors.run_transfer(request("room-a", pacing="fast")), 10)
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
    async with running_coordinators(fresh_bus):
        await fresh_bus.publish(f"warmxfer.t-poison.{kind}", body)
        other = await asyncio.wait_for(FakeActors(fresh_bus, "t-other").run_transfer(request("room-b")), 10)
        dead = await until_stored(fresh_bus, subjects.dead_letter("t-poison"))
    assert other.success
    dead_letter = json.loads(dead.data)
    assert dead_letter["subject"] == f"warmxfer.t-poison.{kind}"
    assert dead_letter["cause"]
    assert dead_letter["tries"] == 1


class SimulatedCrash(Exception):
    """Stands for the death of the process at this point."""


class CrashingCoordinator(Coordinator):
    """Crashes once at every point of every trigger: before the append, after it, and while publishing."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.crashed: set[tuple[int, str]] = set()

    def _crash_once(self, seq: int, point: str) -> None:
        if (seq, point) not in self.crashed:
            self.crashed.add((seq, point))
            self._cache.drop("t-dying")
            raise SimulatedCrash

    async def handle(self, delivery: Delivery) -> None:
        self._crash_once(delivery.seq, "before")
        await super().handle(delivery)
        self._crash_once(delivery.seq, "after")

    async def _publish(self, known, stored=()):  # type: ignore[no-untyped-def]
        self._crash_once(known.seq, "committed, nothing sent")
        await super()._publish(known, stored)
        self._crash_once(known.seq, "sent, not acknowledged")


async def test_a_coordinator_that_crashes_at_every_point_loses_and_repeats_nothing(
    fresh_server: object, fresh_bus: Bus
) -> None:
    settings = BusSettings(url=fresh_bus.settings.url, ack_wait_s=1.0, max_deliver=50)
    async with await Bus.connect(settings, name="dying") as bus:
        coordinator = CrashingCoordinator(bus)
        async with Worker(bus, "coordinator", coordinator.handle, jobs=8, keyed=True):
            actors = FakeActors(fresh_bus, "t-dying")
            result = await asyncio.wait_for(actors.run_transfer(request("room-a", command_timeout_s=30)), 60)
    assert result.success
    assert len(coordinator.crashed) > 40
    stored = [decode_phase(each.data).seq for each in await fresh_bus.history(subjects.phase("t-dying"), 100)]
    assert stored == list(range(1, 12))
    assert len(actors.command_names) == len({command.command_id for command in actors.commands})


async def test_an_event_without_effect_is_handled_once(fresh_bus: Bus) -> None:
    """Found by simulation. The event was read 25 times, deferred, and dead-lettered a minute later."""
    counting = CountingHandler(Coordinator(fresh_bus).handle)
    async with Worker(fresh_bus, "coordinator", counting, jobs=8, keyed=True):
        await fresh_bus.publish(subjects.request("t-idle"), request("room-a"))
        await until_stored(fresh_bus, subjects.log("t-idle"))
        await fresh_bus.publish(subjects.event("t-idle"), encode(SupervisorReady()))
        async with asyncio.timeout(5):
            while counting.done + counting.failed < 2:
                await asyncio.sleep(0.02)
    assert (counting.done, counting.failed) == (2, 0)
    assert len(await records(fresh_bus, "t-idle")) == 1


async def test_a_reply_redelivered_after_the_end_ends_no_second_call(fresh_bus: Bus) -> None:
    """Found by simulation. The acknowledgement of the dial's reply was lost and the transfer ended. The
    redelivered reply was taken for a leg that was found late, again and again.
    """

    def with_voicemail(command: object) -> list[object]:
        return [VoicemailDetected()] if type(command).__name__ == "BriefSupervisor" else answers(command)

    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-again", with_voicemail)
        result = await asyncio.wait_for(actors.run_transfer(request("room-a")), 10)
    assert result.outcome is Outcome.VOICEMAIL
    before = await records(fresh_bus, "t-again")
    answer = next(
        each
        for each in await fresh_bus.history(subjects.event("t-again"), 100)
        if b"supervisor_dialed" in each.data
    )
    again = Delivery(
        "t-again", "event", "", answer.subject, answer.data, answer.seq, answer.at, 2, answer.headers
    )
    await asyncio.wait_for(Coordinator(fresh_bus).handle(again), PATIENCE_S)
    assert await records(fresh_bus, "t-again") == before
    assert actors.command_names.count("EndCall") == 1


async def test_outputs_of_a_crashed_coordinator_are_published_on_redelivery(fresh_bus: Bus) -> None:
    """Found by simulation. Another coordinator had the transfer in its cache. It found the trigger in the log
    and dropped it without publishing the outputs of its record.
    """

    class CrashesBeforePublish(Coordinator):
        async def _publish(self, known, stored=()):  # type: ignore[no-untyped-def]
            if isinstance(known.record.event, CancelRequested):
                raise SimulatedCrash
            await super()._publish(known, stored)

    first = Coordinator(fresh_bus)
    await fresh_bus.publish(subjects.request("t-crash"), request("room-a"))
    await deliver(fresh_bus, first, subjects.request("t-crash"), 1)
    await fresh_bus.publish(subjects.cancel("t-crash"), b"{}")
    with pytest.raises(SimulatedCrash):
        await deliver(fresh_bus, CrashesBeforePublish(fresh_bus), subjects.cancel("t-crash"), 1)
    before = await fresh_bus.get_last(subjects.primary("t-crash", "room-a"))
    await deliver(fresh_bus, first, subjects.cancel("t-crash"), 2)
    after = await fresh_bus.get_last(subjects.primary("t-crash", "room-a"))
    assert before is not None
    assert after is not None
    assert b"hold_caller" in before.data
    assert b"release_caller" in after.data


async def test_another_coordinator_does_not_publish_an_ended_transfer_again(
    fresh_bus: Bus,
) -> None:
    """Found by chaos, with five hundred calls. A late event reached a coordinator that had not ended the
    transfer, after the broker had forgotten the message ids. It published the outputs again, and users
    read a second final phase and a second result.
    """
    await shorten_duplicate_window(fresh_bus)
    async with running_coordinators(fresh_bus):
        result = await asyncio.wait_for(FakeActors(fresh_bus, "t-late").run_transfer(request("room-a")), 10)
    assert result.success
    await asyncio.sleep(3 * SHORT_WINDOW_S)
    before = [each.subject for each in await fresh_bus.history(subjects.all_of("t-late"), 500)]
    await fresh_bus.publish(subjects.event("t-late"), encode(SupervisorReady()))
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-late"), 1)
    after = [each.subject for each in await fresh_bus.history(subjects.all_of("t-late"), 500)]
    assert after == [*before, subjects.event("t-late")]
    assert after.count(subjects.result("t-late")) == 1


async def test_a_cancel_is_not_lost_when_a_coordinator_dies_with_the_request(fresh_bus: Bus) -> None:
    """Found by simulation. The supervisor was dialled all the same, after the redelivery of the request."""
    coordinator = Coordinator(fresh_bus)
    await fresh_bus.publish(subjects.request("t-early"), request("room-a"))
    await fresh_bus.publish(subjects.cancel("t-early"), b"{}")
    with pytest.raises(RetryableError):
        await deliver(fresh_bus, coordinator, subjects.cancel("t-early"), 10)
    await deliver(fresh_bus, coordinator, subjects.request("t-early"), 2)
    await deliver(fresh_bus, coordinator, subjects.cancel("t-early"), 11)
    assert (await records(fresh_bus, "t-early"))[-1].state.stage is Stage.UNWINDING


async def test_a_cancel_without_a_request_is_dead_lettered(fresh_bus: Bus) -> None:
    await fresh_bus.publish(subjects.cancel("t-unrequested"), b"{}")
    with pytest.raises(DeadLetter):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.cancel("t-unrequested"), 10)


async def test_a_caller_is_released_at_once_when_an_event_breaks_every_coordinator(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transfer does not wait for a deadline minutes away, and no trigger is retried for ever."""

    def break_down(*_: object) -> None:
        raise KeyError("a bug")

    rule = TRANSITIONS[Stage.RINGING][SupervisorDialed]
    monkeypatch.setitem(
        TRANSITIONS[Stage.RINGING],  # type: ignore[arg-type]
        SupervisorDialed,
        Transition(break_down, rule.to),
    )
    async with running_coordinators(fresh_bus):
        result = await asyncio.wait_for(FakeActors(fresh_bus, "t-bug").run_transfer(request("room-a")), 15)
    assert result.outcome is Outcome.BROKEN
    assert result.detail.startswith("The event could not be handled (KeyError at test_coordinator.py:")
    stored_types = [type(record.event) for record in await records(fresh_bus, "t-bug")]
    assert TransferBroken in stored_types
    assert await fresh_bus.get_last(subjects.dead_letter("t-bug")) is not None


async def test_a_request_that_breaks_every_coordinator_is_answered(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("warmxfer.actors.coordinator.coordinator.lock_caller", break_down)
    async with running_coordinators(fresh_bus):
        result = await asyncio.wait_for(FakeActors(fresh_bus, "t-bug").run_transfer(request("room-a")), 15)
    assert result.outcome is Outcome.BROKEN


async def test_an_undecodable_event_does_not_end_a_transfer(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-robust")
        await fresh_bus.publish(subjects.event("t-robust"), b"{")
        assert (await asyncio.wait_for(actors.run_transfer(request("room-a")), 10)).success


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
        result = await asyncio.wait_for(actors.run_transfer(request("room-out")), 10)
        assert (result.outcome, result.evidence) == (Outcome.TOO_BUSY, {"retry_after_s": 5.0})
        assert result.detail == (
            "2 transfers are running, WARMXFER_MAX_TRANSFERS allows 2; "
            "ask again in 5 s, or start more coordinators."
        )
        assert actors.command_names == []
        await fresh_bus.publish(subjects.cancel("t-in-0"), b"{}")
        assert (await asyncio.wait_for(running_transfers[0], 10)).outcome is Outcome.CANCELLED
        assert (
            await asyncio.wait_for(FakeActors(fresh_bus, "t-later").run_transfer(request("room-out")), 10)
        ).success
    finally:
        for task in (running, *running_transfers):
            task.cancel()
        await asyncio.gather(running, *running_transfers, return_exceptions=True)


async def test_a_request_that_was_queued_too_long_is_rejected(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.coordinator.admission.MAX_QUEUED_S", 0.5)
    await fresh_bus.publish(subjects.request("t-old"), request("room-a"))
    await asyncio.sleep(1.0)
    await fresh_bus.publish(subjects.request("t-new"), request("room-b"))
    coordinator = Coordinator(fresh_bus)
    for id in ("t-new", "t-old"):
        stored = await fresh_bus.get_last(subjects.request(id))
        assert stored is not None
        await coordinator.handle(
            Delivery(id, "request", "", stored.subject, stored.data, stored.seq, stored.at, 1, stored.headers)
        )
    stored_types = await until_stored(fresh_bus, subjects.result("t-old"))
    assert decode_result(stored_types.data).outcome is Outcome.TOO_BUSY
    assert await fresh_bus.get_last(subjects.result("t-new")) is None


async def test_the_liveness_reply_says_whether_a_transfer_is_live(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        await asyncio.wait_for(FakeActors(fresh_bus, "t-over").run_transfer(request("room-a")), 10)
        live = asyncio.create_task(
            FakeActors(fresh_bus, "t-live", lambda _: []).run_transfer(request("room-b"))
        )
        await until_stored(fresh_bus, subjects.log("t-live"))
        reply = {
            id: decode_as(
                LivenessReply, await fresh_bus.request(subjects.ASK_LIVENESS, encode(LivenessQuery(id)), 2)
            ).live
            for id in ("t-over", "t-live", "t-never")
        }
        live.cancel()
    assert reply == {"t-over": False, "t-live": True, "t-never": False}


async def test_an_absent_actor_ends_the_transfer_with_the_sentence_that_names_it(fresh_bus: Bus) -> None:
    def without_gateway(command: object) -> list[object]:
        return [] if type(command).__name__ in {"FindCallerCall", "CreateRoom"} else answers(command)

    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-absent", without_gateway)
        result = await asyncio.wait_for(actors.run_transfer(request("room-a", command_timeout_s=1)), 15)
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
