"""Recordings: asked for until there is one, by whoever asks, and one at a time whatever the provider does."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.provider_sandbox import TIME_SCALE
from warmxfer.sandbox.rooms.recordings import KNOWN_S
from warmxfer.schemas import CommandFailed, FailureKind, RecordingStarted, RecordParticipant

from .gateway_fixture import PATIENCE_S, Bridge, Office

START = {"method": "POST", "path": "/v2/recordings/participant/start"}
NOT_YET = {"message": "participant is not yet joined the meeting"}
PRIMARY_AI = "wxa-stays-in-the-room"


def record(office: Office, room_id: str, participant_id: str, within_s: float = 5.0) -> RecordParticipant:
    return RecordParticipant(room_id=room_id, participant_id=participant_id, **office.within(within_s))


async def test_whoever_is_in_the_room_is_recorded(office: Office, bridge: Bridge) -> None:
    command = record(office, bridge.consult, office.supervisor)
    answer = await office.ask(command, RecordingStarted)
    assert answer.participant_id == office.supervisor
    (started,) = await office.executed("recording_started")
    assert (started["roomId"], started["participantId"]) == (bridge.consult, office.supervisor)


async def test_a_caller_is_recorded_a_moment_after_they_were_moved(office: Office, bridge: Bridge) -> None:
    """The room knows of them first, and the provider refuses until it does."""
    await office.ask(office.switch(bridge.caller, bridge.supervisor, bridge.consult), object)
    await office.cloud.wait_ledger(bridge.consult, "switch_completed", 1)
    await office.cloud.break_once("status", START, 3, status=400, body=NOT_YET)
    await office.ask(record(office, bridge.consult, f"wxc-{office.id}"), RecordingStarted)
    (started,) = await office.executed("recording_started")
    assert started["participantId"] == f"wxc-{office.id}"


@pytest.mark.parametrize(
    "kind",
    ["reset", "execute_then_reset", "garbage", "wrong_schema", "execute_twice", "execute_then_timeout"],
)
async def test_a_recording_in_doubt_is_asked_for_again_and_there_is_one(
    office: Office, bridge: Bridge, kind: str
) -> None:
    await asyncio.sleep(KNOWN_S * TIME_SCALE)
    await office.cloud.break_once(kind, START)
    await office.ask(record(office, bridge.consult, office.supervisor), RecordingStarted)
    assert len(await office.executed("recording_started")) == 1


async def test_a_command_that_comes_twice_to_two_gateways_starts_one(office: Office, bridge: Bridge) -> None:
    office.start()
    command = record(office, bridge.consult, office.supervisor)
    await asyncio.gather(*(office.tell(command) for _ in range(3)))
    assert isinstance(await office.answer(command), RecordingStarted)
    again = record(office, bridge.consult, office.supervisor)
    await office.ask(again, RecordingStarted)
    assert len(await office.executed("recording_started")) == 1


async def test_somebody_who_does_not_come_is_told_in_time(office: Office, bridge: Bridge) -> None:
    command = record(office, bridge.consult, "nobody", within_s=1.5)
    answer = await office.ask(command, CommandFailed)
    assert (answer.failure, answer.status) == (FailureKind.REFUSED, 400)
    assert "not yet joined" in answer.detail
    assert await office.reply_at(command) < command.deadline_at
    assert await office.executed("recording_started") == []


async def test_an_empty_room_is_told_at_once(office: Office) -> None:
    command = record(office, await office.cloud.open_room(), "nobody", within_s=10 * PATIENCE_S)
    answer = await office.ask(command, CommandFailed)
    assert (answer.failure, answer.status) == (FailureKind.REFUSED, 403)
    assert command.deadline_at - office.now > 5 * PATIENCE_S


async def test_a_provider_that_stays_away_leaves_it_unknown(office: Office, bridge: Bridge) -> None:
    await office.cloud.break_once("status", START, times=0, status=503)
    answer = await office.ask(record(office, bridge.consult, office.supervisor, 1.5), CommandFailed)
    assert (answer.failure, answer.status) == (FailureKind.UNKNOWN, 503)


async def test_a_recording_outlives_the_agents(office: Office, bridge: Bridge) -> None:
    """What ends it is the participant's own leaving."""
    await office.ask(record(office, bridge.consult, office.supervisor), RecordingStarted)
    await office.cloud.hang_up(PRIMARY_AI)
    assert await office.executed("recording_stopped") == []
    await office.cloud.hang_up(office.supervisor)
    (stopped,) = await office.cloud.wait_ledger(bridge.consult, "recording_stopped", 1)
    assert stopped["participantId"] == office.supervisor
