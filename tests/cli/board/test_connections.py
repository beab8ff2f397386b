"""Limits of the board's server: half a head, a large head, and a peer with too many connections."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from warmxfer.actors.runtime import limited_protocol
from warmxfer.bus import Bus
from warmxfer.cli.board import content, serve
from warmxfer.cli.board.serve import RunningBoard

from .board_fixture import PATIENCE_S, board_on, client_of


async def connect(board: RunningBoard) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(board.address)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Return whether the server ends the connection without a response."""
    with suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read(100) == b""
    return True


async def test_half_a_head_is_ended(fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, a browser that sent half a head kept its connection for as long as it liked."""
    monkeypatch.setattr(limited_protocol, "HEAD_TIMEOUT_S", 0.5)
    async with board_on(fresh_bus) as board:
        reader, writer = await connect(board)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert await is_closed(reader)
        writer.close()


async def test_one_address_has_half_of_the_connections(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "MAX_CONCURRENT", 10)
    async with board_on(fresh_bus) as board:
        held = [await connect(board) for _ in range(5)]
        reader, writer = await connect(board)
        assert await is_closed(reader)
        for _, each in (*held, (reader, writer)):
            each.close()
        async with client_of(board) as http, asyncio.timeout(PATIENCE_S):
            while (answer := await answered(http)) is None:
                await asyncio.sleep(0.02)
        assert answer == 200


async def answered(http: httpx.AsyncClient) -> int | None:
    """Return the status of the health check, or None if the connection was ended."""
    try:
        return (await http.get("/healthz")).status_code
    except httpx.TransportError:
        return None


async def test_a_further_browser_gets_a_sentence(fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_WATCHERS", 1)
    async with (
        board_on(fresh_bus) as board,
        client_of(board) as http,
        http.stream("GET", "/api/events") as first,
    ):
        assert first.status_code == 200
        refused = await http.get("/api/events")
        assert refused.status_code == 503
        assert refused.json() == {"error": "1 browsers watch this board already; close one of them"}
