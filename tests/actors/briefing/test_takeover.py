"""A worker dies, stops or is replaced during a briefing, and another worker continues."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.testkit.provider_sandbox import Cloud, Wire
from tests.testkit.sent_log import store_in_log
from tests.testkit.waiting import until
from warmxfer.actors.briefing.actor import MAX_CONCURRENT_JOINS
from warmxfer.actors.briefing.consultation import Consultation
from warmxfer.actors.briefing.event_publisher import LEFT_UNSEEN
from warmxfer.actors.briefing.history import ConsultationHistory, from_events
from warmxfer.adapters.rooms import JoinOptions, RoomSettings, RoomSnapshot, open_room_client
from warmxfer.adapters.rooms.sandbox.client import SandboxRoomClient
from warmxfer.bus import Bus, Stored, subjects
from warmxfer.schemas import (
    AnyEvent,
    AudioStreamEnabled,
    ConsultationJoined,
    ConsultationLeft,
    JoinConsultation,
    ParticipantJoined,
    ParticipantLeft,
    SupervisorDeclined,
    SupervisorReady,
    encode,
)

from .conftest import CONNECTING, GREETING, QUESTION, ConsultationDriver, briefing_worker, open_driver

SILENT = "+14155550111"
LONG_SUMMARY = "Ann was charged twice. " * 12
TAKEOVER_S = 15.0
SETTLE_S = 0.3
"""Time for a join that the limit must not let through."""


@pytest_asyncio.fixture
async def driver(fresh_bus: Bus, cloud: Cloud, transfer_id: str) -> AsyncIterator[ConsultationDriver]:
    """A driver on a broker that redelivers a message after one second."""
    async with open_driver(fresh_bus, cloud, transfer_id) as driver:
        yield driver


async def begin(driver: ConsultationDriver) -> None:
    """Start a long briefing of a supervisor who says nothing."""
    await driver.join()
    await driver.wait_for(ConsultationJoined)
    await driver.dial(SILENT)
    await driver.person_answers()
    await driver.brief(LONG_SUMMARY)
    await driver.wait_said(GREETING)


async def finish(driver: ConsultationDriver) -> None:
    left = await driver.leave()
    assert (await driver.wait_for(ConsultationLeft, within_s=TAKEOVER_S)).command_id == left


async def event_counts(driver: ConsultationDriver) -> Counter[str]:
    return Counter(type(event).__name__ for event in await driver.events())


async def test_another_worker_briefs_again_with_the_same_id_when_a_worker_dies(
    driver: ConsultationDriver, fresh_bus: Bus, cloud: Cloud
) -> None:
    settings = fresh_bus.settings
    async with Wire(cloud.url) as proxy, briefing_worker(settings) as first:
        driver.rooms_url = proxy.url
        await begin(driver)
        driver.rooms_url = None
        async with briefing_worker(settings):
            await first.disconnect()
            proxy.cut(for_good=True)
            async with asyncio.timeout(TAKEOVER_S):
                await driver.wait_said(GREETING, count=2)
                await driver.person_answers()
                await driver.wait_said(QUESTION)
            await driver.cloud.say(driver.supervisor, "Yes, go ahead.")
            await driver.wait_for(SupervisorReady)
            await driver.wait_said(CONNECTING)
            await finish(driver)
    assert await event_counts(driver) == {
        "ConsultationJoined": 1,
        "ParticipantJoined": 1,
        "AudioStreamEnabled": 1,
        "SupervisorReady": 1,
        "ConsultationLeft": 1,
    }


async def test_another_worker_continues_when_a_worker_is_stopped(
    driver: ConsultationDriver, fresh_bus: Bus
) -> None:
    async with briefing_worker(fresh_bus.settings) as first:
        await begin(driver)
        async with briefing_worker(fresh_bus.settings):
            await first.stop()
            await driver.wait_said(GREETING, count=2)
            await driver.cloud.say(driver.supervisor, "No, not now.")
            await driver.wait_for(SupervisorDeclined)
            await finish(driver)
    joined = [entry["participantId"] for entry in await driver.cloud.ledger(driver.room_id, "joined")]
    assert joined == [driver.agent, driver.supervisor, driver.agent]


async def test_another_worker_does_not_ask_again_after_a_decision(
    driver: ConsultationDriver, fresh_bus: Bus
) -> None:
    async with briefing_worker(fresh_bus.settings) as first:
        await begin(driver)
        await driver.cloud.say(driver.supervisor, "No, I can't take it.")
        await driver.wait_for(SupervisorDeclined)
        async with briefing_worker(fresh_bus.settings):
            await first.stop()
            await driver.cloud.wait_ledger(driver.room_id, "joined", 3)
            await driver.cloud.say(driver.supervisor, "Yes, I'm ready.")
            await asyncio.sleep(0.3)
            await finish(driver)
    assert (await driver.said()).count(GREETING) == 1
    assert (await event_counts(driver))["SupervisorDeclined"] == 1
    assert (await event_counts(driver))["SupervisorReady"] == 0


async def test_a_supervisor_who_left_between_two_workers_is_published_as_left(
    driver: ConsultationDriver, fresh_bus: Bus
) -> None:
    async with briefing_worker(fresh_bus.settings) as first:
        await begin(driver)
        await first.stop()
    await driver.cloud.hang_up(driver.supervisor)
    await driver.cloud.wait_ledger(driver.room_id, "left", 2)
    async with briefing_worker(fresh_bus.settings):
        left = await driver.wait_for(ParticipantLeft, participant_id=driver.supervisor)
        assert left.reason == LEFT_UNSEEN
        await finish(driver)


async def test_a_worker_joins_a_limited_number_of_rooms_at_a_time(
    driver: ConsultationDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by chaos: two new workers joined 450 rooms at once, and no join finished in time."""
    join, joining, max_joining, full = SandboxRoomClient.join, 0, 0, asyncio.Event()

    async def counted_join(self: SandboxRoomClient) -> RoomSnapshot:
        nonlocal joining, max_joining
        joining += 1
        max_joining = max(max_joining, joining)
        try:
            await full.wait()
            return await join(self)
        finally:
            joining -= 1

    monkeypatch.setattr(SandboxRoomClient, "join", counted_join)
    commands = [
        JoinConsultation(
            command_id=f"{driver.id}-{n}-1",
            deadline_at=time.time() + 30,
            room_id=driver.room_id,
            participant_id=f"agent-{n}",
            supervisor_participant_id=driver.supervisor,
            caller_participant_id=driver.caller,
        )
        for n in range(2 * MAX_CONCURRENT_JOINS)
    ]
    async with briefing_worker(driver.bus.settings):
        for n, command in enumerate(commands):
            await store_in_log(driver.bus, f"{driver.id}-{n}", command)
            await driver.bus.publish(subjects.work_queue(f"{driver.id}-{n}", "briefing"), encode(command))
        await until(lambda: joining >= MAX_CONCURRENT_JOINS)
        await asyncio.sleep(SETTLE_S)
        full.set()
        await driver.cloud.wait_ledger(driver.room_id, "joined", len(commands))
    assert max_joining == MAX_CONCURRENT_JOINS


@pytest.mark.parametrize("published_before", [True, False])
async def test_a_worker_reads_the_history_of_a_transfer_only_once(
    driver: ConsultationDriver, monkeypatch: pytest.MonkeyPatch, published_before: bool
) -> None:
    """Found by chaos: two new workers read 450 histories twice, and the broker had no time for others.

    Of a new consultation nothing is published, and one reading says so.
    """
    history, read_after = Bus.history, list[int]()

    async def recorded_history(self: Bus, subject: str, limit: int, **more: Any) -> list[Stored]:
        if subject == subjects.event(driver.id, "briefing") and "after" in more:
            read_after.append(more["after"])
        return await history(self, subject, limit, **more)

    expected = [0]
    if published_before:
        joined = ParticipantJoined(room_id=driver.room_id, participant_id="participant-1")
        seq = await driver.bus.publish(subjects.event(driver.id, "briefing"), encode(joined))
        expected.append(seq)
    monkeypatch.setattr(Bus, "history", recorded_history)
    async with briefing_worker(driver.bus.settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
    assert read_after == expected


@pytest.mark.parametrize("role", ["caller", "supervisor"])
async def test_a_participant_who_joins_during_a_takeover_is_not_published_as_left(
    driver: ConsultationDriver, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    """The room's snapshot does not contain them, but a webhook has published that they joined."""
    publish_snapshot, participant_id = Consultation._publish_snapshot, getattr(driver, role)

    async def join_before_snapshot(self: Consultation, *args: Any) -> None:
        await driver.cloud.dial(driver.room_id, participant_id, SILENT)
        await driver.cloud.wait_ledger(driver.room_id, "joined", 2)
        joined = ParticipantJoined(room_id=driver.room_id, participant_id=participant_id)
        await fresh_bus.publish(subjects.event(driver.id, "briefing"), encode(joined))
        await publish_snapshot(self, *args)

    monkeypatch.setattr(Consultation, "_publish_snapshot", join_before_snapshot)
    async with briefing_worker(fresh_bus.settings):
        await driver.join()
        await driver.wait_for(AudioStreamEnabled, participant_id=participant_id)
        await finish(driver)
    assert (await event_counts(driver))["ParticipantLeft"] == 0


async def test_a_replaced_worker_joins_again_after_the_other_agent_left(
    driver: ConsultationDriver, fresh_bus: Bus, cloud: Cloud
) -> None:
    async with briefing_worker(fresh_bus.settings):
        await begin(driver)
        options = JoinOptions(
            driver.room_id, driver.agent, "Other", cloud.ticket(driver.room_id, driver.agent)
        )
        other = open_room_client(RoomSettings(), options)
        await other.join()
        await asyncio.sleep(0.2)
        assert await other.say("I sit here now.") is False
        await other.leave()
        async with asyncio.timeout(TAKEOVER_S):
            await driver.wait_said(GREETING, count=2)
        await finish(driver)


ROOM_ID = "room"
JOINED = ParticipantJoined(room_id=ROOM_ID, participant_id="sup")
AUDIBLE = AudioStreamEnabled(room_id=ROOM_ID, participant_id="sup")
LEFT = ParticipantLeft(room_id=ROOM_ID, participant_id="sup")
LEFT_ELSEWHERE = ParticipantLeft(room_id="other", participant_id="sup")


@pytest.mark.parametrize(
    ("events", "history"),
    [
        ([], ConsultationHistory()),
        ([JOINED, AUDIBLE], ConsultationHistory(present={"sup"})),
        ([AUDIBLE], ConsultationHistory(present={"sup"})),
        ([JOINED, LEFT], ConsultationHistory(departures=Counter(sup=1))),
        (
            [JOINED, LEFT, AUDIBLE, LEFT, JOINED],
            ConsultationHistory(present={"sup"}, departures=Counter(sup=2)),
        ),
        ([JOINED, LEFT_ELSEWHERE], ConsultationHistory(present={"sup"})),
        ([SupervisorReady()], ConsultationHistory()),
        ([JOINED, JOINED, SupervisorReady()], ConsultationHistory(decided=True, present={"sup"})),
    ],
)
def test_the_history_follows_from_the_events(events: list[AnyEvent], history: ConsultationHistory) -> None:
    assert from_events(enumerate(events, start=1), ROOM_ID, since=1) == history
