"""What one connection may cost the broker: the shipped limits are in force, and a raw client meets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from warmxfer.bus import EmbeddedServer, server_limits
from warmxfer.bus.permission_file import SERVER, Login, accounts
from warmxfer.bus.server_limits import LIMITS

PATIENCE_S = 20.0
CONNECT = b'CONNECT {"verbose":false,"pedantic":false}\r\n'
TENANT = accounts({"warmxfer": {"client": Login(password="a-password")}})

Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def raw(server: EmbeddedServer, first: bytes = CONNECT) -> AsyncIterator[Raw]:
    """Open a plain connection, read the greeting, and send `first`."""
    host, port = server.url.removeprefix("nats://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        assert (await reader.readline()).startswith(b"INFO ")
        writer.write(first)
        yield reader, writer
    finally:
        writer.close()


async def errors_until_closed(reader: asyncio.StreamReader) -> bytes:
    """Return everything that the server sends until it closes the connection."""
    received = b""
    async with asyncio.timeout(PATIENCE_S):
        try:
            while data := await reader.read(65_536):
                received += data
        except ConnectionError:
            return received
    return received


def test_the_shipped_configuration_and_the_local_stack_have_the_limits() -> None:
    assert LIMITS in SERVER


async def test_the_server_has_taken_every_limit() -> None:
    async with EmbeddedServer(monitored=True) as server, httpx.AsyncClient() as http:
        found = (await http.get(f"{server.monitor_url}/varz")).json()
    assert found["max_payload"] == server_limits.MAX_PAYLOAD_BYTES
    assert found["max_connections"] == server_limits.MAX_CONNECTIONS
    assert found["max_subscriptions"] == server_limits.MAX_SUBSCRIPTIONS
    assert found["max_pending"] == server_limits.MAX_PENDING_BYTES
    assert found["max_control_line"] == server_limits.MAX_LINE_BYTES
    assert found["write_deadline"] == server_limits.WRITE_DEADLINE_S * 1_000_000_000


async def test_a_message_that_is_too_large_ends_its_connection_alone() -> None:
    size = server_limits.MAX_PAYLOAD_BYTES
    async with EmbeddedServer() as server, raw(server) as (reader, writer), raw(server) as (other, pings):
        writer.write(b"PUB a %d\r\n" % (size + 1))
        assert b"Maximum Payload" in await errors_until_closed(reader)
        pings.write(b"PUB a %d\r\n" % size + bytes(size) + b"\r\nPING\r\n")
        async with asyncio.timeout(PATIENCE_S):
            assert (await other.readline()) == b"PONG\r\n"


async def test_a_protocol_line_that_is_too_long_ends_its_connection() -> None:
    async with EmbeddedServer() as server, raw(server) as (reader, writer):
        writer.write(b"SUB " + b"a" * 2 * server_limits.MAX_LINE_BYTES)
        assert b"maximum control line exceeded" in (await errors_until_closed(reader)).lower()


async def test_a_connection_has_a_limited_number_of_subscriptions() -> None:
    async with EmbeddedServer() as server, raw(server) as (reader, writer):
        count = server_limits.MAX_SUBSCRIPTIONS
        writer.write(b"".join(b"SUB a.%d %d\r\n" % (each, each) for each in range(count + 1)) + b"PING\r\n")
        async with asyncio.timeout(PATIENCE_S):
            assert b"maximum subscriptions exceeded" in (await reader.readuntil(b"\r\n")).lower()


@pytest.mark.parametrize("first", [b"", b"CONNECT {"], ids=["nothing", "half a line"])
async def test_a_connection_that_does_not_log_in_is_closed(first: bytes) -> None:
    async with EmbeddedServer(accounts=TENANT) as server, raw(server, first) as (reader, _):
        assert b"Authentication Timeout" in await errors_until_closed(reader)
