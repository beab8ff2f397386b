"""Consultations in the session's own process: started once, retried, continued after a restart, closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.testkit.provider_sandbox import WAIT_S, Cloud, seen_late
from tests.testkit.waiting import until
from warmxfer.actors.briefing import brief_here, in_session
from warmxfer.actors.briefing.consultation import Consultation
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.bus import Bus, LiveMessage, RetryableError, subjects
from warmxfer.bus.polling import Rereads
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

from .conftest import CONNECTING, GREETING, QUESTION, SUMMARY, ConsultationDriver, open_driver

READY, SILENT = "+14155550101", "+14155550111"
SESSION = "call-7f3a"
LONG_SUMMARY = "Ann was charged twice. " * 120
SANDBOX_ROOMS = RoomSettings()
SETTLE_S = 0.6
"""Longer than the second and the third poll of the stream."""
LEAVES_S = 5.0
"""Shorter than the time that a consultation gets to leave its room by itself."""


class FakeCoordinator:
    """Coordinator that replies `live` to liveness queries, and counts them in `queries`."""

    def __init__(self) -> None:
        self.live = True
        self.queries = 0

    async def answer(self, message: LiveMessage) -> bytes:
        self.queries += 1
        assert decode_as(LivenessQuery, message.data).transfer_id
        return encode(LivenessReply(live=self.live))

    async def asked_twice(self) -> None:
        """Return after two queries: so many negative replies end a transfer."""
        await until(lambda: self.queries >= 2)


@pytest_asyncio.fixture
async def coordinator(fresh_bus: Bus) -> AsyncIterator[FakeCoordinator]:
    coordinator = FakeCoordinator()
    async with fresh_bus.serve(subjects.ASK_LIVENESS, coordinator.answer):
        yield coordinator


@pytest_asyncio.fixture
async def driver(fresh_bus: Bus, cloud: Cloud, transfer_id: str) -> AsyncIterator[ConsultationDriver]:
    async with open_driver(fresh_bus, cloud, transfer_id) as driver:
        driver.session = SESSION
        yield driver


async def begin(driver: ConsultationDriver, number: str, summary: str = SUMMARY) -> None:
    await driver.wait_for(ConsultationJoined)
    await driver.dial(number)
    await driver.person_answers()
    await driver.brief(summary)


async def finish(driver: ConsultationDriver) -> None:
    leave_id = await driver.leave()
    assert (await driver.wait_for(ConsultationLeft)).command_id == leave_id


async def join_count(driver: ConsultationDriver) -> int:
    """Return how often the agent joined the room."""
    joined_entries = await driver.cloud.ledger(driver.room_id, "joined")
    return len([entry for entry in joined_entries if entry["participantId"] == driver.agent])


async def test_a_supervisor_is_briefed_without_any_worker(driver: ConsultationDriver, fresh_bus: Bus) -> None:
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        join_id = await driver.join()
        assert (await driver.wait_for(ConsultationJoined)).command_id == join_id
        await begin(driver, READY)
        await driver.wait_for(SupervisorReady)
        await driver.wait_said(CONNECTING)
        await finish(driver)
    assert [type(event) for event in await driver.events()] == [
        ConsultationJoined,
        ParticipantJoined,
        AudioStreamEnabled,
        SupervisorReady,
        ConsultationLeft,
    ]


async def test_a_supervisor_is_briefed_after_the_stream_was_lost(
    driver: ConsultationDriver, fresh_bus: Bus
) -> None:
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        for stream in subjects.STREAMS:
            await fresh_bus._connection.api(f"STREAM.DELETE.{stream}")
        await fresh_bus.ensure()
        await driver.join()
        await begin(driver, READY)
        await driver.wait_for(SupervisorReady)
        await finish(driver)


@pytest.mark.parametrize("live", [True, False])
async def test_an_agent_publishes_again_what_the_stream_has_lost_of_a_live_transfer(
    driver: ConsultationDriver, fresh_bus: Bus, coordinator: FakeCoordinator, live: bool
) -> None:
    """An old copy of the stream does not know who is in the room. No worker is restarted and tells it."""
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.join()
        await begin(driver, SILENT)
        await driver.wait_said(QUESTION)
        published = [type(event) for event in await driver.events()]
        for stream in subjects.STREAMS:
            await fresh_bus._connection.api(f"STREAM.DELETE.{stream}")
        await fresh_bus.ensure()
        coordinator.live, queries = live, coordinator.queries
        await fresh_bus._connection._on_reconnect()
        async with asyncio.timeout(WAIT_S):
            while coordinator.queries == queries or (live and len(await driver.events()) < len(published)):
                await asyncio.sleep(0.02)
        await asyncio.sleep(SETTLE_S)
        assert [type(event) for event in await driver.events()] == (published if live else [])
        await finish(driver)
    assert published == [ConsultationJoined, ParticipantJoined, AudioStreamEnabled]


async def test_a_command_for_another_session_is_ignored(driver: ConsultationDriver, fresh_bus: Bus) -> None:
    driver.session = "another"
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.join()
        await asyncio.sleep(SETTLE_S)
    assert await driver.events() == []


async def test_a_command_that_arrives_before_it_is_stored_is_read_again(
    driver: ConsultationDriver, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "Rereads", _NoRereads)
    seen_late(fresh_bus, monkeypatch)
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await finish(driver)


@pytest.mark.usefixtures("coordinator")
async def test_a_command_published_before_the_start_is_found(
    driver: ConsultationDriver, fresh_bus: Bus
) -> None:
    await driver.join()
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.wait_for(ConsultationJoined)
        await finish(driver)


async def test_a_command_of_a_transfer_that_is_over_starts_nothing(
    driver: ConsultationDriver, fresh_bus: Bus, coordinator: FakeCoordinator
) -> None:
    coordinator.live = False
    await driver.join()
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await coordinator.asked_twice()
        await asyncio.sleep(SETTLE_S)
    assert (await driver.events(), await join_count(driver)) == ([], 0)
    assert coordinator.queries == 2, "two queries, and none after them"


async def test_a_command_found_by_polling_waits_until_a_coordinator_replies(
    driver: ConsultationDriver, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "LIVENESS_TIMEOUT_S", 0.1)
    await driver.join()
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await asyncio.sleep(SETTLE_S)
        assert await join_count(driver) == 0
        async with fresh_bus.serve(subjects.ASK_LIVENESS, FakeCoordinator().answer):
            await driver.wait_for(ConsultationJoined)
            await finish(driver)


async def test_a_repeated_command_starts_one_consultation(
    driver: ConsultationDriver, fresh_bus: Bus, coordinator: FakeCoordinator
) -> None:
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        stored = await fresh_bus.get_last(driver.join_subject)
        assert stored is not None
        for _ in range(3):
            await fresh_bus.publish(driver.join_subject, stored.data)
        await asyncio.sleep(SETTLE_S)
        assert await join_count(driver) == 1
        await finish(driver)
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        coordinator.live = False
        await asyncio.sleep(SETTLE_S)
    assert await join_count(driver) == 1


async def test_an_undecodable_command_does_not_block_the_next_one(
    driver: ConsultationDriver, fresh_bus: Bus
) -> None:
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await fresh_bus.publish(subjects.session_briefing(SESSION), b"{not json")
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await finish(driver)


# ── failures ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_restarted_process_continues_with_the_same_participant_id(
    driver: ConsultationDriver, fresh_bus: Bus, coordinator: FakeCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "DRAIN_S", 0.1)
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.join()
        await begin(driver, SILENT, LONG_SUMMARY)
        await driver.wait_said(GREETING)
    assert await join_count(driver) == 1
    assert QUESTION not in await driver.said()
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.wait_said(GREETING, count=2)
        await driver.person_answers()
        await driver.wait_said(QUESTION)
        await driver.cloud.say(driver.supervisor, "Yes, go ahead.")
        await driver.wait_for(SupervisorReady)
        await finish(driver)
    assert coordinator.queries


async def _lose_connection(_: Consultation) -> None:
    raise RetryableError("The connection to the room was lost", after_s=0.05)


async def _cancel_itself(_: Consultation) -> None:
    component = asyncio.create_task(asyncio.sleep(3_600))
    asyncio.get_running_loop().call_soon(component.cancel)
    await component


async def _raise_bug(_: Consultation) -> None:
    raise ValueError("a bug")


def _first_run(first: Callable[[Consultation], Awaitable[None]]) -> Callable[[Consultation], Awaitable[None]]:
    run, runs = Consultation.run, list[Consultation]()

    async def run_counted(self: Consultation) -> None:
        runs.append(self)
        await (first if len(runs) == 1 else run)(self)

    return run_counted


@pytest.mark.usefixtures("coordinator")
@pytest.mark.parametrize("first", [_lose_connection, _cancel_itself])
async def test_a_lost_connection_is_retried_while_the_transfer_is_live(
    driver: ConsultationDriver,
    fresh_bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
    first: Callable[[Consultation], Awaitable[None]],
) -> None:
    monkeypatch.setattr(Consultation, "run", _first_run(first))
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await finish(driver)


async def test_a_lost_connection_is_not_retried_after_the_transfer_is_over(
    driver: ConsultationDriver, fresh_bus: Bus, coordinator: FakeCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator.live = False
    monkeypatch.setattr(Consultation, "run", _first_run(_lose_connection))
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.join()
        await coordinator.asked_twice()
        await asyncio.sleep(SETTLE_S)
    assert (await driver.events(), await join_count(driver)) == ([], 0)


async def test_a_bug_fails_the_command(
    driver: ConsultationDriver, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Consultation, "run", _raise_bug)
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        command = await driver.join()
        failed = await driver.wait_for(CommandFailed)
    assert (failed.command_id, failed.failure) == (command, FailureKind.BROKEN)
    assert failed.detail == "The consultation could not be run (ValueError)."


async def test_no_consultation_starts_above_the_limit(
    driver: ConsultationDriver, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "MAX_CONSULTATIONS", 0)
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.join()
        await asyncio.sleep(SETTLE_S)
    assert await driver.events() == []


async def test_closing_the_context_leaves_the_room_within_seconds(
    driver: ConsultationDriver, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_session, "DRAIN_S", 0.1)
    async with asyncio.timeout(2 * WAIT_S):
        async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
            await driver.join()
            await begin(driver, SILENT)
        left_at = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - left_at < LEAVES_S
    left = await driver.cloud.wait_ledger(driver.room_id, "left", 1)
    assert left[0]["participantId"] == driver.agent


async def test_a_consultation_that_is_ending_is_not_cancelled(
    driver: ConsultationDriver, fresh_bus: Bus
) -> None:
    async with brief_here(fresh_bus, SESSION, SANDBOX_ROOMS):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        leave_id = await driver.leave()
    assert (await driver.wait_for(ConsultationLeft)).command_id == leave_id


class _NoRereads(Rereads):
    """Never read."""

    def _run(self) -> None:
        return
