"""Decompresses a response body in pieces of limited size, whatever its compressed pieces would become.

httpx decompresses each piece from the network whole: 64 KB of a gzip bomb become 64 MB before any limit on
the body is checked. We ask servers not to compress. Some do all the same.

Test: `tests/adapters/test_decompression.py`.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final

import httpx

MAX_WHOLE_BYTES: Final = 1_000_000
"""Largest body that is read whole, unless its reader gives another limit."""
PIECE_BYTES: Final = 64 * 1024
"""Largest piece that is yielded."""
_ANY_HEADER: Final = zlib.MAX_WBITS | 32
"""Takes gzip and zlib, by their first bytes."""


async def decompressed(raw: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Yield the body that `raw` has in `encoding`, in pieces of at most `PIECE_BYTES`.

    Raises `httpx.DecodingError` for another encoding than gzip and deflate, and for a body that is not in it.
    """
    words = [word for each in encoding.split(",") if (word := each.strip().lower()) not in ("", "identity")]
    if not words:
        async for piece in raw:
            yield piece
        return
    if len(words) > 1 or words[0] not in ("gzip", "x-gzip", "deflate"):
        raise httpx.DecodingError("The body is compressed in a way that was not asked for")
    decoder = zlib.decompressobj(_ANY_HEADER)
    try:
        async for compressed in raw:
            rest = compressed
            while rest:
                piece = decoder.decompress(rest, PIECE_BYTES)
                rest = decoder.unconsumed_tail
                if piece:
                    yield piece
    except zlib.error as error:
        raise httpx.DecodingError("The body is not compressed as its header says") from error
    if last := decoder.flush(PIECE_BYTES):
        yield last[:PIECE_BYTES]


async def whole(
    response: httpx.Response, body: AsyncIterator[bytes], max_bytes: int = MAX_WHOLE_BYTES
) -> httpx.Response:
    """Return `response` with the content in `body`. Raises `httpx.DecodingError` beyond `max_bytes`.

    `Response.aread` would decompress without a limit.
    """
    content = bytearray()
    async for piece in body:
        content += piece
        if len(content) > max_bytes:
            raise httpx.DecodingError(f"The body has more than {max_bytes} bytes")
    headers = [(name, value) for name, value in response.headers.items() if name not in _OF_TRANSFER]
    return httpx.Response(
        response.status_code, headers=headers, content=bytes(content), request=response.request
    )


_OF_TRANSFER: Final = ("content-encoding", "content-length", "transfer-encoding")
"""Headers about how the body was sent."""
