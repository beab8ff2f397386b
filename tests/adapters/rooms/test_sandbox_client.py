"""A presence in a real room of the real sandbox, over a real socket."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.testkit.provider_sandbox import Cloud, Wire
from warmxfer.adapters.rooms import (
    AudioStarted,
    Disconnected,
    DisconnectReason,
    JoinOptions,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    RoomClient,
    RoomEvent,
    RoomParticipant,
    RoomSettings,
    SpeechEnded,
    UtteranceHeard,
    open_room_client,
)
from warmxfer.schemas import InvalidRequest, RetryableError, RoomToken

IN_TIME_S = 3.0


class Notebook:
    """Reads a voice's events in the background, and lets a test wait for one."""

    def __init__(self, voice: RoomClient) -> None:
        self.seen: list[RoomEvent] = []
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._read(voice))
        self.ended = False

    async def _read(self, voice: RoomClient) -> None:
        async for event in voice.events():
            self.seen.append(event)
            self._more.set()
        self.ended = True
        self._more.set()

    async def wait_for(self, wanted: RoomEvent) -> None:
        async with asyncio.timeout(IN_TIME_S):
            while wanted not in self.seen:
                self._more.clear()
                await self._more.wait()

    async def wait_end(self) -> None:
        async with asyncio.timeout(IN_TIME_S):
            await self._task


def seated(cloud: Cloud, room_id: str, participant_id: str) -> RoomClient:
    return open_room_client(
        RoomSettings(),
        JoinOptions(room_id, participant_id, participant_id, cloud.ticket(room_id, participant_id)),
    )


async def test_welcome_shows_the_others_and_not_ourselves(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    first, second = seated(cloud, room_id, "one"), seated(cloud, room_id, "two")
    alone, both = await first.join(), await second.join()
    assert alone.participants == ()
    assert both.participants == (RoomParticipant("one", "one", audible=True),)
    assert both.room_id == room_id
    assert both.session_id == alone.session_id
    await first.leave()
    await second.leave()


async def test_one_hears_what_the_other_says_and_learns_that_it_was_said(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    speaker, hearer = seated(cloud, room_id, "speaker"), seated(cloud, room_id, "hearer")
    await speaker.join()
    await hearer.join()
    notes = Notebook(hearer)
    assert await speaker.say("Good morning.") is False
    await notes.wait_for(UtteranceHeard("speaker", "Good morning."))
    await speaker.leave()
    await notes.wait_for(ParticipantLeftRoom("speaker", "user-left"))
    await hearer.leave()
    await notes.wait_end()
    assert Disconnected not in map(type, notes.seen)


async def test_interrupt_cuts_what_is_said_and_drops_what_waits(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    speaker, hearer = seated(cloud, room_id, "speaker"), seated(cloud, room_id, "hearer")
    await speaker.join()
    await hearer.join()
    notes = Notebook(hearer)
    long = " ".join(["word"] * 100)
    firm = speaker.say("This will be heard.", interruptible=False)
    cut, dropped = speaker.say(long), speaker.say(long)
    assert await firm is False
    speaker.interrupt()
    assert [await cut, await dropped] == [True, True]
    assert await speaker.say("Done.") is False
    await notes.wait_for(UtteranceHeard("speaker", "Done."))
    heard = [event.text for event in notes.seen if isinstance(event, UtteranceHeard)]
    assert heard[0] == "This will be heard."
    assert all(len(text.split()) < 100 for text in heard[1:])
    await speaker.leave()
    await hearer.leave()


async def test_ends_of_our_speech_stand_in_one_order_with_what_we_hear(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    voice = seated(cloud, room_id, "agent")
    await voice.join()
    notes = Notebook(voice)
    await cloud.dial(room_id, "sup")
    await notes.wait_for(AudioStarted("sup"))
    await notes.wait_for(UtteranceHeard("sup", "Hello?"))
    question = voice.say("Are you ready?")
    await notes.wait_for(UtteranceHeard("sup", "Yes, I'm ready, put them through."))
    ended = notes.seen.index(SpeechEnded(question.id, interrupted=False))
    assert ended < notes.seen.index(UtteranceHeard("sup", "Yes, I'm ready, put them through."))
    assert notes.seen[0] == ParticipantJoinedRoom(RoomParticipant("sup", "Dana", audible=False))
    await voice.leave()


async def test_closed_ears_hear_nothing(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    speaker, hearer = seated(cloud, room_id, "speaker"), seated(cloud, room_id, "hearer")
    await speaker.join()
    await hearer.join()
    notes = Notebook(hearer)
    hearer.listen(False)
    await cloud.wait_ledger(room_id, "listen", count=1)
    await speaker.say("Secret.")
    hearer.listen(True)
    await cloud.wait_ledger(room_id, "listen", count=2)
    await speaker.say("Open.")
    await notes.wait_for(UtteranceHeard("speaker", "Open."))
    assert [event.text for event in notes.seen if isinstance(event, UtteranceHeard)] == ["Open."]
    await speaker.leave()
    await hearer.leave()


async def test_who_joins_under_our_id_takes_our_place_for_good(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    old, new = seated(cloud, room_id, "agent"), seated(cloud, room_id, "agent")
    await old.join()
    notes = Notebook(old)
    await new.join()
    await notes.wait_for(Disconnected(DisconnectReason.REPLACED))
    await notes.wait_end()
    assert await old.say("Too late.") is True
    assert await new.say("Here I am.") is False
    await old.leave()
    await new.leave()


async def test_closing_the_room_is_the_last_event(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    voice = seated(cloud, room_id, "agent")
    await voice.join()
    notes = Notebook(voice)
    await cloud.close_room(room_id)
    await notes.wait_end()
    assert notes.seen[-1] == Disconnected(DisconnectReason.DEACTIVATED)
    await voice.leave()


async def test_lost_connection_is_had_back_and_what_was_missed_is_told(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    async with Wire(cloud.url) as wire:
        voice = open_room_client(
            RoomSettings(), JoinOptions(room_id, "agent", "Agent", cloud.ticket(room_id, "agent", wire.url))
        )
        other = seated(cloud, room_id, "other")
        await voice.join()
        await other.join()
        notes, others = Notebook(voice), Notebook(other)
        await notes.wait_for(ParticipantJoinedRoom(RoomParticipant("other", "other", audible=True)))
        voice.listen(False)
        await cloud.break_once("delay", {"join": True, "participantId": "agent"}, delayS=0.5)
        utterance = voice.say(" ".join(["word"] * 100))
        await asyncio.sleep(0.05)
        wire.cut()
        assert await utterance is True
        await other.leave()
        await notes.wait_for(ParticipantLeftRoom("other", "left while the connection was down"))
        assert cloud.tickets == 3
        assert await voice.say("Back again.") is False
        assert [entry["enabled"] for entry in await cloud.ledger(room_id, "listen")] == [False]
        assert ParticipantLeftRoom("agent", "connection-error") not in others.seen
        await voice.leave()


async def test_connection_that_cannot_be_had_back_is_lost(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.sandbox.client.REJOIN_WITHIN_S", 0.3)
    room_id = await cloud.open_room()
    async with Wire(cloud.url) as wire:
        voice = open_room_client(
            RoomSettings(), JoinOptions(room_id, "agent", "Agent", cloud.ticket(room_id, "agent", wire.url))
        )
        await voice.join()
        notes = Notebook(voice)
        wire.cut(for_good=True)
        await notes.wait_end()
    assert notes.seen == [Disconnected(DisconnectReason.LOST)]
    await voice.leave()


@pytest.mark.parametrize(("room", "raised"), [("none-such-room", InvalidRequest), (None, RetryableError)])
async def test_a_shut_door_says_whether_to_come_again(cloud: Cloud, room: str | None, raised: type) -> None:
    room_id = room or await cloud.open_room()
    if room is None:
        await cloud.break_once("refuse", {"join": True})
    with pytest.raises(raised) as error:
        await seated(cloud, room_id, "agent").join()
    assert room_id in str(error.value)


async def test_nobody_at_the_address_is_worth_a_retry(cloud: Cloud) -> None:
    async def ticket() -> RoomToken:
        return RoomToken(token="secret-token", signaling_url="http://127.0.0.1:1")

    with pytest.raises(RetryableError) as error:
        await open_room_client(RoomSettings(), JoinOptions("room", "agent", "Agent", ticket)).join()
    assert "secret-token" not in str(error.value)


async def test_an_address_that_is_none_is_refused() -> None:
    async def ticket() -> RoomToken:
        return RoomToken(token="t", signaling_url="ftp://example.com")

    with pytest.raises(InvalidRequest, match="signaling_url"):
        await open_room_client(RoomSettings(), JoinOptions("room", "agent", "Agent", ticket)).join()


async def test_the_token_is_in_no_log_line(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    room_id = await cloud.open_room()
    voice = seated(cloud, room_id, "agent")
    await voice.join()
    await voice.say("Hello.")
    await voice.leave()
    ours = [
        record
        for record in caplog.records
        if record.name.startswith(("warmxfer.actors", "websockets.client"))
    ]
    assert not any("token" in record.getMessage() for record in ours)


async def test_leaving_twice_or_before_joining_does_nothing(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    voice = seated(cloud, room_id, "agent")
    await voice.leave()
    await voice.join()
    await voice.leave()
    await voice.leave()
    assert [entry["reason"] for entry in await cloud.ledger(room_id, "left")] == ["user-left"]
