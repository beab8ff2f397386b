"""A consultation in the session's own process: heard or found, begun once, gone on with, let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.testkit.provider_sandbox import Cloud, seen_late
from warmxfer.actors.briefing import brief_here, in_session
from warmxfer.actors.briefing.consultation import Consultation
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.bus import Bus, LiveMessage, RetryableError, subjects
from warmxfer.schemas import (
    AudioStreamEnabled,
    CommandFailed,
    ConsultationJoined,
    ConsultationLeft,
    FailureKind,
    LivenessQuery,
    LivenessReply,
    ParticipantJoined,
    SupervisorReady,
    decode_as,
    encode,
)

from .conftest import CONNECTING, GREETING, QUESTION, SUMMARY, Desk, open_desk

READY, SILENT = "+14155550101", "+14155550111"
SESSION = "call-7f3a"
LONG = "Ann was charged twice. " * 12
SANDBOX = RoomSettings()
SOON_S = 0.6
"""Longer than the second look, and the third, for what nobody heard."""


class Charge:
    """Whoever is asked whether the transfer goes on; `asked` is how often."""

    def __init__(self) -> None:
        self.live = True
        self.asked = 0

    async def answer(self, heard: LiveMessage) -> bytes:
        self.asked += 1
        assert decode_as(LivenessQuery, heard.data).transfer_id
        return encode(LivenessReply(live=self.live))


@pytest_asyncio.fixture
async def charge(fresh_bus: Bus) -> AsyncIterator[Charge]:
    charge = Charge()
    async with fresh_bus.serve(subjects.ASK_LIVENESS, charge.answer):
        yield charge


@pytest_asyncio.fixture
async def desk(fresh_bus: Bus, cloud: Cloud, transfer_id: str) -> AsyncIterator[Desk]:
    async with open_desk(fresh_bus, cloud, transfer_id) as desk:
        desk.session = SESSION
        yield desk


async def begin(desk: Desk, number: str, summary: str = SUMMARY) -> None:
    await desk.wait_for(ConsultationJoined)
    await desk.dial(number)
    await desk.wait_for(AudioStreamEnabled)
    await desk.brief(summary)


async def finish(desk: Desk) -> None:
    left = await desk.leave()
    assert (await desk.wait_for(ConsultationLeft)).command_id == left


async def entered(desk: Desk) -> int:
    """How often the agent came into the room."""
    came = await desk.cloud.ledger(desk.room_id, "joined")
    return len([each for each in came if each["participantId"] == desk.agent])


async def test_a_supervisor_is_briefed_without_any_worker(desk: Desk, fresh_bus: Bus) -> None:
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        joined = await desk.join()
        assert (await desk.wait_for(ConsultationJoined)).command_id == joined
        await begin(desk, READY)
        await desk.wait_for(SupervisorReady)
        await desk.wait_said(CONNECTING)
        await finish(desk)
    assert [type(event) for event in await desk.events()] == [
        ConsultationJoined,
        ParticipantJoined,
        AudioStreamEnabled,
        SupervisorReady,
        ConsultationLeft,
    ]


async def test_what_is_for_another_session_is_left_to_its_process(desk: Desk, fresh_bus: Bus) -> None:
    desk.session = "another"
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.join()
        await asyncio.sleep(SOON_S)
    assert await desk.events() == []


async def test_a_command_that_is_heard_before_it_is_stored_is_looked_for_again(
    desk: Desk, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "poll_ticks", _never)
    seen_late(fresh_bus, monkeypatch)
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await finish(desk)


@pytest.mark.usefixtures("charge")
async def test_what_was_commanded_before_is_found(desk: Desk, fresh_bus: Bus) -> None:
    await desk.join()
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.wait_for(ConsultationJoined)
        await finish(desk)


async def test_what_is_found_and_is_over_is_passed_by(desk: Desk, fresh_bus: Bus, charge: Charge) -> None:
    charge.live = False
    await desk.join()
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await asyncio.sleep(SOON_S)
    assert (await desk.events(), await entered(desk)) == ([], 0)
    assert charge.asked == 2, "twice, and never again"


async def test_what_is_found_waits_for_somebody_who_can_say(
    desk: Desk, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "LIVENESS_TIMEOUT_S", 0.1)
    await desk.join()
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await asyncio.sleep(SOON_S)
        assert await entered(desk) == 0
        async with fresh_bus.serve(subjects.ASK_LIVENESS, Charge().answer):
            await desk.wait_for(ConsultationJoined)
            await finish(desk)


async def test_a_command_that_comes_twice_is_one_consultation(
    desk: Desk, fresh_bus: Bus, charge: Charge
) -> None:
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        stored = await fresh_bus.get_last(desk.joins_on)
        assert stored is not None
        for _ in range(3):
            await fresh_bus.publish(desk.joins_on, stored.data)
        await asyncio.sleep(SOON_S)
        assert await entered(desk) == 1
        await finish(desk)
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        charge.live = False
        await asyncio.sleep(SOON_S)
    assert await entered(desk) == 1


async def test_what_cannot_be_read_does_not_keep_the_next_from_being_held(desk: Desk, fresh_bus: Bus) -> None:
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await fresh_bus.publish(subjects.session_briefing("t-other", SESSION), b"{not json")
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await finish(desk)


# ── when it goes wrong ───────────────────────────────────────────────────────────────────────────


async def test_a_process_that_comes_up_again_goes_on_in_the_same_seat(
    desk: Desk, fresh_bus: Bus, charge: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "DRAIN_S", 0.1)
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.join()
        await begin(desk, SILENT, LONG)
        await desk.wait_said(GREETING)
    assert await entered(desk) == 1
    assert QUESTION not in await desk.said()
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.wait_said(GREETING, count=2)
        await desk.wait_said(QUESTION)
        await desk.cloud.say(desk.supervisor, "Yes, go ahead.")
        await desk.wait_for(SupervisorReady)
        await finish(desk)
    assert charge.asked


async def _lose(_: Consultation) -> None:
    raise RetryableError("The connection to the room was lost", after_s=0.05)


async def _break(_: Consultation) -> None:
    raise ValueError("a mistake of ours")


def _once(first: Callable[[Consultation], Awaitable[None]]) -> Callable[[Consultation], Awaitable[None]]:
    hold, held = Consultation.hold, list[Consultation]()

    async def again(self: Consultation) -> None:
        held.append(self)
        await (first if len(held) == 1 else hold)(self)

    return again


@pytest.mark.usefixtures("charge")
async def test_a_line_that_is_lost_is_had_back_while_the_transfer_lives(
    desk: Desk, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Consultation, "hold", _once(_lose))
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await finish(desk)


async def test_nothing_is_had_back_for_a_transfer_that_is_over(
    desk: Desk, fresh_bus: Bus, charge: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge.live = False
    monkeypatch.setattr(Consultation, "hold", _once(_lose))
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.join()
        await asyncio.sleep(SOON_S)
    assert (await desk.events(), await entered(desk)) == ([], 0)
    assert charge.asked >= 2


async def test_what_breaks_is_told_to_whoever_waits(
    desk: Desk, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Consultation, "hold", _break)
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        command = await desk.join()
        failed = await desk.wait_for(CommandFailed)
    assert (failed.command_id, failed.failure) == (command, FailureKind.BROKEN)
    assert failed.detail == "The consultation could not be held (ValueError)."


async def test_no_more_are_held_at_once_than_the_limit(
    desk: Desk, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "MAX_CONSULTATIONS", 0)
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.join()
        await asyncio.sleep(SOON_S)
    assert await desk.events() == []


async def test_leaving_lets_go_within_seconds_and_leaves_the_room(
    desk: Desk, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "DRAIN_S", 0.1)
    async with asyncio.timeout(SOON_S + 5.0):
        async with brief_here(fresh_bus, SESSION, SANDBOX):
            await desk.join()
            await begin(desk, SILENT)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < SOON_S
    left = await desk.cloud.wait_ledger(desk.room_id, "left", 1)
    assert left[0]["participantId"] == desk.agent


async def test_a_consultation_that_is_ending_may_end_by_itself(desk: Desk, fresh_bus: Bus) -> None:
    async with brief_here(fresh_bus, SESSION, SANDBOX):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        left = await desk.leave()
    assert (await desk.wait_for(ConsultationLeft)).command_id == left


async def _never(_: Bus) -> AsyncIterator[None]:
    """Nobody looks of their own accord."""
    await asyncio.Event().wait()
    yield
