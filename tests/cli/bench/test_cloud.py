"""The fake cloud: one ledger for several processes, and people who do what it says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from warmxfer.adapters.rooms import (
    AudioStarted,
    JoinOptions,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    RoomEvent,
    SpeechEnded,
    UtteranceHeard,
)
from warmxfer.adapters.telephony import DialRequest, Rejected
from warmxfer.cli.bench.cloud.calls import (
    MAX_CALLS,
    READY_NUMBER,
    RINGING_NUMBER,
    SILENT_NUMBER,
    Calls,
    caller_call,
    supervisor_call,
)
from warmxfer.cli.bench.cloud.ledger import Entry, Ledger
from warmxfer.cli.bench.cloud.provider import BenchProvider
from warmxfer.cli.bench.cloud.rooms import HELLO, YES, BenchRoomClient, BenchRooms
from warmxfer.schemas import RoomToken, SIPDestination

ROOM, SUPERVISOR, CALLER = "c-1", "wxs-1-1", "wxc-1"
LIMIT_S = 20.0


async def token() -> RoomToken:
    return RoomToken(token="t", signaling_url="http://127.0.0.1:1")


def order(number: str) -> DialRequest:
    return DialRequest(ROOM, SUPERVISOR, 30, SIPDestination("rule", number, "+14155550100"), {})


def client(rooms: BenchRooms) -> BenchRoomClient:
    return rooms.client(JoinOptions(ROOM, "wxa-1", "Agent", token, SUPERVISOR))


async def next_events(room: BenchRoomClient, count: int) -> list[RoomEvent]:
    found: list[RoomEvent] = []
    async with asyncio.timeout(LIMIT_S):
        async for event in room.events():
            found.append(event)
            if len(found) == count:
                break
    return found


def test_several_writers_and_readers_have_one_ledger(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path), Ledger(tmp_path)
    one.append(Entry("dial", "out-1", ROOM, SUPERVISOR))
    other.append(Entry("move", "in-s1", ROOM, CALLER))
    assert [entry.kind for entry in one.read()] == [entry.kind for entry in other.read()] == ["dial", "move"]
    assert list(one.read()) == []
    one.close()
    other.close()


async def test_a_supervisor_who_was_dialled_before_or_after_the_join_is_there(tmp_path: Path) -> None:
    provider = BenchProvider(tmp_path)
    async with BenchRooms(tmp_path) as rooms:
        early = client(rooms)
        assert (await early.join()).participants == ()
        await provider.dial(order(READY_NUMBER))
        joined, audio = await next_events(early, 2)
        assert isinstance(joined, ParticipantJoinedRoom)
        assert audio == AudioStarted(SUPERVISOR)
        await early.leave()
        (present,) = (await client(rooms).join()).participants
        assert (present.id, present.audible) == (SUPERVISOR, True)
    await provider.aclose()


async def test_a_ringing_phone_is_answered_by_the_benchmark(tmp_path: Path) -> None:
    provider = BenchProvider(tmp_path)
    async with BenchRooms(tmp_path) as rooms:
        room = client(rooms)
        await room.join()
        dialed = await provider.dial(order(RINGING_NUMBER))
        record = await provider.look_up_call(dialed.call_id)
        assert record is not None
        assert record.status == "ringing"
        ledger = Ledger(tmp_path)
        ledger.append(Entry("answer", supervisor_call(SUPERVISOR)))
        ledger.close()
        assert (await next_events(room, 2))[1] == AudioStarted(SUPERVISOR)
    await provider.aclose()


async def test_a_moved_caller_leaves_one_room_and_enters_the_other(tmp_path: Path) -> None:
    provider, other_gateway = BenchProvider(tmp_path), BenchProvider(tmp_path)
    left: list[RoomEvent] = []
    async with BenchRooms(tmp_path) as rooms:
        rooms.watch("s1", left.append)
        room = client(rooms)
        await room.join()
        call = await provider.find_caller_call("s1")
        assert call is not None
        await provider.switch(call.call_id, ROOM, CALLER)
        assert (await next_events(room, 2))[1] == AudioStarted(CALLER)
        assert left == [ParticipantLeftRoom("sip-s1", "moved")]
    assert await other_gateway.find_caller_call("s1") is None
    moved = await other_gateway.find_caller_call(ROOM)
    assert moved is not None
    assert (moved.call_id, moved.completed_moves) == (caller_call("s1"), 1)
    await provider.aclose()
    await other_gateway.aclose()


async def test_a_supervisor_says_yes_to_a_question_after_its_end(tmp_path: Path) -> None:
    async with BenchRooms(tmp_path) as rooms:
        room = client(rooms)
        await room.join()
        room.say("Ann was charged twice.")
        room.say("Are you ready to take the call?")
        first, hello, second, answer = await next_events(room, 4)
        assert isinstance(first, SpeechEnded)
        assert hello == UtteranceHeard(SUPERVISOR, HELLO)
        assert isinstance(second, SpeechEnded)
        assert answer == UtteranceHeard(SUPERVISOR, YES)


async def test_a_silent_supervisor_says_yes_when_the_benchmark_says_so(tmp_path: Path) -> None:
    provider, ledger = BenchProvider(tmp_path), Ledger(tmp_path)
    async with BenchRooms(tmp_path) as rooms:
        room = client(rooms)
        await room.join()
        await provider.dial(order(SILENT_NUMBER))
        assert (await next_events(room, 2))[1] == AudioStarted(SUPERVISOR)
        room.say("Are you ready to take the call?")
        (asked,) = await next_events(room, 1)
        assert isinstance(asked, SpeechEnded)
        ledger.append(Entry("yes", supervisor_call(SUPERVISOR)))
        (answer,) = await next_events(room, 1)
        assert isinstance(answer, UtteranceHeard)
    await provider.aclose()
    ledger.close()


def test_a_reader_of_new_entries_does_not_read_what_was_before(tmp_path: Path) -> None:
    writer = Ledger(tmp_path)
    writer.append(Entry("end", "out-1"))
    reader = Ledger(tmp_path, new_only=True)
    writer.append(Entry("end", "out-2"))
    assert [entry.call_id for entry in reader.read()] == ["out-2"]
    writer.close()
    reader.close()


async def test_a_number_without_a_meaning_is_refused(tmp_path: Path) -> None:
    provider = BenchProvider(tmp_path)
    with pytest.raises(Rejected):
        await provider.dial(order("+14155550199"))
    await provider.aclose()


def test_old_calls_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_CALLS > 50_000  # more than any row has under way
    monkeypatch.setattr("warmxfer.cli.bench.cloud.calls.MAX_CALLS", 2)
    calls = Calls()
    for number in range(3):
        calls.apply(Entry("dial", f"out-{number}", ROOM, f"wxs-{number}-1"))
    assert calls.get("out-0") is None
    assert [call.call_id for call in calls.in_room(ROOM)] == ["out-1", "out-2"]
