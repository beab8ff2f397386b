"""Decompression in limited pieces: of a bomb, of a small body, of a body that is not what its header says."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from warmxfer.adapters.decompression import PIECE_BYTES, decompressed

BOMB_BYTES = 200_000_000
MAX_GROWTH_BYTES = 4_000_000


async def pieces(*raw: bytes) -> AsyncIterator[bytes]:
    for each in raw:
        yield each


async def body(encoding: str, *raw: bytes) -> bytes:
    return b"".join([each async for each in decompressed(pieces(*raw), encoding)])


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("", b"hello"),
        ("identity", b"hello"),
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("X-GZIP", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
    ],
)
async def test_a_body_is_decompressed(encoding: str, raw: bytes) -> None:
    assert await body(encoding, raw) == b"hello"
    assert await body(encoding, *(bytes([each]) for each in raw)) == b"hello"


async def test_a_large_body_is_whole() -> None:
    text = bytes(range(256)) * 4_000
    assert await body("gzip", gzip.compress(text)) == text


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [("br", b"hello"), ("gzip, gzip", gzip.compress(b"x", mtime=0)), ("gzip", b"hello"), ("zstd", b"")],
)
async def test_another_encoding_is_an_error(encoding: str, raw: bytes) -> None:
    with pytest.raises(httpx.DecodingError):
        await body(encoding, raw)


async def test_a_bomb_costs_no_more_than_its_pieces() -> None:
    """Before, a bomb of 200 kB cost the provider's client 204 MB, and the model's 115 MB."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join(compressor.compress(bytes(1_000_000)) for _ in range(BOMB_BYTES // 1_000_000))
    bomb += compressor.flush()
    assert len(bomb) < 300_000
    tracemalloc.start()
    try:
        size = 0
        async for piece in decompressed(pieces(bomb), "gzip"):
            assert len(piece) <= PIECE_BYTES
            size += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == BOMB_BYTES
    assert peak < MAX_GROWTH_BYTES
