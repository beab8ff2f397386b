"""The webhooks of the fake cloud: what they report, and that each one is sent or counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from warmxfer.adapters.telephony import (
    CallEndedNotice,
    Notice,
    ParticipantJoinedNotice,
    ParticipantLeftNotice,
)
from warmxfer.adapters.telephony.videosdk.webhooks import parse_webhook
from warmxfer.cli.bench.cloud.calls import Calls, caller_call, supervisor_call
from warmxfer.cli.bench.cloud.ledger import Entry, Ledger
from warmxfer.cli.bench.cloud.webhooks import WebhookSender, register, webhooks_of

ROOM, SUPERVISOR, CALLER = "c-1", "wxs-1-1", "wxc-1"
DIAL = Entry("dial", supervisor_call(SUPERVISOR), ROOM, SUPERVISOR)
ANSWER = Entry("answer", supervisor_call(SUPERVISOR))
MOVE = Entry("move", caller_call("s1"), ROOM, CALLER)
END = Entry("end", supervisor_call(SUPERVISOR))
LIMIT_S = 20.0


def reported(*entries: Entry) -> list[dict[str, object]]:
    """Return the webhooks about the last of these entries."""
    calls, found = Calls(), list[dict[str, object]]()
    for entry in entries:
        found = list(webhooks_of(entry, calls.apply(entry)))
    return found


def notices(*entries: Entry) -> list[Notice]:
    """Return the notices about participants and ended calls in the webhooks about the last entry."""
    parsed = [parse_webhook(msgspec.json.encode(each)) for each in reported(*entries)]
    kinds = (CallEndedNotice, ParticipantJoinedNotice, ParticipantLeftNotice)
    return [each for each in parsed if isinstance(each, kinds)]


def test_a_dialled_phone_is_reported_as_ringing() -> None:
    assert [each["webhookType"] for each in reported(DIAL)] == ["call-started", "call-ringing"]
    assert notices(DIAL) == []


def test_an_answer_is_reported_with_the_join() -> None:
    assert [each["webhookType"] for each in reported(DIAL, ANSWER)] == [
        "call-answered",
        "participant-joined",
    ]
    assert notices(DIAL, ANSWER) == [ParticipantJoinedNotice(ROOM, SUPERVISOR)]
    assert reported(DIAL, ANSWER, ANSWER)[1:] == []  # the join is reported once


def test_an_answer_at_once_is_reported_with_the_dial() -> None:
    at_once = Entry("dial", DIAL.call_id, ROOM, SUPERVISOR, answered=True)
    kinds = ["call-started", "call-ringing", "call-answered", "participant-joined"]
    assert [each["webhookType"] for each in reported(at_once)] == kinds


def test_a_move_is_reported_by_both_rooms() -> None:
    assert notices(MOVE) == [
        ParticipantLeftNotice("s1", "sip-s1", "moved"),
        ParticipantJoinedNotice(ROOM, CALLER),
    ]


def test_an_ended_call_is_reported_with_its_participant() -> None:
    ended, left = notices(DIAL, ANSWER, END)
    assert isinstance(ended, CallEndedNotice)
    assert (ended.call_id, ended.participant_id, ended.direction) == (DIAL.call_id, SUPERVISOR, "outbound")
    assert left == ParticipantLeftNotice(ROOM, SUPERVISOR, "hung up")
    assert len(notices(DIAL, END)) == 1  # the supervisor was not in the room yet


def test_a_yes_is_not_reported() -> None:
    assert reported(DIAL, ANSWER, Entry("yes", DIAL.call_id)) == []


@asynccontextmanager
async def receiver(status: int, bodies: list[bytes]) -> AsyncIterator[str]:
    """Serve HTTP, reply with `status` to each request, and keep the bodies. Yields the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            bodies.append(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status)

    async def serve_until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve_until_closed, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks/bench"
    finally:
        server.close()


@pytest.mark.parametrize(("status", "taken"), [(200, True), (503, False)])
async def test_each_webhook_is_sent_in_order_and_counted(tmp_path: Path, status: int, taken: bool) -> None:
    bodies: list[bytes] = []
    ledger = Ledger(tmp_path)
    ledger.append(MOVE)  # before the sender begins
    async with receiver(status, bodies) as url:
        register(tmp_path, url)
        async with WebhookSender(tmp_path) as webhooks:
            for entry in (DIAL, ANSWER):
                ledger.append(entry)
            async with asyncio.timeout(LIMIT_S):
                while len(bodies) < 4:
                    await asyncio.sleep(0.01)
            await webhooks.delivered(LIMIT_S)
            assert webhooks.taken == (4 if taken else 0)
            assert webhooks.problems() == ([] if taken else ["4 webhooks were not taken: status 503"])
    ledger.close()
    kinds = [msgspec.json.decode(body)["webhookType"] for body in bodies]
    assert kinds == ["call-started", "call-ringing", "call-answered", "participant-joined"]


async def test_without_permission_to_send_none_is_sent(tmp_path: Path) -> None:
    register(tmp_path, "http://127.0.0.1:1")  # a webhook to it would be a problem
    ledger = Ledger(tmp_path)
    async with WebhookSender(tmp_path, send=False) as webhooks:
        ledger.append(DIAL)
        await webhooks.delivered(LIMIT_S)
    assert (webhooks.taken, webhooks.problems()) == (0, [])
    ledger.close()
