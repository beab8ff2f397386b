"""Crashes and redeliveries: nothing is lost and nothing is published twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.testkit.stored import stored_of
from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.folding import TOGETHER_MAX
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS, Transition
from warmxfer.bus import Bus, BusSettings, Delivery, Worker, subjects
from warmxfer.bus.worker import Together
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    BriefSupervisor,
    CancelRequested,
    DialSupervisor,
    Outcome,
    ParticipantJoined,
    RetryableError,
    SupervisorDialed,
    SupervisorReady,
    TransferBroken,
    VoicemailDetected,
    decode_phase,
    encode,
)

from .coordinator_fixture import (
    PATIENCE_S,
    SHORT_WINDOW_S,
    SimulatedCrash,
    deliver,
    delivery_of,
    records,
    request,
    running_coordinators,
    shorten_duplicate_window,
    transitions,
    until_all_handled,
)
from .fake_actors import FakeActors, answers


class CrashingCoordinator(Coordinator):
    """Crashes once at every point of every trigger: before the append, after it, and while publishing."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.crashed: set[tuple[int, str]] = set()

    def _crash_once(self, seq: int, point: str) -> None:
        if (seq, point) not in self.crashed:
            self.crashed.add((seq, point))
            self._records.drop("t-dying")
            raise SimulatedCrash

    async def handle(self, delivery: Delivery) -> None:
        self._crash_once(delivery.seq, "before")
        await super().handle(delivery)
        self._crash_once(delivery.seq, "after")

    async def _publish(self, known, stored=()):  # type: ignore[no-untyped-def]
        self._crash_once(known.seq, "committed, nothing sent")
        await super()._publish(known, stored)
        self._crash_once(known.seq, "sent, not acknowledged")

    async def handle_together(self, deliveries: Sequence[Delivery]) -> int:
        self._crash_once(deliveries[0].seq, "before")
        handled = await super().handle_together(deliveries)
        self._crash_once(deliveries[0].seq, "after")
        return handled


async def test_a_coordinator_that_crashes_at_every_point_loses_and_repeats_nothing(
    fresh_server: object, fresh_bus: Bus
) -> None:
    settings = BusSettings(url=fresh_bus.settings.url, ack_wait_s=1.0, max_deliver=50)
    async with await Bus.connect(settings, name="dying") as bus:
        coordinator = CrashingCoordinator(bus)
        together = Together(coordinator.handle_together, TOGETHER_MAX)
        async with Worker(bus, "coordinator", coordinator.handle, jobs=8, keyed=True, together=together):
            actors = FakeActors(fresh_bus, "t-dying")
            result = await asyncio.wait_for(actors.run_transfer(request("room-a", command_timeout_s=30)), 60)
    assert result.success
    assert len(coordinator.crashed) > 40
    stored = [decode_phase(each.data).seq for each in await fresh_bus.history(subjects.phase("t-dying"), 100)]
    assert stored == list(range(1, 12))
    assert len(actors.command_names) == len({command.command_id for command in actors.commands})


async def test_a_reply_redelivered_after_the_end_ends_no_second_call(fresh_bus: Bus) -> None:
    """Found by simulation. The acknowledgement of the dial's reply was lost and the transfer ended. The
    redelivered reply was taken for a leg that was found late, again and again.
    """

    def with_voicemail(command: object) -> list[object]:
        return [VoicemailDetected()] if type(command).__name__ == "BriefSupervisor" else answers(command)

    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-again", with_voicemail)
        result = await asyncio.wait_for(actors.run_transfer(request("room-a")), 30)
    assert result.outcome is Outcome.VOICEMAIL
    before = await records(fresh_bus, "t-again")
    answer = next(
        each
        for each in await fresh_bus.history(subjects.event("t-again", "gateway"), 100)
        if b"supervisor_dialed" in each.data
    )
    await asyncio.wait_for(Coordinator(fresh_bus).handle(delivery_of(answer, 2)), PATIENCE_S)
    assert await records(fresh_bus, "t-again") == before
    assert actors.command_names.count("EndCall") == 1


async def test_old_triggers_that_a_new_consumer_delivers_take_effect_once(fresh_bus: Bus) -> None:
    """Found by simulation (seed 336), with a consumer that was deleted. A new one delivers the whole stream
    again, as if for the first time. An old event without effect got one after the end, and its record was
    the newest. The old event behind it was then newer than that record's trigger, and took effect again.
    """

    def joined_before_heard(command: AnyCommand) -> list[AnyEvent]:
        if isinstance(command, DialSupervisor):
            joined = ParticipantJoined(room_id=command.room_id, participant_id=command.participant_id)
            return [joined, *answers(command)]
        return [VoicemailDetected()] if isinstance(command, BriefSupervisor) else answers(command)

    await shorten_duplicate_window(fresh_bus)
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-twice", joined_before_heard)
        await asyncio.wait_for(actors.run_transfer(request("room-a")), 30)
        await until_all_handled(fresh_bus)
    applied = [record.trigger for record in await transitions(fresh_bus, "t-twice")]
    events = await fresh_bus.history(subjects.event("t-twice", "gateway"), 100)
    (joined,) = [each for each in events if b"PARTICIPANT_JOINED" in each.data]
    (heard,) = [each for each in events if b"AUDIO_STREAM_ENABLED" in each.data]
    assert joined.seq not in applied
    assert heard.seq in applied
    await asyncio.sleep(3 * SHORT_WINDOW_S)
    coordinator = Coordinator(fresh_bus)
    for each in (joined, heard, joined, heard):
        await coordinator.handle(delivery_of(each, 1))
    again = [record.trigger for record in await transitions(fresh_bus, "t-twice")]
    assert again == [*applied, joined.seq]


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
    before = await fresh_bus.get_last(subjects.session_commands("room-a"))
    await deliver(fresh_bus, first, subjects.cancel("t-crash"), 2)
    after = await fresh_bus.get_last(subjects.session_commands("room-a"))
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
        body = request("room-a", bridge_guard_s=300)
        result = await asyncio.wait_for(FakeActors(fresh_bus, "t-late").run_transfer(body), 30)
        await until_all_handled(fresh_bus)
    assert result.success
    await asyncio.sleep(3 * SHORT_WINDOW_S)
    before = [each.subject for each in await stored_of(fresh_bus, "t-late")]
    await fresh_bus.publish(subjects.event("t-late", "briefing"), encode(SupervisorReady()))
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-late", "briefing"), 1)
    after = [each.subject for each in await stored_of(fresh_bus, "t-late")]
    assert after == [*before, subjects.event("t-late", "briefing")]
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
        result = await asyncio.wait_for(FakeActors(fresh_bus, "t-bug").run_transfer(request("room-a")), 30)
    assert result.outcome is Outcome.BROKEN
    assert result.detail.startswith("The event could not be handled (KeyError at test_crashes.py:")
    stored_types = [type(record.event) for record in await transitions(fresh_bus, "t-bug")]
    assert TransferBroken in stored_types
    assert await fresh_bus.get_last(subjects.dead_letter("t-bug")) is not None


async def test_a_request_that_breaks_every_coordinator_is_answered(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("warmxfer.actors.coordinator.transfer_start.lock_caller", break_down)
    async with running_coordinators(fresh_bus):
        result = await asyncio.wait_for(FakeActors(fresh_bus, "t-bug").run_transfer(request("room-a")), 30)
    assert result.outcome is Outcome.BROKEN
