"""WebSocket protocol of rooms."""

import asyncio
from typing import Any, cast

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.testkit.waiting import until
from warmxfer.sandbox.limits import MAX_BODY_BYTES, MAX_QUEUED_FRAMES
from warmxfer.sandbox.rooms import websocket as room_websocket
from warmxfer.sandbox.rooms.websocket import AgentSocket

from .client import DEADLINE_S, SCALE, Sandbox, token

LONG_SPEECH = '{"type": "say", "id": "u", "text": "' + "x" * 4_001 + '"}'


async def test_welcome_lists_all_participants(sandbox: Sandbox) -> None:
    caller = await sandbox.caller(participantId="ann", name="Ann")
    async with sandbox.agent(caller["roomId"], "ai") as ai:
        [welcome] = ai.frames
    sip = {"callId": caller["callId"], "type": "inbound"}
    assert welcome == {
        "type": "welcome",
        "roomId": caller["roomId"],
        "sessionId": caller["sessionId"],
        "participants": [
            {"id": "ann", "name": "Ann", "audio": True, "sip": sip},
            {"id": "ai", "name": "ai", "audio": True, "sip": None},
        ],
    }


async def test_a_join_is_not_compressed_and_a_long_frame_ends_it(sandbox: Sandbox) -> None:
    """A compressed frame would be decompressed before its length is known."""
    address = f"{sandbox.base_url.replace('http', 'ws')}/v2/rooms/{await sandbox.room()}/join"
    query = f"participantId=a&name=a&token={token()}"
    async with connect(f"{address}?{query}", compression="deflate") as socket:
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        await socket.send("x" * (MAX_BODY_BYTES + 1))
        async with asyncio.timeout(DEADLINE_S):
            await socket.wait_closed()
        assert socket.close_code == 1009


@pytest.mark.parametrize(
    ("query", "claims", "status"),
    [
        ("", {}, 400),
        ("participantId=a%20b", {}, 400),
        ("participantId=a", {"roles": ["crawler"]}, 403),
        ("participantId=a", {"permissions": ["ask_join"]}, 403),
        ("participantId=a", {"roomId": "abcd-abcd-abcd"}, 403),
        ("participantId=a", {"participantId": "b"}, 403),
        ("participantId=a", {"exp": 1}, 401),
    ],
)
async def test_an_invalid_join_is_refused(
    sandbox: Sandbox, query: str, claims: dict[str, Any], status: int
) -> None:
    room_id = await sandbox.room()
    address = f"{sandbox.base_url.replace('http', 'ws')}/v2/rooms/{room_id}/join"
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{address}?{query}&token={token(**claims)}")
    assert refused.value.response.status_code == status
    assert await sandbox.kinds(kind="joined") == []


async def test_an_unknown_room_cannot_be_joined(sandbox: Sandbox) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with sandbox.agent("abcd-abcd-abcd"):
            pass
    assert refused.value.response.status_code == 404


async def test_a_full_room_refuses_agents_and_callers(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    for n in range(50):
        await sandbox.caller(roomId=room_id, participantId=f"c{n}")
    with pytest.raises(InvalidStatus) as refused:
        async with sandbox.agent(room_id):
            pass
    assert refused.value.response.status_code == 403
    late = await sandbox.caller(roomId=room_id, participantId="late")
    assert (await sandbox.call(late["callId"]))["status"] == "failed"


async def test_speech_is_heard_only_in_its_own_room(sandbox: Sandbox) -> None:
    primary, consultation = await sandbox.room(), await sandbox.room()
    async with sandbox.agent(primary, "ai") as ai, sandbox.agent(consultation, "briefer") as briefer:
        async with sandbox.agent(consultation, "listener") as listener:
            await briefer.say("the secret summary")
            assert (await listener.wait_for("speech"))["text"] == "the secret summary"
        await ai.say("hello")
        assert [frame["type"] for frame in ai.drain()] == ["welcome", "said"]
    [speech, _] = await sandbox.ledger(kind="speech")
    assert (speech["participantId"], speech["roomId"], speech["heardBy"]) == (
        "briefer",
        consultation,
        ["listener"],
    )


async def test_speech_to_one_participant_is_heard_by_that_participant_only(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    a, b, c = (sandbox.agent(room_id, name) for name in "abc")
    async with a as a, b as b, c as c:
        await a.say("only for b", to="b")
        await a.say("for all")
        assert [(await b.wait_for("speech"))["text"] for _ in range(2)] == ["only for b", "for all"]
        assert (await c.wait_for("speech"))["text"] == "for all"


async def test_utterances_queue_and_take_time_per_word(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    loop = asyncio.get_running_loop()
    async with sandbox.agent(room_id) as agent:
        began = loop.time()
        await agent.send(type="say", id="u1", text="one two three four five six")
        await agent.send(type="say", id="u2", text="seven eight")
        assert await agent.wait_for("said") == {"type": "said", "id": "u1", "interrupted": False}
        first_s = loop.time() - began
        await agent.wait_for("said", id="u2")
        both_s = loop.time() - began
    assert 6 * 0.35 * SCALE <= first_s < both_s
    assert both_s >= 8 * 0.35 * SCALE


async def until_speaking(sandbox: Sandbox, id: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            [room] = (await sandbox.ok("GET", "/sandbox/state"))["rooms"]
            if any(each["id"] == id and each["speaking"] for each in room["participants"]):
                return
            await asyncio.sleep(0.01)


async def test_an_interruption_cuts_only_interruptible_speech(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    async with sandbox.agent(room_id, "a") as a, sandbox.agent(room_id, "b") as b:
        await a.send(type="say", id="u1", text="word " * 400)
        await until_speaking(sandbox, "a")
        await asyncio.sleep(0.1)
        await a.send(type="interrupt")
        assert (await a.wait_for("said", id="u1"))["interrupted"] is True
        heard = (await b.wait_for("speech"))["text"].split()
        assert 1 <= len(heard) < 400
        await a.send(type="say", id="u2", text="do not cut this", interruptible=False)
        await a.send(type="interrupt")
        assert (await a.wait_for("said", id="u2"))["interrupted"] is False
        assert (await b.wait_for("speech"))["text"] == "do not cut this"


async def test_an_agent_that_does_not_listen_gets_no_speech_and_the_ledger_records_it(
    sandbox: Sandbox,
) -> None:
    room_id = await sandbox.room()
    async with sandbox.agent(room_id, "ai") as ai, sandbox.agent(room_id, "b") as b:
        await ai.send(type="listen", enabled=False)
        await ai.send(type="listen", enabled=False)
        await sandbox.wait_for_entry("listen", participantId="ai", enabled=False)
        [room] = (await sandbox.ok("GET", "/sandbox/state"))["rooms"]
        assert (room["held"], [p["listening"] for p in room["participants"]]) == (True, [False, True])
        await b.say("unheard")
        await ai.send(type="listen", enabled=True)
        await sandbox.wait_for_entry("listen", enabled=True)
        await b.say("heard")
        assert (await ai.wait_for("speech"))["text"] == "heard"
    assert [entry["enabled"] for entry in await sandbox.ledger(kind="listen")] == [False, True]


async def test_a_second_join_with_the_same_id_replaces_the_first_socket(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    async with sandbox.agent(room_id, "other") as other, sandbox.agent(room_id, "ai") as first:
        await first.send(type="listen", enabled=False)
        await sandbox.wait_for_entry("listen")
        async with sandbox.agent(room_id, "ai") as second:
            assert await first.wait_until_closed() == (1000, "replaced")
            await second.say("still here")
            await other.wait_for("speech")
            [room] = (await sandbox.ok("GET", "/sandbox/state"))["rooms"]
            listening = {participant["id"]: participant["listening"] for participant in room["participants"]}
            assert listening == {"other": True, "ai": False}
    assert [frame["type"] for frame in other.frames] == ["welcome", "participant-joined", "speech"]


async def test_an_agent_stays_in_the_room_for_the_grace_period(
    slow_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_websocket, "GRACE_S", 4.0)
    room_id = await slow_sandbox.room()
    async with slow_sandbox.agent(room_id, "other") as other:
        async with slow_sandbox.agent(room_id, "ai") as ai:
            await ai.send(type="listen", enabled=False)
            await slow_sandbox.wait_for_entry("listen")
            ai.socket.transport.abort()
        async with slow_sandbox.agent(room_id, "ai") as ai:
            assert (await slow_sandbox.ok("GET", "/sandbox/state"))["rooms"][0]["held"] is True
            await asyncio.sleep(1.8)
            assert [frame["type"] for frame in other.drain()] == ["welcome", "participant-joined"]
            monkeypatch.setattr(room_websocket, "GRACE_S", 1.0)
            ai.socket.transport.abort()
        left = await other.wait_for("participant-left")
    assert left == {"type": "participant-left", "participantId": "ai", "reason": "connection-error"}


async def test_a_leave_is_sent_at_once_and_the_last_one_ends_the_session(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    async with sandbox.agent(room_id, "other") as other, sandbox.agent(room_id, "ai") as ai:
        await ai.send(type="leave")
        left = await other.wait_for("participant-left")
        assert (left["participantId"], left["reason"]) == ("ai", "user-left")
        await other.send(type="leave")
        await other.wait_until_closed()
    assert (await sandbox.ok("GET", "/sandbox/state"))["rooms"][0]["sessionId"] is None


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("{", "Frame is not JSON."),
        ("[]", "Frame must be a JSON object."),
        ('{"type": "sing"}', "type 'sing' is unknown: send say, interrupt, listen or leave."),
        ('{"type": "say", "id": "u"}', "say.text must be 1 to 4000 characters."),
        (LONG_SPEECH, "say.text must be 1 to 4000 characters."),
        ('{"type": "say", "text": "hi"}', "say.id must be 1 to 128 characters."),
        ('{"type": "say", "id": "u", "text": "hi", "to": 7}', "say.to must be a participantId or null."),
        ('{"type": "listen", "enabled": 1}', "listen.enabled must be true or false."),
    ],
)
async def test_an_invalid_frame_does_not_close_the_socket(sandbox: Sandbox, frame: str, message: str) -> None:
    async with sandbox.agent(await sandbox.room()) as agent:
        await agent.socket.send(frame)
        assert await agent.wait_for("error") == {"type": "error", "message": message}
        await agent.say("still here")


async def test_too_many_queued_utterances_are_refused(sandbox: Sandbox) -> None:
    async with sandbox.agent(await sandbox.room()) as agent:
        for n in range(70):
            await agent.send(type="say", id=f"u{n}", text="word " * 400)
        assert (await agent.wait_for("error"))["message"].startswith("Too many utterances are queued")


async def test_the_admin_api_removes_an_agent(sandbox: Sandbox) -> None:
    async with sandbox.agent(await sandbox.room(), "ai") as ai:
        kicked = await sandbox.ok("POST", "/sandbox/people/ai/hangup")
        assert kicked == {"hungUp": [], "kicked": ["ai"]}
        assert await ai.wait_until_closed() == (1000, "kicked")


async def test_a_join_without_a_websocket_handshake_is_refused(sandbox: Sandbox) -> None:
    query = {"participantId": "ai", "token": token()}
    refused = await sandbox.http.get(f"/v2/rooms/{await sandbox.room()}/join", params=query)
    assert (refused.status_code, refused.json()["statusCode"]) == (400, 400)
    assert await sandbox.kinds(kind="joined") == []


async def test_a_binary_message_closes_the_socket(sandbox: Sandbox) -> None:
    async with sandbox.agent(await sandbox.room()) as agent:
        await agent.socket.send(b"binary")
        async with asyncio.timeout(DEADLINE_S):
            await agent.socket.wait_closed()
        assert agent.socket.close_code == 1003


async def test_a_client_that_answers_no_ping_is_disconnected(
    slow_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_websocket, "HEARTBEAT_S", 0.1)
    port = int(slow_sandbox.base_url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path = f"/v2/rooms/{await slow_sandbox.room()}/join?participantId=ai&token={token()}"
    writer.write(
        f"GET {path} HTTP/1.1\r\nhost: sandbox\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    async with asyncio.timeout(DEADLINE_S):
        received = await reader.read(-1)
    assert received.startswith(b"HTTP/1.1 101")
    assert b"\x89\x00" in received
    await slow_sandbox.wait_for_entry("left")
    writer.close()


class StuckWebSocket:
    """A WebSocket whose client reads nothing, with its request and transport."""

    def __init__(self) -> None:
        self.aborted = asyncio.Event()
        self.writing = False
        self.transport = self

    async def prepare(self, request: object) -> None: ...

    async def send_frame(self, frame: bytes, kind: object) -> None:
        self.writing = True
        await self.aborted.wait()
        raise ConnectionResetError

    def abort(self) -> None:
        self.aborted.set()


async def test_a_client_that_leaves_too_many_frames_unread_is_disconnected() -> None:
    stuck = StuckWebSocket()
    socket = AgentSocket(cast("Any", stuck), cast("Any", stuck))
    await socket.accept()
    socket.send({"type": "first"})
    await until(lambda: stuck.writing)
    for _ in range(MAX_QUEUED_FRAMES):
        socket.send({"type": "unread"})
    assert not stuck.aborted.is_set()
    socket.send({"type": "one too many"})
    assert stuck.aborted.is_set()
    await asyncio.wait_for(socket.stop_writing(), DEADLINE_S)
