"""Health probe of a process: `/healthz` while its event loop runs, `/readyz` while it can do its work.

`/metrics` shows the metrics of the process. It implements only the HTTP/1.1 that a kubelet, a compose health
check or Prometheus needs. It is off unless `WARMXFER_HEALTH_PORT` is set.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog

from warmxfer.schemas import InvalidRequest, env_number

from .loop_lag import measured_loop_lag

HOST = "0.0.0.0"
REQUEST_TIMEOUT_S = 2.0
MAX_HEAD_BYTES = 4_096
MAX_CONNECTIONS = 64
"""Further ones are closed at once. Each one ends after `REQUEST_TIMEOUT_S`."""
EXPOSITION = "warmxfer.metrics.exposition"

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
    requested_port = probe_port(env)
    if requested_port is None:
        yield None
        return

    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            if connections > MAX_CONNECTIONS:
                log.debug("probe_connection_refused")
                return
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
                path = path.partition(b"?")[0]
                writer.write(await _metrics() if path == b"/metrics" else _response(path, failing, notes))
                await writer.drain()
        except (TimeoutError, OSError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.debug("probe_request_failed")
        finally:
            connections -= 1
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
        with measured_loop_lag():
            port = server.sockets[0].getsockname()[1]
            log.info("probe_listens", port=port)
            yield port


def probe_port(env: Mapping[str, str]) -> int | None:
    """Return the port that `env` asks for (0: any free one), or None. Raises `InvalidRequest`."""
    if not env.get("WARMXFER_HEALTH_PORT", "").strip():
        return None
    return env_number(env, "WARMXFER_HEALTH_PORT", int, 0, 0, 65_535)


def _response(path: bytes, failing: Callable[[], Sequence[str]], notes: Callable[[], Sequence[str]]) -> bytes:
    if path not in (b"/healthz", b"/readyz"):
        status, body = "404 Not Found", b"not found\n"
    elif path == b"/healthz" or not (sentences := failing()):
        lines = ("ok", *(notes() if path == b"/readyz" else ()))
        status, body = "200 OK", "".join(f"{line}\n" for line in lines).encode()
    else:
        status = "503 Service Unavailable"
        body = "".join(f"{line}\n" for line in ("not ready", *sentences)).encode()
    return _http(status, "text/plain", body)


async def _metrics() -> bytes:
    """Return the response with all metrics. The first call imports prometheus-client, in a thread."""
    module = await asyncio.to_thread(importlib.import_module, EXPOSITION)
    return _http("200 OK", module.CONTENT_TYPE, module.exposition())


def _http(status: str, content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + body
