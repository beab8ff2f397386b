"""The ledger of thousands of calls is one answer of the sandbox, and is read whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from warmxfer.adapters.decompression import MAX_WHOLE_BYTES
from warmxfer.cli.local_stack import sandbox_admin
from warmxfer.cli.local_stack.sandbox_admin import SandboxAdmin
from warmxfer.schemas import RetryableError

ENTRIES = [{"kind": "dial", "callId": f"call-{number}", "more": "." * 1_000} for number in range(2_000)]


@pytest.fixture
async def admin() -> AsyncIterator[SandboxAdmin]:
    """A client of a server that answers every request with `ENTRIES`."""
    body = msgspec.json.encode({"entries": ENTRIES})
    assert len(body) > MAX_WHOLE_BYTES

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        admin = SandboxAdmin(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        yield admin
        await admin.aclose()


async def test_a_large_ledger_is_read_whole(admin: SandboxAdmin) -> None:
    assert await admin.ledger() == ENTRIES


async def test_an_answer_beyond_the_limit_is_refused(
    admin: SandboxAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_admin, "MAX_ANSWER_BYTES", MAX_WHOLE_BYTES)
    with pytest.raises(RetryableError, match="DecodingError"):
        await admin.ledger()
