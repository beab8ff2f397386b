"""Commands that no handler carries out: expired, unreadable, of another actor, or broken by a bug."""

from __future__ import annotations

import pytest

from warmxfer.actors.gateway import actor
from warmxfer.bus import subjects
from warmxfer.schemas import (
    CommandFailed,
    CreateRoom,
    FailureKind,
    HoldCaller,
    RoomCreated,
)

from .gateway_fixture import Office


async def test_a_question_nobody_waits_for_is_not_asked(office: Office) -> None:
    late = CreateRoom(key=office.id, **office.within(-30.0))
    await office.tell(late)
    await office.ask(CreateRoom(key="another", **office.within()), RoomCreated)
    assert len(await office.executed("room_created")) == 1


async def test_what_is_no_command_is_parked_with_its_cause(office: Office) -> None:
    poison = b'{"type":"dial_supervisor","command_id":"c9"}'
    await office.bus.publish(subjects.work_queue(office.id, "gateway"), poison)
    answer = await office.event(CommandFailed)
    assert (answer.command_id, answer.failure) == ("c9", FailureKind.BROKEN)
    await office.tell(HoldCaller(fence=1, line="", **office.within()))
    dead = await office.dead(2)
    assert b"The message is not a command" in dead[0]
    assert b"HoldCaller is not a command for the gateway" in dead[1]
    await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)


async def test_a_bug_is_answered_and_kept(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("+14155550199")

    monkeypatch.setattr(actor, "HANDLERS", {CreateRoom: broken})
    answer = await office.ask(CreateRoom(key=office.id, **office.within()), CommandFailed)
    assert answer.failure is FailureKind.BROKEN
    assert answer.detail == "InternalError: CreateRoom failed with KeyError"
