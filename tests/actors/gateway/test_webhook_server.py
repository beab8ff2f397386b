"""Limits of the webhook server: a slow, greedy or large sender does not shut out the others."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from warmxfer.actors.gateway import webhook_server
from warmxfer.actors.runtime import limited_protocol

from .gateway_fixture import PATIENCE_S, GatewayHarness
from .test_webhooks import counted, participant_left_body, post


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def is_closed(reader: asyncio.StreamReader, within_s: float = PATIENCE_S) -> bool:
    """Return whether the server ends the connection without a response."""
    with suppress(ConnectionError):
        async with asyncio.timeout(within_s):
            return await reader.read(100) == b""
    return True


async def answered(url: str, body: bytes) -> int | None:
    """Return the status of the answer to a webhook, or None if its connection was ended."""
    try:
        return (await post(url, body)).status_code
    except httpx.TransportError:
        return None


async def test_half_a_head_is_ended_and_does_not_shut_out_others(
    idle_harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, 260 connections with half a head gave 503 to everybody, and one stayed open past 25 s."""
    monkeypatch.setattr(limited_protocol, "HEAD_TIMEOUT_S", 0.5)
    url = await idle_harness.start_with_webhooks()
    held = [await connect(url) for _ in range(100)]
    for _, writer in held:
        writer.write(b"POST /webhooks/videosdk HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert (await post(url, participant_left_body(idle_harness))).status_code == 200
    assert all(await asyncio.gather(*(is_closed(reader) for reader, _ in held)))
    for _, writer in held:
        writer.close()


async def test_the_head_of_a_second_request_has_the_same_time(
    idle_harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_protocol, "HEAD_TIMEOUT_S", 0.5)
    url = await idle_harness.start_with_webhooks()
    reader, writer = await connect(url)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await reader.readuntil(b"}}")
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert await is_closed(reader)
    writer.close()


async def test_a_peer_has_a_limited_number_of_connections(
    idle_harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_server, "MAX_CONCURRENT", 10)
    url = await idle_harness.start_with_webhooks()
    held = [await connect(url) for _ in range(5)]
    reader, writer = await connect(url)
    assert await is_closed(reader)
    for _, each in [*held, (reader, writer)]:
        each.close()
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await answered(url, participant_left_body(idle_harness))) is None:
            await asyncio.sleep(0.02)
    assert answer == 200


async def test_a_head_of_100_kb_is_ended(idle_harness: GatewayHarness) -> None:
    url = await idle_harness.start_with_webhooks()
    reader, writer = await connect(url)
    writer.write(b"POST /webhooks/videosdk HTTP/1.1\r\n" + b"X-Long: y\r\n" * 10_000)
    with suppress(ConnectionError):
        await writer.drain()
        answer = await reader.read(200)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert await is_closed(reader)
    writer.close()


async def test_a_replay_is_dropped_after_the_broker_has_forgotten_it(idle_harness: GatewayHarness) -> None:
    """Before, a signed replay got 200 for ever, and was stored again after 125 s."""
    url = await idle_harness.start_with_webhooks()
    body = participant_left_body(idle_harness)
    assert (await post(url, body)).json() == {"status": "taken"}
    for _ in range(3):
        assert (await post(url, body)).json() == {"status": "repeated"}
    assert (await counted(url))["repeated"] == 3
    assert len(await idle_harness.events()) == 1


async def test_a_webhook_about_something_long_ago_is_dropped(idle_harness: GatewayHarness) -> None:
    url = await idle_harness.start_with_webhooks()
    metadata = {"warmxferId": idle_harness.id, "attempt": "1"}
    data = {"callId": "c", "metadata": metadata, "end": "2026-01-01T00:00:00.000Z"}
    body = json.dumps({"webhookType": "call-hangup", "data": data}).encode()
    assert (await post(url, body)).json() == {"status": "too_old"}
    assert await idle_harness.events() == []


async def test_an_unreadable_webhook_is_counted_and_named(
    idle_harness: GatewayHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    url = await idle_harness.start_with_webhooks()
    assert (await post(url, b'{"webhookType":"call-hangup","data":{}}')).status_code == 400
    assert (await counted(url))["unreadable"] == 1
    line = next(each for each in capsys.readouterr().out.splitlines() if "webhook_unreadable" in each)
    assert "The webhook names no call" in line
    assert "127.0.0.1" in line


async def test_a_compressed_webhook_is_not_decompressed(idle_harness: GatewayHarness) -> None:
    """The signature is over the body as it was sent. So a bomb is 64 KB of text that is not JSON."""
    url = await idle_harness.start_with_webhooks()
    bomb = gzip.compress(bytes(10_000_000))
    assert (await post(url, bomb, **{"content-encoding": "gzip"})).status_code == 400
    assert (await post(url, gzip.compress(participant_left_body(idle_harness)))).status_code == 400
