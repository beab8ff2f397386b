"""Decompression in limited pieces: of a bomb, of a small body, of a body that is not what its header says."""

from __future__ import annotations

import ast
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.docs.pages import FOLDERS, ROOT
from warmxfer.adapters.decompression import MAX_WHOLE_BYTES, PIECE_BYTES, decompressed, whole
from warmxfer.bus.archive import MAX_LOG_BYTES, log_of, pack
from warmxfer.bus.errors import InternalError

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


def bomb_of(wbits: int) -> bytes:
    """Return less than 300 kB that decompress to `BOMB_BYTES` zeros."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, wbits)
    bomb = b"".join(compressor.compress(bytes(1_000_000)) for _ in range(BOMB_BYTES // 1_000_000))
    bomb += compressor.flush()
    assert len(bomb) < 300_000
    return bomb


async def test_a_bomb_costs_no_more_than_its_pieces() -> None:
    """Before, a bomb of 200 kB cost the provider's client 204 MB, and the model's 115 MB."""
    bomb = bomb_of(zlib.MAX_WBITS | 16)
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


def response(encoding: str) -> httpx.Response:
    request = httpx.Request("GET", "http://cloud")
    return httpx.Response(200, headers={"content-encoding": encoding, "x-id": "7"}, request=request)


async def test_a_whole_response_is_decompressed_and_has_a_limit() -> None:
    packed = gzip.compress(b'{"a": 1}', mtime=0)
    read = await whole(response("gzip"), decompressed(pieces(packed), "gzip"))
    assert (read.json(), read.headers["x-id"]) == ({"a": 1}, "7")
    assert "content-encoding" not in read.headers
    bomb = bomb_of(zlib.MAX_WBITS | 16)
    tracemalloc.start()
    try:
        with pytest.raises(httpx.DecodingError, match=str(MAX_WHOLE_BYTES)):
            await whole(response("gzip"), decompressed(pieces(bomb), "gzip"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MAX_GROWTH_BYTES


def test_a_bomb_in_the_archive_is_decompressed_up_to_a_limit() -> None:
    record = pack(b"{}", bomb_of(zlib.MAX_WBITS))
    tracemalloc.start()
    try:
        with pytest.raises(InternalError):
            log_of(record)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * MAX_LOG_BYTES < BOMB_BYTES / 5


WHOLE = {"aread", *(f"{prefix}iter_{kind}" for prefix in ("", "a") for kind in ("bytes", "text", "lines"))}
"""Methods of a response of httpx that decompress each piece whole."""


def decompressing_whole(source: str) -> list[str]:
    """Return the calls in `source` that decompress without a limit, and the imports for it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, given = node.func.attr, len(node.args) + len(node.keywords)
            if name in WHOLE or (name == "decompress" and given < 2):
                found.append(ast.unparse(node.func))
        elif isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name in ("gzip", "bz2", "lzma", "zipfile")]
    return found


def test_nothing_is_decompressed_without_a_limit() -> None:
    """httpx, `zlib.decompress` and the rest decompress a piece whole, whatever its size then is."""
    found = {
        path.relative_to(ROOT).as_posix(): calls
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if (calls := decompressing_whole(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source", ["await response.aread()", "zlib.decompressobj().decompress(data)", "import gzip"]
)
def test_a_decompression_without_a_limit_is_found(source: str) -> None:
    assert len(decompressing_whole(source)) == 1
