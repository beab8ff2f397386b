"""A worker dies, stops or loses its seat in the middle of a briefing, and another goes on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.testkit.provider_sandbox import Cloud, Wire
from warmxfer.actors.briefing.actor import MAX_CONCURRENT_JOINS
from warmxfer.actors.briefing.consultation import Consultation
from warmxfer.actors.briefing.event_publisher import UNWATCHED
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

from .conftest import CONNECTING, GREETING, QUESTION, Desk, open_desk, worker

SILENT = "+14155550111"
LONG = "Ann was charged twice. " * 12
TAKE_OVER_S = 8.0
SLOW_DOOR_S = 0.5


@pytest_asyncio.fixture
async def desk(fresh_bus: Bus, cloud: Cloud, transfer_id: str) -> AsyncIterator[Desk]:
    """A desk on a broker where a message comes back after a second."""
    async with open_desk(fresh_bus, cloud, transfer_id) as desk:
        yield desk


async def begin(desk: Desk) -> None:
    """A supervisor who does not speak by themselves is being told a long story."""
    await desk.join()
    await desk.wait_for(ConsultationJoined)
    await desk.dial(SILENT)
    await desk.wait_for(AudioStreamEnabled)
    await desk.brief(LONG)
    await desk.wait_said(GREETING)


async def finish(desk: Desk) -> None:
    left = await desk.leave()
    assert (await desk.wait_for(ConsultationLeft, within_s=TAKE_OVER_S)).command_id == left


async def told(desk: Desk) -> Counter[str]:
    return Counter(type(event).__name__ for event in await desk.events())


async def test_a_worker_dies_and_another_briefs_again_in_the_same_seat(
    desk: Desk, fresh_bus: Bus, cloud: Cloud
) -> None:
    settings = fresh_bus.settings
    async with Wire(cloud.url) as wire, worker(settings) as first:
        desk.rooms_url = wire.url
        await begin(desk)
        desk.rooms_url = None
        async with worker(settings):
            await first.cut_off()
            wire.cut(for_good=True)
            async with asyncio.timeout(TAKE_OVER_S):
                await desk.wait_said(GREETING, count=2)
                await desk.wait_said(QUESTION)
            await desk.cloud.say(desk.supervisor, "Yes, go ahead.")
            await desk.wait_for(SupervisorReady)
            await desk.wait_said(CONNECTING)
            await finish(desk)
    assert await told(desk) == {
        "ConsultationJoined": 1,
        "ParticipantJoined": 1,
        "AudioStreamEnabled": 1,
        "SupervisorReady": 1,
        "ConsultationLeft": 1,
    }


async def test_a_stopped_worker_gives_the_consultation_back(desk: Desk, fresh_bus: Bus) -> None:
    async with worker(fresh_bus.settings) as first:
        await begin(desk)
        async with worker(fresh_bus.settings):
            await first.stop()
            await desk.wait_said(GREETING, count=2)
            await desk.cloud.say(desk.supervisor, "No, not now.")
            await desk.wait_for(SupervisorDeclined)
            await finish(desk)
    joined = [entry["participantId"] for entry in await desk.cloud.ledger(desk.room_id, "joined")]
    assert joined == [desk.agent, desk.supervisor, desk.agent]


async def test_what_was_decided_is_not_asked_again(desk: Desk, fresh_bus: Bus) -> None:
    async with worker(fresh_bus.settings) as first:
        await begin(desk)
        await desk.cloud.say(desk.supervisor, "No, I can't take it.")
        await desk.wait_for(SupervisorDeclined)
        async with worker(fresh_bus.settings):
            await first.stop()
            await desk.cloud.wait_ledger(desk.room_id, "joined", 3)
            await desk.cloud.say(desk.supervisor, "Yes, I'm ready.")
            await asyncio.sleep(0.3)
            await finish(desk)
    assert (await desk.said()).count(GREETING) == 1
    assert (await told(desk))["SupervisorDeclined"] == 1
    assert (await told(desk))["SupervisorReady"] == 0


async def test_who_left_while_nobody_watched_is_told_to_have_left(desk: Desk, fresh_bus: Bus) -> None:
    async with worker(fresh_bus.settings) as first:
        await begin(desk)
        await first.stop()
    await desk.cloud.hang_up(desk.supervisor)
    await desk.cloud.wait_ledger(desk.room_id, "left", 2)
    async with worker(fresh_bus.settings):
        left = await desk.wait_for(ParticipantLeft, participant_id=desk.supervisor)
        assert left.reason == UNWATCHED
        await finish(desk)


async def test_no_supervisor_is_left_alone_because_a_worker_knocks_at_hundreds_of_doors_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by chaos: of 450 rooms that two new workers entered at once, none opened in time."""
    join, inside, most = SandboxRoomClient.join, 0, 0

    async def counted(self: SandboxRoomClient) -> RoomSnapshot:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            await asyncio.sleep(SLOW_DOOR_S)
            return await join(self)
        finally:
            inside -= 1

    monkeypatch.setattr(SandboxRoomClient, "join", counted)
    commands = [
        JoinConsultation(
            command_id=f"{desk.id}-{n}-1",
            deadline_at=time.time() + 30,
            room_id=desk.room_id,
            participant_id=f"agent-{n}",
            supervisor_participant_id=desk.supervisor,
            caller_participant_id=desk.caller,
        )
        for n in range(2 * MAX_CONCURRENT_JOINS)
    ]
    async with worker(desk.bus.settings):
        for n, command in enumerate(commands):
            await desk.bus.publish(subjects.work_queue(f"{desk.id}-{n}", "briefing"), encode(command))
        await desk.cloud.wait_ledger(desk.room_id, "joined", len(commands))
    assert most == MAX_CONCURRENT_JOINS


async def test_nobody_waits_while_the_broker_goes_through_every_story_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by chaos: two new workers who read 450 stories twice over left the broker no time for others."""
    history, read_after = Bus.history, list[int]()

    async def noted(self: Bus, subject: str, limit: int, **more: Any) -> list[Stored]:
        if subject == subjects.event(desk.id) and "after" in more:
            read_after.append(more["after"])
        return await history(self, subject, limit, **more)

    seq = await desk.bus.publish(
        subjects.event(desk.id), encode(ParticipantJoined(room_id=desk.room_id, participant_id="somebody"))
    )
    monkeypatch.setattr(Bus, "history", noted)
    async with worker(desk.bus.settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
    assert read_after == [0, seq]


@pytest.mark.parametrize("who", ["caller", "supervisor"])
async def test_nobody_is_hung_up_on_who_comes_while_another_worker_enters(
    desk: Desk, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """They are not in the room as it was found on entering, and a webhook has told already that they came."""
    arrive, newcomer = Consultation._arrive, getattr(desk, who)

    async def arrive_late(self: Consultation, *found: Any) -> None:
        await desk.cloud.dial(desk.room_id, newcomer, SILENT)
        await desk.cloud.wait_ledger(desk.room_id, "joined", 2)
        came = ParticipantJoined(room_id=desk.room_id, participant_id=newcomer)
        await fresh_bus.publish(subjects.event(desk.id), encode(came))
        await arrive(self, *found)

    monkeypatch.setattr(Consultation, "_arrive", arrive_late)
    async with worker(fresh_bus.settings):
        await desk.join()
        await desk.wait_for(AudioStreamEnabled, participant_id=newcomer)
        await finish(desk)
    assert (await told(desk))["ParticipantLeft"] == 0


async def test_who_loses_the_seat_waits_and_comes_back_when_it_is_free(
    desk: Desk, fresh_bus: Bus, cloud: Cloud
) -> None:
    async with worker(fresh_bus.settings):
        await begin(desk)
        seat = JoinOptions(desk.room_id, desk.agent, "Other", cloud.ticket(desk.room_id, desk.agent))
        other = open_room_client(RoomSettings(), seat)
        await other.join()
        await asyncio.sleep(0.2)
        assert await other.say("I sit here now.") is False
        await other.leave()
        async with asyncio.timeout(TAKE_OVER_S):
            await desk.wait_said(GREETING, count=2)
        await finish(desk)


ROOM = "room"
HERE = ParticipantJoined(room_id=ROOM, participant_id="sup")
HEARD = AudioStreamEnabled(room_id=ROOM, participant_id="sup")
GONE = ParticipantLeft(room_id=ROOM, participant_id="sup")
ELSEWHERE = ParticipantLeft(room_id="other", participant_id="sup")


@pytest.mark.parametrize(
    ("events", "past"),
    [
        ([], ConsultationHistory()),
        ([HERE, HEARD], ConsultationHistory(present={"sup"})),
        ([HEARD], ConsultationHistory(present={"sup"})),
        ([HERE, GONE], ConsultationHistory(departures=Counter(sup=1))),
        ([HERE, GONE, HEARD, GONE, HERE], ConsultationHistory(present={"sup"}, departures=Counter(sup=2))),
        ([HERE, ELSEWHERE], ConsultationHistory(present={"sup"})),
        ([SupervisorReady()], ConsultationHistory()),
        ([HERE, HERE, SupervisorReady()], ConsultationHistory(decided=True, present={"sup"})),
    ],
)
def test_the_past_is_a_fold_of_the_events(events: list[AnyEvent], past: ConsultationHistory) -> None:
    assert from_events(enumerate(events, start=1), ROOM, since_seq=1) == past
