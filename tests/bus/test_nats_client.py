"""The client's fast path: what it sends and delivers, and that nats-py is the one it was written for."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Callable

import pytest
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.errors import (
    BadSubjectError,
    ConnectionClosedError,
    ConnectionDrainingError,
    MaxPayloadError,
    OutboundBufferLimitError,
    ProtocolError,
    StaleConnectionError,
)
from nats.protocol.parser import Parser

from tests.testkit.waiting import until
from warmxfer.bus import Bus, nats_client
from warmxfer.bus.nats_client import ArrivedMessage, NatsClient

READ_FROM_NATS_PY: dict[Callable[..., object], str] = {
    Client._flush_pending: "317c8d7ef54b",
    Client._flusher: "43957ffb357d",
    Client._send_ping: "d57b2f820443",
    Client._send_subscribe: "d265ae9f821a",
    Client._attempt_reconnect: "2bbc96e0f2f7",
    Client._close: "9a92d3aca1b2",
    Client._read_loop: "b44b9401f436",
    Client._remove_sub: "0791939ce078",
    Client._process_msg: "6cff75947e97",
    Client.publish: "97d776c391ad",
    Client.subscribe: "30bf1c4cc1c9",
    Subscription.unsubscribe: "d33eb1b5720c",
    Subscription._drain: "e278c0ffc3ea",
    Subscription.__init__: "2802b4167b60",
    Client._process_connect_init: "e1ed2da075c8",
    Client._process_info: "ecca7bb93130",
    Client._connect_command: "1999c01f55c9",
    Client._connect_to_server: "1356d992325f",
    TcpTransport.connect_tls: "6688ffffefa2",
    TcpTransport.__bool__: "2cb1f1d3dd03",
    TcpTransport.write: "70127868971b",
    TcpTransport.read: "88fd9f3e084e",
    TcpTransport.at_eof: "f9bd43ea78bd",
    Client._process_op_err: "d4257cb1203c",
    Parser.parse: "7d6165f1766c",
    Parser.reset: "0f304f3f8691",
}
"""The functions of nats-py 2.16 that `bus/nats_client.py` replaces or uses, and digests of their code."""


@pytest.mark.parametrize("function", READ_FROM_NATS_PY, ids=lambda function: function.__qualname__)
def test_nats_py_is_the_one_that_the_fast_path_was_written_for(function: Callable[..., object]) -> None:
    code = inspect.getsource(function)
    assert hashlib.sha256(code.encode()).hexdigest()[:12] == READ_FROM_NATS_PY[function], (
        f"nats-py has changed {function.__qualname__}: read it, adapt warmxfer/bus/nats_client.py if that is "
        "necessary, run tests/bus and the simulation, and then put the new digest here"
    )


class Wire:
    """A client without a socket: what it would deliver of the bytes that a server sends."""

    def __init__(self) -> None:
        self.client = NatsClient()
        self.arrived: list[ArrivedMessage] = []
        self.errors: list[Exception] = []
        self.client.callbacks[1] = self.arrived.append

        async def on_error(error: Exception) -> None:
            self.errors.append(error)

        self.client._error_cb = on_error

    async def receive(self, data: bytes) -> None:
        await self.client._ps.parse(data)


FRAMES = (
    b"MSG a.b 1 3\r\none\r\n"
    b"MSG a.b 1 re.ply 0\r\n\r\n"
    b"HMSG a.b 1 24 27\r\nNATS/1.0\r\nKey: value\r\n\r\ntwo\r\n"
    b"HMSG a.b 1 re.ply 12 17\r\nNATS/1.0\r\n\r\nMSG\r\n\r\n"
    b"+OK\r\n"
    b"MSG a.b 9 5\r\nother\r\n"
    b"MSG a.b 1 5\r\nthree\r\n"
)
MESSAGES = [
    ArrivedMessage("a.b", "", b"one", None),
    ArrivedMessage("a.b", "re.ply", b"", None),
    ArrivedMessage("a.b", "", b"two", {"Key": "value"}),
    ArrivedMessage("a.b", "re.ply", b"MSG\r\n", {}),
    ArrivedMessage("a.b", "", b"three", None),
]


async def test_messages_are_delivered_however_the_bytes_are_cut() -> None:
    for size in (1, 2, 3, 7, 20, 50, len(FRAMES)):
        wire = Wire()
        for start in range(0, len(FRAMES), size):
            await wire.receive(FRAMES[start : start + size])
        assert (wire.arrived, wire.errors) == (MESSAGES, []), f"in pieces of {size} bytes"


async def test_a_callback_that_fails_is_reported_and_the_next_message_arrives() -> None:
    wire, failure = Wire(), ValueError("one")

    def fail_once(message: ArrivedMessage) -> None:
        if message.data == b"one":
            raise failure
        wire.arrived.append(message)

    wire.client.callbacks[1] = fail_once
    await wire.receive(b"MSG a 1 3\r\none\r\nMSG a 1 3\r\ntwo\r\n")
    assert wire.errors == [failure]
    assert [message.data for message in wire.arrived] == [b"two"]


class Socket(Wire):
    """A client that reads from a stream, as from a socket. `status` is that of its connection."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = asyncio.StreamReader()
        self.transport = TcpTransport()
        self.transport._io_reader = self.stream
        self.client._transport = self.transport
        self.client._status = Client.CONNECTED
        self.failed: list[Exception] = []

        async def on_failure(e: Exception) -> None:
            self.failed.append(e)

        self.client._process_op_err = on_failure

    async def __aenter__(self) -> Socket:
        self.loop = asyncio.create_task(self.client._read_loop())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.loop.cancel()
        await asyncio.wait({self.loop})


async def test_messages_go_from_the_socket_to_the_callback_without_a_task() -> None:
    async with Socket() as socket:
        socket.stream.feed_data(b"MSG a.b 1 3\r\none\r\nMSG a.b 1 re.ply 0\r\n\r\nMSG")
        assert socket.arrived == MESSAGES[:2]
        socket.stream.feed_data(b" a.b 1 3\r\ntwo\r\n")
        assert [message.data for message in socket.arrived] == [b"one", b"", b"two"]


async def test_messages_keep_their_order_beside_what_the_read_loop_reads() -> None:
    for size in (1, 2, 3, 7, 20, 50, len(FRAMES)):
        for turns in (0, 1, 2):
            async with Socket() as socket:
                for start in range(0, len(FRAMES), size):
                    socket.stream.feed_data(FRAMES[start : start + size])
                    for _ in range(turns):
                        await asyncio.sleep(0)
                await until(lambda arrived=socket.arrived: len(arrived) == len(MESSAGES))
                assert socket.arrived == MESSAGES, f"in pieces of {size} bytes, {turns} turns between"


async def test_messages_that_arrive_while_the_read_loop_parses_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def answer_slowly() -> None:
        began.set()
        await may_end.wait()

    async with Socket() as socket:
        monkeypatch.setattr(socket.client, "_process_ping", answer_slowly)
        socket.stream.feed_data(b"PING\r\nMSG a 1 3\r\none\r\n")
        await until(began.is_set)
        socket.stream.feed_data(b"MSG a 1 3\r\ntwo\r\n")
        assert socket.arrived == []
        may_end.set()
        await until(lambda: len(socket.arrived) == 2)
        assert [message.data for message in socket.arrived] == [b"one", b"two"]


async def test_what_arrived_before_the_read_loop_comes_first() -> None:
    socket = Socket()
    socket.stream.feed_data(FRAMES[:30])
    async with socket:
        socket.stream.feed_data(FRAMES[30:])
        await until(lambda: len(socket.arrived) == len(MESSAGES))
        assert socket.arrived == MESSAGES


async def test_a_callback_that_fails_in_the_socket_is_reported_and_the_next_message_arrives() -> None:
    failure = ValueError("one")
    async with Socket() as socket:

        def fail(_: ArrivedMessage) -> None:
            raise failure

        socket.client.callbacks[2] = fail
        socket.stream.feed_data(b"MSG a 2 3\r\none\r\nMSG a 1 3\r\ntwo\r\n")
        assert [message.data for message in socket.arrived] == [b"two"]
        await until(lambda: socket.errors == [failure])


async def test_a_malformed_line_in_the_socket_ends_the_connection() -> None:
    async with Socket() as socket:
        socket.stream.feed_data(b"MSG a 1 3\r\none\r\nMSG a 1 x\r\n")
        socket.stream.feed_data(b"MSG a 1 3\r\ntwo\r\n")
        await until(socket.loop.done)
        assert [type(error) for error in socket.failed] == [ProtocolError]
        assert [message.data for message in socket.arrived] == [b"one"]


async def test_nothing_is_delivered_of_a_connection_that_was_given_up() -> None:
    async with Socket() as socket:
        socket.client._status = Client.RECONNECTING
        socket.stream.feed_data(b"MSG a 1 3\r\none\r\n")
        await until(socket.loop.done)
        socket.stream.feed_data(b"MSG a 1 3\r\ntwo\r\n")
        assert [message.data for message in socket.arrived if message.data == b"two"] == []


async def test_the_end_of_the_stream_ends_the_connection() -> None:
    async with Socket() as socket:
        socket.stream.feed_data(b"MSG a 1 3\r\none\r\n")
        socket.stream.feed_eof()
        await until(socket.loop.done)
        assert [message.data for message in socket.arrived] == [b"one"]
        assert len(socket.failed) == 1


async def test_a_subject_that_is_not_utf_8_is_delivered() -> None:
    wire = Wire()
    await wire.receive(b"MSG a.\xff 1 0\r\n\r\n")
    assert [message.subject for message in wire.arrived] == ["a.\ufffd"]


@pytest.mark.parametrize(
    "line", [b"MSG a x 3", b"HMSG a 1 9 3", b"HMSG a 1 -1 3", b"HMSG a 1 3 x", b"MSG a", b"NONSENSE"]
)
async def test_a_malformed_line_is_a_protocol_error(line: bytes) -> None:
    wire = Wire()
    with pytest.raises(ProtocolError):
        await wire.receive(line + b"\r\n")
    assert wire.arrived == []


async def test_the_messages_of_one_turn_go_out_in_one_write(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = fresh_bus._connection.client
    writes: list[bytes] = []
    monkeypatch.setattr(client._transport, "write", writes.append)
    for n in range(3):
        client.send("a.b", b"%d" % n)
    client.send("a.b", b"x", "re.ply", {"Key": "value"})
    assert writes == []
    await asyncio.sleep(0)
    assert writes == [
        b"PUB a.b  1\r\n0\r\nPUB a.b  1\r\n1\r\nPUB a.b  1\r\n2\r\n"
        b"HPUB a.b re.ply 24 25\r\nNATS/1.0\r\nKey: value\r\n\r\nx\r\n"
    ]
    assert client.pending_data_size == 0


async def test_a_header_value_cannot_add_a_header(fresh_bus: Bus) -> None:
    arrived: list[ArrivedMessage] = []
    client = fresh_bus._connection.client
    await client.subscribe_callback("a.b", arrived.append)
    client.send("a.b", b"data", headers={"A": "b\r\nC: d\r\n\r\nE", "F": "g"})
    await until(lambda: arrived)
    assert arrived == [ArrivedMessage("a.b", "", b"data", {"A": "b C: d E", "F": "g"})]


@pytest.mark.parametrize("subject", ["", "a b", " a", "a\r\nPUB c  0", "a\t", "a\u00a0b"])
async def test_a_subject_with_white_space_is_refused(fresh_bus: Bus, subject: str) -> None:
    client = fresh_bus._connection.client
    with pytest.raises(BadSubjectError):
        client.send(subject, b"")
    with pytest.raises(BadSubjectError):
        await client.subscribe_callback(subject, lambda _: None)


async def test_a_message_that_is_too_large_is_refused(fresh_bus: Bus) -> None:
    with pytest.raises(MaxPayloadError):
        fresh_bus._connection.client.send("a", bytes(fresh_bus._connection.client.max_payload + 1))


async def test_a_closed_client_refuses(fresh_bus: Bus) -> None:
    client = fresh_bus._connection.client
    await fresh_bus.close()
    with pytest.raises(ConnectionClosedError):
        client.send("a", b"")
    with pytest.raises(ConnectionClosedError):
        await client.subscribe_callback("a", lambda _: None)


async def test_a_client_that_drains_takes_no_subscription(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = fresh_bus._connection.client
    monkeypatch.setattr(client, "_status", Client.DRAINING_SUBS)
    with pytest.raises(ConnectionDrainingError):
        await client.subscribe_callback("a", lambda _: None)


async def test_messages_wait_for_a_connection_that_is_down_up_to_a_limit(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = fresh_bus._connection.client
    arrived: list[ArrivedMessage] = []
    await client.subscribe_callback("a", arrived.append)
    await client.flush()
    with monkeypatch.context() as patch:
        patch.setattr(client, "_status", Client.RECONNECTING)
        client.send("a", b"waits")
        patch.setattr(nats_client, "MAX_PENDING_BYTES", client.pending_data_size + 5)
        with pytest.raises(OutboundBufferLimitError):
            client.send("a", b"123456")
    await client.flush()
    assert [each.data for each in arrived] == [b"waits"]


async def test_a_client_closes_although_its_transport_is_closed_meanwhile(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop's transport raises for the rest that nats-py writes while it closes."""

    def refuse(_: object) -> None:
        raise RuntimeError("the transport is closed")

    client = fresh_bus._connection.client
    monkeypatch.setattr(client._transport, "writelines", refuse)
    client.send("a", b"never sent")
    await client.close()
    assert client.is_closed
    assert client.pending_data_size == 0


async def test_a_connection_that_cannot_be_opened_for_any_reason_is_tried_again(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, a credentials file that was half written as the broker restarted ended all reconnects."""
    client = fresh_bus._connection.client
    tries, command = 0, client._connect_command

    def half_written() -> bytes:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise TypeError("the seed is None")
        return command()

    monkeypatch.setattr(client, "_connect_command", half_written)
    await client._process_op_err(StaleConnectionError())
    await until(lambda: client.is_connected and tries == 3)
    await client.flush()


async def test_a_server_that_takes_no_bytes_does_not_keep_the_client(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, a graceful close waited for what the broker did not take, for minutes."""
    client = fresh_bus._connection.client
    writer, never = client._transport._io_writer, asyncio.Event()
    monkeypatch.setattr(writer, "wait_closed", never.wait)
    await client._process_op_err(StaleConnectionError())
    await until(lambda: client.is_connected)
    await client.flush()


async def test_a_full_socket_makes_the_messages_wait_and_the_publisher_block(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nats-py's flusher writes then: it waits until the socket is free. No message is lost or overtaken."""
    client = fresh_bus._connection.client
    arrived: list[ArrivedMessage] = []
    await client.subscribe_callback("a.b", arrived.append)
    await client.flush()
    free = asyncio.Event()
    monkeypatch.setattr(client._transport, "drain", free.wait)
    monkeypatch.setattr(nats_client, "MAX_SOCKET_BYTES", 0)
    monkeypatch.setattr(nats_client, "MAX_PENDING_BYTES", 1_000)
    client.send("a.b", b"first")
    await until(lambda: client.pending_data_size == 0)  # the flusher has written it, and waits in drain
    client.send("a.b", b"second")
    blocked = asyncio.create_task(client.publish("a.b", bytes(2_000)))
    done, _ = await asyncio.wait({blocked}, timeout=0.2)
    assert not done
    assert client.pending_data_size > 2_000
    free.set()
    await blocked
    await until(lambda: len(arrived) == 3)
    assert [len(message.data) for message in arrived] == [5, 6, 2_000]


async def test_flush_is_answered_after_what_was_sent_before(fresh_bus: Bus) -> None:
    client = fresh_bus._connection.client
    arrived: list[ArrivedMessage] = []
    await client.subscribe_callback("a.b", arrived.append)
    for n in range(50):
        client.send("a.b", b"%d" % n)
    await client.flush()
    assert [message.data for message in arrived] == [b"%d" % n for n in range(50)]


async def test_an_ended_subscription_receives_nothing_more(fresh_bus: Bus) -> None:
    client = fresh_bus._connection.client
    arrived: list[ArrivedMessage] = []
    first = await client.subscribe_callback("a.b", arrived.append)
    second = await client.subscribe_callback("a.b", arrived.append)
    await first.unsubscribe()
    await second.drain()
    client.send("a.b", b"")
    await client.flush()
    assert arrived == []
    assert len(client.callbacks) == 1  # the reply inbox
