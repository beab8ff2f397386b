"""A room client in a real room of the real sandbox, over a real socket."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

import pytest
from websockets.asyncio.server import Request, Response, ServerConnection, serve

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
from warmxfer.adapters.rooms.room_client import NoSuchRoom
from warmxfer.schemas import InvalidRequest, RetryableError, RoomToken

TIMEOUT_S = 3.0


class EventLog:
    """Reads a client's events in the background. A test can wait for one of them."""

    def __init__(self, client: RoomClient) -> None:
        self.events: list[RoomEvent] = []
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._read(client))
        self.ended = False

    async def _read(self, client: RoomClient) -> None:
        async for event in client.events():
            self.events.append(event)
            self._more.set()
        self.ended = True
        self._more.set()

    async def wait_for(self, wanted: RoomEvent) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while wanted not in self.events:
                self._more.clear()
                await self._more.wait()

    async def wait_end(self) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await self._task


def client_in(cloud: Cloud, room_id: str, participant_id: str) -> RoomClient:
    return open_room_client(
        RoomSettings(),
        JoinOptions(room_id, participant_id, participant_id, cloud.ticket(room_id, participant_id)),
    )


async def test_the_snapshot_holds_the_other_participants_only(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    first, second = client_in(cloud, room_id, "one"), client_in(cloud, room_id, "two")
    alone, both = await first.join(), await second.join()
    assert alone.participants == ()
    assert both.participants == (RoomParticipant("one", "one", audible=True),)
    assert both.room_id == room_id
    assert both.session_id == alone.session_id
    await first.leave()
    await second.leave()


async def test_the_handshake_offers_no_compression() -> None:
    """A compressed frame would be decompressed before its length is known."""
    offered: list[str] = []

    async def refuse(connection: ServerConnection, request: Request) -> Response:
        offered.extend(request.headers.get_all("Sec-WebSocket-Extensions"))
        return connection.respond(HTTPStatus.NOT_FOUND, "")

    async with serve(_no_frames, "127.0.0.1", 0, process_request=refuse, compression="deflate") as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        async def token() -> RoomToken:
            return RoomToken("a-token", address)

        client = open_room_client(RoomSettings(), JoinOptions("room-1", "p", "p", token))
        with pytest.raises(NoSuchRoom):
            await client.join()
    assert offered == []


async def _no_frames(connection: ServerConnection) -> None:
    raise AssertionError("the handshake was refused")


async def test_an_utterance_reaches_the_other_participant_and_its_end_the_speaker(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    speaker, listener = client_in(cloud, room_id, "speaker"), client_in(cloud, room_id, "hearer")
    await speaker.join()
    await listener.join()
    log = EventLog(listener)
    assert await speaker.say("Good morning.") is False
    await log.wait_for(UtteranceHeard("speaker", "Good morning."))
    await speaker.leave()
    await log.wait_for(ParticipantLeftRoom("speaker", "user-left"))
    await listener.leave()
    await log.wait_end()
    assert Disconnected not in map(type, log.events)


async def test_interrupt_stops_the_current_utterance_and_drops_queued_ones(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    speaker, listener = client_in(cloud, room_id, "speaker"), client_in(cloud, room_id, "hearer")
    await speaker.join()
    await listener.join()
    log = EventLog(listener)
    long = " ".join(["word"] * 100)
    firm = speaker.say("This will be heard.", interruptible=False)
    cut, dropped = speaker.say(long), speaker.say(long)
    assert await firm is False
    speaker.interrupt()
    assert [await cut, await dropped] == [True, True]
    assert await speaker.say("Done.") is False
    await log.wait_for(UtteranceHeard("speaker", "Done."))
    texts = [event.text for event in log.events if isinstance(event, UtteranceHeard)]
    assert texts[0] == "This will be heard."
    assert all(len(text.split()) < 100 for text in texts[1:])
    await speaker.leave()
    await listener.leave()


async def test_ends_of_own_utterances_are_ordered_with_received_speech(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    client = client_in(cloud, room_id, "agent")
    await client.join()
    log = EventLog(client)
    await cloud.dial(room_id, "sup")
    await log.wait_for(AudioStarted("sup"))
    await log.wait_for(UtteranceHeard("sup", "Hello?"))
    question = client.say("Are you ready?")
    await log.wait_for(UtteranceHeard("sup", "Yes, I'm ready, put them through."))
    ended = log.events.index(SpeechEnded(question.id, interrupted=False))
    assert ended < log.events.index(UtteranceHeard("sup", "Yes, I'm ready, put them through."))
    assert log.events[0] == ParticipantJoinedRoom(RoomParticipant("sup", "Dana", audible=False))
    await client.leave()


async def test_listen_false_drops_speech(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    speaker, listener = client_in(cloud, room_id, "speaker"), client_in(cloud, room_id, "hearer")
    await speaker.join()
    await listener.join()
    log = EventLog(listener)
    listener.listen(False)
    await cloud.wait_ledger(room_id, "listen", count=1)
    await speaker.say("Secret.")
    listener.listen(True)
    await cloud.wait_ledger(room_id, "listen", count=2)
    await speaker.say("Open.")
    await log.wait_for(UtteranceHeard("speaker", "Open."))
    assert [event.text for event in log.events if isinstance(event, UtteranceHeard)] == ["Open."]
    await speaker.leave()
    await listener.leave()


async def test_a_second_join_with_the_same_id_replaces_the_first(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    old, new = client_in(cloud, room_id, "agent"), client_in(cloud, room_id, "agent")
    await old.join()
    log = EventLog(old)
    await new.join()
    await log.wait_for(Disconnected(DisconnectReason.REPLACED))
    await log.wait_end()
    assert await old.say("Too late.") is True
    assert await new.say("Here I am.") is False
    await old.leave()
    await new.leave()


async def test_closing_the_room_is_the_last_event(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    client = client_in(cloud, room_id, "agent")
    await client.join()
    log = EventLog(client)
    await cloud.close_room(room_id)
    await log.wait_end()
    assert log.events[-1] == Disconnected(DisconnectReason.DEACTIVATED)
    await client.leave()


async def test_a_lost_connection_is_reopened_and_missed_events_are_published(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    async with Wire(cloud.url) as wire:
        client = open_room_client(
            RoomSettings(), JoinOptions(room_id, "agent", "Agent", cloud.ticket(room_id, "agent", wire.url))
        )
        other = client_in(cloud, room_id, "other")
        await client.join()
        await other.join()
        log, other_log = EventLog(client), EventLog(other)
        await log.wait_for(ParticipantJoinedRoom(RoomParticipant("other", "other", audible=True)))
        client.listen(False)
        await cloud.break_once("delay", {"join": True, "participantId": "agent"}, delayS=0.5)
        utterance = client.say(" ".join(["word"] * 100))
        await asyncio.sleep(0.05)
        wire.cut()
        assert await utterance is True
        await other.leave()
        await log.wait_for(ParticipantLeftRoom("other", "left while the connection was down"))
        assert cloud.tickets == 3
        assert await client.say("Back again.") is False
        assert [entry["enabled"] for entry in await cloud.ledger(room_id, "listen")] == [False]
        assert ParticipantLeftRoom("agent", "connection-error") not in other_log.events
        await client.leave()


async def test_a_connection_that_cannot_be_reopened_is_lost(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.sandbox.client.REJOIN_WITHIN_S", 0.3)
    room_id = await cloud.open_room()
    async with Wire(cloud.url) as wire:
        client = open_room_client(
            RoomSettings(), JoinOptions(room_id, "agent", "Agent", cloud.ticket(room_id, "agent", wire.url))
        )
        await client.join()
        log = EventLog(client)
        wire.cut(for_good=True)
        await log.wait_end()
    assert log.events == [Disconnected(DisconnectReason.LOST)]
    await client.leave()


@pytest.mark.parametrize(("room", "error_type"), [("none-such-room", InvalidRequest), (None, RetryableError)])
async def test_a_refused_join_raises_the_error_that_says_whether_to_retry(
    cloud: Cloud, room: str | None, error_type: type
) -> None:
    room_id = room or await cloud.open_room()
    if room is None:
        await cloud.break_once("refuse", {"join": True})
    with pytest.raises(error_type) as error:
        await client_in(cloud, room_id, "agent").join()
    assert room_id in str(error.value)


async def test_an_unreachable_url_is_retryable(cloud: Cloud) -> None:
    async def token() -> RoomToken:
        return RoomToken(token="secret-token", signaling_url="http://127.0.0.1:1")

    with pytest.raises(RetryableError) as error:
        await open_room_client(RoomSettings(), JoinOptions("room", "agent", "Agent", token)).join()
    assert "secret-token" not in str(error.value)


async def test_an_invalid_signaling_url_is_refused() -> None:
    async def token() -> RoomToken:
        return RoomToken(token="t", signaling_url="ftp://example.com")

    with pytest.raises(InvalidRequest, match="signaling_url"):
        await open_room_client(RoomSettings(), JoinOptions("room", "agent", "Agent", token)).join()


async def test_a_room_of_the_real_cloud_is_refused_before_the_token_is_sent() -> None:
    async def token() -> RoomToken:
        return RoomToken(token="t", signaling_url="https://api.videosdk.live")

    client = open_room_client(RoomSettings(), JoinOptions("r", "p", "n", token))
    with pytest.raises(InvalidRequest, match="set WARMXFER_VOICE=videosdk and WARMXFER_BRIEFING_PIPELINE"):
        await client.join()


async def test_the_token_is_not_logged(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    room_id = await cloud.open_room()
    client = client_in(cloud, room_id, "agent")
    await client.join()
    await client.say("Hello.")
    await client.leave()
    ours = [
        record
        for record in caplog.records
        if record.name.startswith(("warmxfer.adapters", "websockets.client"))
    ]
    assert not any("token" in record.getMessage() for record in ours)


async def test_leaving_twice_or_before_joining_does_nothing(cloud: Cloud) -> None:
    room_id = await cloud.open_room()
    client = client_in(cloud, room_id, "agent")
    await client.leave()
    await client.join()
    await client.leave()
    await client.leave()
    assert [entry["reason"] for entry in await cloud.ledger(room_id, "left")] == ["user-left"]
