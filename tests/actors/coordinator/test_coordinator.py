"""One trigger, one record, its outbox sent: alone, twice, by two processes, after a crash at any point."""

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
    decode_phase,
    decode_result,
    encode,
)

from .coordinator_fixture import (
    SHORT_WINDOW_S,
    coordinating,
    deliver,
    forget_names_soon,
    records,
    request,
    until_stored,
)
from .fake_actors import Cast, answers


async def test_a_whole_transfer(fresh_bus: Bus) -> None:
    async with coordinating(fresh_bus):
        cast = Cast(fresh_bus, "t-whole")
        result = await asyncio.wait_for(cast.play(request("room-a")), 10)
    assert (result.success, result.outcome) == (True, Outcome.COMPLETE)
    assert result.summary == "Ann wants a refund."
    assert [phase.seq for phase in cast.phases] == list(range(1, 12))
    assert cast.phases[-1].phase is WarmTransferPhase.TRANSFER_COMPLETE


@pytest.mark.parametrize(
    ("brief_by", "subject"),
    [("briefing", "warmxfer.t-b.do.briefing"), ("session", "warmxfer.t-b.do.briefing.room-a")],
)
async def test_whoever_is_to_brief_is_told(fresh_bus: Bus, brief_by: str, subject: str) -> None:
    async with coordinating(fresh_bus):
        await asyncio.wait_for(Cast(fresh_bus, "t-b").play(request("room-a", brief_by=brief_by)), 10)
    told = await fresh_bus.history("warmxfer.t-b.do.briefing.>", 10) + await fresh_bus.history(
        "warmxfer.t-b.do.briefing", 10
    )
    assert [each.subject for each in told] == [subject]


async def test_the_log_replays_to_the_same_state(fresh_bus: Bus) -> None:
    async with coordinating(fresh_bus):
        await asyncio.wait_for(Cast(fresh_bus, "t-replay").play(request("room-a")), 10)
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
        coordinating(fresh_bus),
        coordinating(second),
    ):
        casts = [Cast(fresh_bus, f"t-two-{n}") for n in range(20)]
        results = await asyncio.wait_for(
            asyncio.gather(*(cast.play(request(f"room-{n}")) for n, cast in enumerate(casts))), 30
        )
    assert all(result.success for result in results)
    for cast in casts:
        stored = [
            decode_phase(each.data).seq for each in await fresh_bus.history(subjects.phase(cast.id), 100)
        ]
        assert stored == list(range(1, 12))
        asked = await fresh_bus.history(subjects.work_queue(cast.id, "gateway"), 100)
        assert len(asked) == 4  # find, room, dial, switch: each stored once


async def test_the_same_request_twice_is_one_transfer(fresh_bus: Bus) -> None:
    async with coordinating(fresh_bus):
        cast = Cast(fresh_bus, "t-same")
        playing = asyncio.create_task(cast.play(request("room-a")))
        await fresh_bus.publish(subjects.request("t-same"), request("room-a"), msg_id="another-name")
        result = await asyncio.wait_for(playing, 10)
        await asyncio.sleep(0.3)
    assert result.success
    assert cast.told.count("HoldCaller") == 1


async def test_a_second_transfer_of_the_same_caller_is_refused(fresh_bus: Bus) -> None:
    async with coordinating(fresh_bus):
        first = asyncio.create_task(Cast(fresh_bus, "t-first", lambda _: []).play(request("room-a")))
        await until_stored(fresh_bus, subjects.log("t-first"))
        second = await asyncio.wait_for(Cast(fresh_bus, "t-second").play(request("room-a")), 10)
        await fresh_bus.publish(subjects.cancel("t-first"), b"{}")
        await asyncio.sleep(0.5)
        first.cancel()
    assert second.outcome is Outcome.CALLER_IN_TRANSFER
    assert second.detail == (
        "session room-a is already being transferred by t-first; wait for that transfer to end, or cancel it."
    )


async def test_a_caller_is_free_again_when_their_transfer_is_over(fresh_bus: Bus) -> None:
    async with coordinating(fresh_bus):
        for id in ("t-one", "t-two"):
            result = await asyncio.wait_for(Cast(fresh_bus, id).play(request("room-a")), 10)
            assert result.success


async def test_a_refused_request_says_why_and_commands_nobody(fresh_bus: Bus) -> None:
    async with coordinating(fresh_bus):
        cast = Cast(fresh_bus, "t-bad")
        result = await asyncio.wait_for(cast.play(request("room-a", pacing="fast")), 10)
    assert result.outcome is Outcome.INVALID_REQUEST
    assert result.detail == "config.pacing is 'fast'; use one of overlap, sequential."
    assert [phase.phase.value for phase in cast.phases] == ["transfer_failed"]
    assert cast.told == []


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
async def test_what_nobody_can_read_is_parked_with_its_cause(fresh_bus: Bus, kind: str, body: bytes) -> None:
    async with coordinating(fresh_bus):
        await fresh_bus.publish(f"warmxfer.t-poison.{kind}", body)
        other = await asyncio.wait_for(Cast(fresh_bus, "t-other").play(request("room-b")), 10)
        dead = await until_stored(fresh_bus, subjects.dead_letter("t-poison"))
    assert other.success
    letter = json.loads(dead.data)
    assert letter["subject"] == f"warmxfer.t-poison.{kind}"
    assert letter["cause"]
    assert letter["tries"] == 1


class Crash(Exception):
    """Stands for the death of the process at this point."""


class Dying(Coordinator):
    """Dies once at every point of every transfer's way: before the commit, after it, and half-way sent."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.died: set[tuple[int, str]] = set()

    def _die_once(self, seq: int, point: str) -> None:
        if (seq, point) not in self.died:
            self.died.add((seq, point))
            self._memory.drop("t-dying")
            raise Crash

    async def handle(self, delivery: Delivery) -> None:
        self._die_once(delivery.seq, "before")
        await super().handle(delivery)
        self._die_once(delivery.seq, "after")

    async def _send(self, known, stored=()):  # type: ignore[no-untyped-def]
        self._die_once(known.seq, "committed, nothing sent")
        await super()._send(known, stored)
        self._die_once(known.seq, "sent, not acknowledged")


async def test_a_coordinator_that_dies_at_every_point_loses_and_repeats_nothing(
    fresh_server: object, fresh_bus: Bus
) -> None:
    settings = BusSettings(url=fresh_bus.settings.url, ack_wait_s=1.0, max_deliver=50)
    async with await Bus.connect(settings, name="dying") as bus:
        coordinator = Dying(bus)
        async with Worker(bus, "coordinator", coordinator.handle, jobs=8, keyed=True):
            cast = Cast(fresh_bus, "t-dying")
            result = await asyncio.wait_for(cast.play(request("room-a", command_timeout_s=30)), 60)
    assert result.success
    assert len(coordinator.died) > 40
    stored = [decode_phase(each.data).seq for each in await fresh_bus.history(subjects.phase("t-dying"), 100)]
    assert stored == list(range(1, 12))
    assert len(cast.told) == len({command.command_id for command in cast.commands})


async def test_a_fact_that_changes_nothing_does_not_keep_a_transfer_busy(fresh_bus: Bus) -> None:
    """Found by simulation: it was read 25 times over, put off, and ended as a dead letter a minute later."""
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


async def test_an_answer_that_comes_again_after_the_end_hangs_up_on_nobody_twice(fresh_bus: Bus) -> None:
    """Found by simulation: the receipt of the dial's answer was lost, the transfer ended, the answer came
    again, and was taken for a leg that had turned up late, over and over."""

    def with_a_machine(command: object) -> list[object]:
        return [VoicemailDetected()] if type(command).__name__ == "BriefSupervisor" else answers(command)

    async with coordinating(fresh_bus):
        cast = Cast(fresh_bus, "t-again", with_a_machine)
        result = await asyncio.wait_for(cast.play(request("room-a")), 10)
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
    await asyncio.wait_for(Coordinator(fresh_bus).handle(again), 2)
    assert await records(fresh_bus, "t-again") == before
    assert cast.told.count("EndCall") == 1


async def test_users_learn_of_an_end_whose_coordinator_died_before_telling(fresh_bus: Bus) -> None:
    """Found by simulation: another coordinator, who remembered the transfer from before, found its last
    trigger in the log and let it go, without sending what its record had to send."""

    class Silent(Coordinator):
        async def _send(self, known, stored=()):  # type: ignore[no-untyped-def]
            if isinstance(known.record.event, CancelRequested):
                raise Crash
            await super()._send(known, stored)

    remembers = Coordinator(fresh_bus)
    await fresh_bus.publish(subjects.request("t-told"), request("room-a"))
    await deliver(fresh_bus, remembers, subjects.request("t-told"), 1)
    await fresh_bus.publish(subjects.cancel("t-told"), b"{}")
    with pytest.raises(Crash):
        await deliver(fresh_bus, Silent(fresh_bus), subjects.cancel("t-told"), 1)
    before = await fresh_bus.get_last(subjects.primary("t-told", "room-a"))
    await deliver(fresh_bus, remembers, subjects.cancel("t-told"), 2)
    after = await fresh_bus.get_last(subjects.primary("t-told", "room-a"))
    assert before is not None
    assert after is not None
    assert b"hold_caller" in before.data
    assert b"release_caller" in after.data


async def test_a_transfer_that_has_ended_is_not_told_of_again_by_another_coordinator_minutes_later(
    fresh_bus: Bus,
) -> None:
    """Found by chaos, with five hundred on the phone: a late event of a transfer came to a coordinator who
    had not ended it, after the broker had forgotten the names of what was sent; so the outbox went out once
    more, and users read a second final phase and a second result."""
    await forget_names_soon(fresh_bus)
    async with coordinating(fresh_bus):
        result = await asyncio.wait_for(Cast(fresh_bus, "t-late").play(request("room-a")), 10)
    assert result.success
    await asyncio.sleep(3 * SHORT_WINDOW_S)
    before = [each.subject for each in await fresh_bus.history(subjects.all_of("t-late"), 500)]
    await fresh_bus.publish(subjects.event("t-late"), encode(SupervisorReady()))
    await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-late"), 1)
    after = [each.subject for each in await fresh_bus.history(subjects.all_of("t-late"), 500)]
    assert after == [*before, subjects.event("t-late")]
    assert after.count(subjects.result("t-late")) == 1


async def test_a_cancel_is_not_lost_when_a_coordinator_dies_with_the_request(fresh_bus: Bus) -> None:
    """Found by simulation: the supervisor was rung all the same, once the request had come again."""
    coordinator = Coordinator(fresh_bus)
    await fresh_bus.publish(subjects.request("t-early"), request("room-a"))
    await fresh_bus.publish(subjects.cancel("t-early"), b"{}")
    with pytest.raises(RetryableError):
        await deliver(fresh_bus, coordinator, subjects.cancel("t-early"), 10)
    await deliver(fresh_bus, coordinator, subjects.request("t-early"), 2)
    await deliver(fresh_bus, coordinator, subjects.cancel("t-early"), 11)
    assert (await records(fresh_bus, "t-early"))[-1].state.stage is Stage.UNWINDING


async def test_a_cancel_of_what_nobody_asked_for_is_not_kept(fresh_bus: Bus) -> None:
    await fresh_bus.publish(subjects.cancel("t-nobody"), b"{}")
    with pytest.raises(DeadLetter):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.cancel("t-nobody"), 10)


async def test_a_caller_is_given_back_at_once_when_an_event_breaks_every_coordinator(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a deadline that is minutes away, and nothing is tried for ever."""

    def break_down(*_: object) -> None:
        raise KeyError("a bug")

    rule = TRANSITIONS[Stage.RINGING][SupervisorDialed]
    monkeypatch.setitem(
        TRANSITIONS[Stage.RINGING],  # type: ignore[arg-type]
        SupervisorDialed,
        Transition(break_down, rule.to),
    )
    async with coordinating(fresh_bus):
        result = await asyncio.wait_for(Cast(fresh_bus, "t-bug").play(request("room-a")), 15)
    assert result.outcome is Outcome.BROKEN
    assert result.detail.startswith("The event could not be handled (KeyError at test_coordinator.py:")
    told = [type(record.event) for record in await records(fresh_bus, "t-bug")]
    assert TransferBroken in told
    assert await fresh_bus.get_last(subjects.dead_letter("t-bug")) is not None


async def test_a_request_that_breaks_every_coordinator_is_answered(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("warmxfer.actors.coordinator.coordinator.lock_caller", break_down)
    async with coordinating(fresh_bus):
        result = await asyncio.wait_for(Cast(fresh_bus, "t-bug").play(request("room-a")), 15)
    assert result.outcome is Outcome.BROKEN


async def test_what_a_stranger_writes_ends_nobodys_transfer(fresh_bus: Bus) -> None:
    async with coordinating(fresh_bus):
        cast = Cast(fresh_bus, "t-robust")
        await fresh_bus.publish(subjects.event("t-robust"), b"{")
        assert (await asyncio.wait_for(cast.play(request("room-a")), 10)).success


async def test_one_transfer_too_many_is_refused_with_when_to_ask_again(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their callers waited for minutes, and nobody told them why."""

    def without_hold(command: AnyCommand) -> list[AnyEvent]:
        return [] if isinstance(command, HoldCaller) else answers(command)

    monkeypatch.setattr("warmxfer.actors.coordinator.admission.COUNT_EVERY_S", 0.0)
    inside: list[asyncio.Task[WarmTransferResult]] = []
    running = asyncio.create_task(run(fresh_bus, CoordinatorSettings(max_transfers=2)))
    try:
        inside = [
            asyncio.create_task(Cast(fresh_bus, f"t-in-{n}", without_hold).play(request(f"room-{n}")))
            for n in range(2)
        ]
        for n in range(2):
            await until_stored(fresh_bus, subjects.timer(f"t-in-{n}", TIMER))
        cast = Cast(fresh_bus, "t-out")
        result = await asyncio.wait_for(cast.play(request("room-out")), 10)
        assert (result.outcome, result.evidence) == (Outcome.TOO_BUSY, {"retry_after_s": 5.0})
        assert result.detail == (
            "2 transfers are running, WARMXFER_MAX_TRANSFERS allows 2; "
            "ask again in 5 s, or start more coordinators."
        )
        assert cast.told == []
        await fresh_bus.publish(subjects.cancel("t-in-0"), b"{}")
        assert (await asyncio.wait_for(inside[0], 10)).outcome is Outcome.CANCELLED
        assert (await asyncio.wait_for(Cast(fresh_bus, "t-later").play(request("room-out")), 10)).success
    finally:
        for task in (running, *inside):
            task.cancel()
        await asyncio.gather(running, *inside, return_exceptions=True)


async def test_a_request_that_lay_in_the_queue_too_long_is_refused(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.coordinator.admission.MAX_WAITED_S", 0.5)
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
    told = await until_stored(fresh_bus, subjects.result("t-old"))
    assert decode_result(told.data).outcome is Outcome.TOO_BUSY
    assert await fresh_bus.get_last(subjects.result("t-new")) is None


async def test_pulse_tells_whether_somebody_is_in_charge(fresh_bus: Bus) -> None:
    async with coordinating(fresh_bus):
        await asyncio.wait_for(Cast(fresh_bus, "t-over").play(request("room-a")), 10)
        live = asyncio.create_task(Cast(fresh_bus, "t-live", lambda _: []).play(request("room-b")))
        await until_stored(fresh_bus, subjects.log("t-live"))
        said = {
            id: decode_as(
                LivenessReply, await fresh_bus.request(subjects.ASK_LIVENESS, encode(LivenessQuery(id)), 2)
            ).live
            for id in ("t-over", "t-live", "t-never")
        }
        live.cancel()
    assert said == {"t-over": False, "t-live": True, "t-never": False}


async def test_an_absent_actor_ends_the_transfer_with_the_sentence_that_names_it(fresh_bus: Bus) -> None:
    def without_gateway(command: object) -> list[object]:
        return [] if type(command).__name__ in {"FindCallerCall", "CreateRoom"} else answers(command)

    async with coordinating(fresh_bus):
        cast = Cast(fresh_bus, "t-absent", without_gateway)
        result = await asyncio.wait_for(cast.play(request("room-a", command_timeout_s=1)), 15)
    assert result.outcome is Outcome.GATEWAY_ABSENT
    assert result.detail == (
        "No SIP gateway answered find_caller_call within 1 s; start one with `warmxfer run gateway`."
    )
    assert "ReleaseCaller" in cast.told
    assert "DialSupervisor" not in cast.told


@pytest.mark.parametrize("bad_id", ["bad!id", "x" * 65, "ünï"])
async def test_an_id_that_is_no_safe_token_is_refused_where_its_author_listens(
    fresh_bus: Bus, bad_id: str
) -> None:
    async with coordinating(fresh_bus), fresh_bus.subscribe("warmxfer.*.result") as heard:
        await fresh_bus.publish(f"warmxfer.{bad_id}.request", request("room-a"))
        said = await heard.next(5)
    assert said is not None
    assert said.subject == f"warmxfer.{bad_id}.result"
    result = decode_result(said.data)
    assert result.outcome is Outcome.INVALID_REQUEST
    assert result.detail is not None
    assert result.detail.startswith("id is ")
    assert result.detail.endswith("; use 1 to 64 of A-Z a-z 0-9 _ -")
