"""Which dead-lettered messages get a reply: the actor's own commands, if the log has sent them."""

from __future__ import annotations

import json

import pytest

from tests.testkit.sent_log import store_in_log
from warmxfer.actors.common.command_replies import MAX_DETAIL_CHARS
from warmxfer.actors.common.dead_letter_replies import reply_to_dead_letter
from warmxfer.actors.common.log_check import LogCheck
from warmxfer.bus import Bus, Delivery, subjects
from warmxfer.schemas import CloseRoom, CommandFailed, CreateRoom, FailureKind, decode_event

ROLE = "gateway"
OWN = {"type": "close_room", "deadline_at": 0.0, "fence": 1, "key": "k"}
UNREADABLE = {"type": "close_room"}
OF_A_NEWER_VERSION = {"type": "play_music", "deadline_at": 0.0}
OF_ANOTHER_ACTOR = {"type": "leave_call", "deadline_at": 0.0, "fence": 1}


async def replies(
    bus: Bus, transfer_id: str, command: dict[str, object], *, sent: bool
) -> list[CommandFailed]:
    """Return the replies to a command that was dead-lettered."""
    data = json.dumps({**command, "command_id": f"{transfer_id}-1"}).encode()
    await store_in_log(bus, transfer_id, *([data] if sent else []))
    delivery = Delivery(transfer_id, "do", ROLE, "", data, 1, 0.0, 1, {})
    cause = "KeyError: " + "x" * MAX_DETAIL_CHARS
    await reply_to_dead_letter(bus, LogCheck(bus), delivery, (CloseRoom, CreateRoom), cause, role=ROLE)
    stored = await bus.history(subjects.event(transfer_id, ROLE), 10)
    events = [decode_event(each.data) for each in stored]
    return [each for each in events if isinstance(each, CommandFailed)]


@pytest.mark.parametrize(
    "command", [OWN, UNREADABLE, OF_A_NEWER_VERSION], ids=["readable", "unreadable", "newer"]
)
async def test_a_command_that_the_log_has_sent_gets_one_reply(
    bus: Bus, transfer_id: str, command: dict[str, object]
) -> None:
    """Its transfer would wait for the deadline. The version that cannot read the command knows its id."""
    (reply,) = await replies(bus, transfer_id, command, sent=True)
    assert (reply.command_id, reply.failure) == (f"{transfer_id}-1", FailureKind.BROKEN)
    assert len(reply.detail) == MAX_DETAIL_CHARS


@pytest.mark.parametrize(
    "command", [OWN, UNREADABLE, OF_A_NEWER_VERSION], ids=["readable", "unreadable", "newer"]
)
async def test_a_command_that_the_log_has_not_sent_gets_no_reply(
    bus: Bus, transfer_id: str, command: dict[str, object]
) -> None:
    assert await replies(bus, transfer_id, command, sent=False) == []


async def test_a_command_of_another_actor_gets_no_reply(bus: Bus, transfer_id: str) -> None:
    """A copy of it on this actor's queue would fail the transfer that waits for the other actor."""
    assert await replies(bus, transfer_id, OF_ANOTHER_ACTOR, sent=True) == []
