"""Health probe of a process: `/healthz` while its event loop runs, `/readyz` while it can do its work.

It implements only the HTTP/1.1 that a kubelet or a compose health check needs. It is off unless
`WARMXFER_HEALTH_PORT` is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog

from warmxfer.schemas import InvalidRequest, env_number

HOST = "0.0.0.0"
REQUEST_TIMEOUT_S = 2.0
MAX_HEAD_BYTES = 4_096

log = structlog.get_logger(__name__)


@asynccontextmanager
async def serve_probe(
    env: Mapping[str, str],
    failing: Callable[[], Sequence[str]],
    notes: Callable[[], Sequence[str]] = tuple,
) -> AsyncIterator[int | None]:
    """Serve the probe while the context is open; yield its port, or None if the probe is off.

    `failing` returns one sentence for each thing that keeps the process from its work. `/readyz` shows them.
    `notes` returns one for each thing that holds a ready process up; `/readyz` shows those too.
    `WARMXFER_HEALTH_PORT` 0 takes any free port. `WARMXFER_HEALTH_HOST` is the address; the default is all
    addresses, because a kubelet connects from outside. Raises `InvalidRequest`.
    """
    if not env.get("WARMXFER_HEALTH_PORT", "").strip():
        yield None
        return
    requested_port = env_number(env, "WARMXFER_HEALTH_PORT", int, 0, 0, 65_535)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
                writer.write(_response(path.partition(b"?")[0], failing, notes))
                await writer.drain()
        except (TimeoutError, OSError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.debug("probe_request_failed")
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(
            answer, env.get("WARMXFER_HEALTH_HOST") or HOST, requested_port, limit=MAX_HEAD_BYTES
        )
    except OSError as error:
        raise InvalidRequest(
            f"WARMXFER_HEALTH_PORT is {requested_port}, which cannot be bound ({error.strerror}); "
            "give another port",
            field="WARMXFER_HEALTH_PORT",
        ) from error
    async with server:
        port = server.sockets[0].getsockname()[1]
        log.info("probe_listens", port=port)
        yield port


def _response(path: bytes, failing: Callable[[], Sequence[str]], notes: Callable[[], Sequence[str]]) -> bytes:
    if path not in (b"/healthz", b"/readyz"):
        status, body = "404 Not Found", b"not found\n"
    elif path == b"/healthz" or not (sentences := failing()):
        lines = ("ok", *(notes() if path == b"/readyz" else ()))
        status, body = "200 OK", "".join(f"{line}\n" for line in lines).encode()
    else:
        status = "503 Service Unavailable"
        body = "".join(f"{line}\n" for line in ("not ready", *sentences)).encode()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close"
    )
    return head.encode() + b"\r\n\r\n" + body
