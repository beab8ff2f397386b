"""Commands that no handler executes: expired, unreadable, of another actor, or broken by a bug."""

from __future__ import annotations

import json

import pytest

from tests.testkit.sent_log import store_in_log
from warmxfer.actors.gateway import command_handler
from warmxfer.bus import newer_retries, subjects, worker
from warmxfer.schemas import (
    CommandFailed,
    CreateRoom,
    FailureKind,
    HoldCaller,
    RoomCreated,
)

from .gateway_fixture import GatewayHarness

MAX_DELIVER = 2
"""What the fixture's gateways have."""


async def test_an_expired_command_is_not_executed(harness: GatewayHarness) -> None:
    late = CreateRoom(key=harness.id, **harness.within(-30.0))
    await harness.send(late)
    await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)
    assert len(await harness.executed("room_created")) == 1


async def test_a_message_that_is_not_a_command_is_dead_lettered(harness: GatewayHarness) -> None:
    poison = b'{"type":"dial_supervisor","command_id":"c9"}'
    await store_in_log(harness.bus, harness.id, poison)
    await harness.bus.publish(subjects.work_queue(harness.id, "gateway"), poison)
    reply = await harness.event(CommandFailed)
    assert (reply.command_id, reply.failure) == ("c9", FailureKind.BROKEN)
    await harness.send(HoldCaller(fence=1, line="", **harness.within()))
    dead_letters = await harness.dead_letters(2)
    assert b"The message is not a command" in dead_letters[0]
    assert b"HoldCaller is not a command for the gateway" in dead_letters[1]
    await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)


async def test_a_command_of_a_newer_version_fails_if_no_newer_gateway_takes_it(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newer_retries, "NEWER_RETRY_MAX_S", 0.02)
    newer = {"type": "play_music", **harness.within()}
    await store_in_log(harness.bus, harness.id, json.dumps(newer).encode())
    await harness.bus.publish(subjects.work_queue(harness.id, "gateway"), json.dumps(newer).encode())
    reply = await harness.event(CommandFailed)
    assert (reply.command_id, reply.failure) == (newer["command_id"], FailureKind.BROKEN)
    (letter,) = await harness.dead_letters(1)
    assert json.loads(letter)["tries"] == MAX_DELIVER * worker.HANDLER_ACK_WAITS
    assert "This gateway does not know the command" in json.loads(letter)["cause"]
    await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)


async def test_a_bug_in_a_handler_is_replied_as_broken(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("+14155550199")

    monkeypatch.setattr(command_handler, "HANDLERS", {CreateRoom: broken})
    reply = await harness.execute(CreateRoom(key=harness.id, **harness.within()), CommandFailed)
    assert reply.failure is FailureKind.BROKEN
    assert reply.detail == "InternalError: CreateRoom failed with KeyError"
