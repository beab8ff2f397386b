"""RecordParticipant: repeated until the recording runs, and one recording whatever the provider does."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.provider_sandbox import TIME_SCALE
from warmxfer.sandbox.rooms.recordings import KNOWN_S
from warmxfer.schemas import CommandFailed, FailureKind, RecordingStarted, RecordParticipant

from .gateway_fixture import PATIENCE_S, Bridge, GatewayHarness

START = {"method": "POST", "path": "/v2/recordings/participant/start"}
NOT_YET = {"message": "participant is not yet joined the meeting"}
LONG_MARGIN_S = 6.0
PRIMARY_AI = "wxa-stays-in-the-room"


def record(
    harness: GatewayHarness, room_id: str, participant_id: str, within_s: float = 5.0
) -> RecordParticipant:
    return RecordParticipant(room_id=room_id, participant_id=participant_id, **harness.within(within_s))


async def test_a_participant_in_the_room_is_recorded(harness: GatewayHarness, bridge: Bridge) -> None:
    command = record(harness, bridge.consult, harness.supervisor)
    reply = await harness.execute(command, RecordingStarted)
    assert reply.participant_id == harness.supervisor
    (started,) = await harness.executed("recording_started")
    assert (started["roomId"], started["participantId"]) == (bridge.consult, harness.supervisor)


async def test_a_caller_is_recorded_a_moment_after_they_were_moved(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    """The room lists the caller first; the provider refuses until it lists the caller too."""
    await harness.execute(harness.switch(bridge.caller, bridge.supervisor, bridge.consult), object)
    await harness.cloud.wait_ledger(bridge.consult, "switch_completed", 1)
    await harness.cloud.break_once("status", START, 3, status=400, body=NOT_YET)
    await harness.execute(record(harness, bridge.consult, f"wxc-{harness.id}"), RecordingStarted)
    (started,) = await harness.executed("recording_started")
    assert started["participantId"] == f"wxc-{harness.id}"


@pytest.mark.parametrize(
    "kind",
    ["reset", "execute_then_reset", "garbage", "wrong_schema", "execute_twice", "execute_then_timeout"],
)
async def test_a_recording_with_unknown_outcome_is_requested_again_and_started_once(
    harness: GatewayHarness, bridge: Bridge, kind: str
) -> None:
    await asyncio.sleep(KNOWN_S * TIME_SCALE)
    await harness.cloud.break_once(kind, START)
    await harness.execute(record(harness, bridge.consult, harness.supervisor), RecordingStarted)
    assert len(await harness.executed("recording_started")) == 1


async def test_a_command_that_comes_twice_to_two_gateways_starts_one(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    harness.start()
    command = record(harness, bridge.consult, harness.supervisor)
    await asyncio.gather(*(harness.send(command) for _ in range(3)))
    assert isinstance(await harness.reply(command), RecordingStarted)
    again = record(harness, bridge.consult, harness.supervisor)
    await harness.execute(again, RecordingStarted)
    assert len(await harness.executed("recording_started")) == 1


async def test_a_participant_who_does_not_join_is_reported_before_the_deadline(
    harness: GatewayHarness, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.gateway.context.REPLY_MARGIN_S", LONG_MARGIN_S)
    command = record(harness, bridge.consult, "absent", within_s=LONG_MARGIN_S + 1.5)
    reply = await harness.execute(command, CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.REFUSED, 400)
    assert "not yet joined" in reply.detail
    assert await harness.reply_at(command) < command.deadline_at
    assert await harness.executed("recording_started") == []


async def test_a_recording_in_an_empty_room_fails_at_once(harness: GatewayHarness) -> None:
    command = record(harness, await harness.cloud.open_room(), "absent", within_s=10 * PATIENCE_S)
    reply = await harness.execute(command, CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.REFUSED, 403)
    assert command.deadline_at - harness.now > 5 * PATIENCE_S


async def test_a_recording_is_unknown_when_the_provider_stays_unreachable(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await harness.cloud.break_once("status", START, times=0, status=503)
    reply = await harness.execute(record(harness, bridge.consult, harness.supervisor, 3.0), CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.UNKNOWN, 503)


async def test_a_recording_continues_after_the_agent_leaves(harness: GatewayHarness, bridge: Bridge) -> None:
    """Only the end of the participant's own call ends the recording."""
    await harness.execute(record(harness, bridge.consult, harness.supervisor), RecordingStarted)
    await harness.cloud.hang_up(PRIMARY_AI)
    assert await harness.executed("recording_stopped") == []
    await harness.cloud.hang_up(harness.supervisor)
    (stopped,) = await harness.cloud.wait_ledger(bridge.consult, "recording_stopped", 1)
    assert stopped["participantId"] == harness.supervisor
