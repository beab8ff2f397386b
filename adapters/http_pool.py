"""Pool of HTTP connections in which no request is ever cancelled.

httpcore loses a connection when a task is cancelled inside its pool: while the request waits for a
connection, connects, or closes its response. Lost connections add up until no request can be sent. So each
request runs in a task of the pool's own, and only httpx's timeouts end it. A caller who stops waiting
abandons the request.

- Invariant: a caller's cancellation or deadline never reaches httpx.
- Invariant: no request is sent after its deadline, or after its caller stopped waiting.
- Invariant: a client that gives no connection is replaced, and is closed once its requests ended.

Tests: `tests/adapters/test_http_pool.py`, `tests/adapters/test_late_answers.py`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final, TypeVar

import httpx
import structlog

from warmxfer.metrics import Gauge, Label

from .decompression import decompressed

ABANDONED_S: Final = 10.0
"""Maximum time that an abandoned request may take to end. A server that sends its headers byte by byte never
meets a read timeout; closing the whole client ends such a request.
"""
STALLED_S: Final = 0.25
"""Time after which a client whose requests are all abandoned is replaced, if a caller waits for a connection.
Usually such requests end at once.
"""
CLOSE_S: Final = 0.5
"""Maximum time that the requests of a closed client may take to end."""
MAX_RETIRED: Final = 3
"""Maximum number of replaced clients that still wait for their requests. So at most four times
`max_connections` requests run, abandoned ones included.
"""
PROBE_S: Final = 2.0
"""Deadline of the request that finds out whether connections can be gained again."""

T = TypeVar("T")
Read = Callable[[httpx.Response, AsyncIterator[bytes]], Awaitable[T]]
"""Makes the result from a response and the pieces of its body."""
NOT_SENT: Final = (httpx.PoolTimeout, httpx.ConnectError, httpx.ConnectTimeout)
"""Errors of a request that was not sent and never will be. After other errors it may have been sent."""

POOL = Label("pool", ("provider", "model"))
BUSY = Gauge("warmxfer_http_connections_busy", "Connections of a pool that a request uses.", POOL)
LIMIT = Gauge("warmxfer_http_connections_limit", "Most connections that a pool may have.", POOL)

log = structlog.get_logger(__name__)


class HttpPool:
    """At most `max_connections` connections. `options` are those of `httpx.AsyncClient`.

    `name` is its label in the metrics.

    Callers wait for a connection here, not in httpx: so httpx always has a free one, unless it lost some.
    """

    def __init__(
        self, *, max_connections: int, keep_alive_s: float = 5.0, name: str = "", **options: Any
    ) -> None:
        if "verify" not in options:
            # Made once: it takes tens of milliseconds, and a client is replaced while callers wait.
            options["verify"] = httpx.create_ssl_context()
        limits = httpx.Limits(
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=keep_alive_s,
        )
        # Plain HTTP is for this machine and its own network: a proxy of the environment must not read it.
        self._options = {**options, "limits": limits, "mounts": {"http://": None}}
        self._free = asyncio.Semaphore(max_connections)
        """Connections of the current client that no request uses."""
        self._client = self._open()
        self._retired: dict[_Client, asyncio.Task[None]] = {}
        self._probe: asyncio.Task[None] | None = None
        self._gains_connections = True
        self._closed = False
        self._remove_gauges = [
            BUSY.read_from(lambda: {(name,): self.busy}),
            LIMIT.read_from(lambda: {(name,): max_connections}),
        ]

    async def __aenter__(self) -> HttpPool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def busy(self) -> int:
        """How many requests run, abandoned ones included."""
        return sum(client.running for client in (self._client, *self._retired))

    @property
    def abandoned(self) -> int:
        """How many requests still run although their callers stopped waiting."""
        return sum(client.count_abandoned() for client in (self._client, *self._retired))

    def gains_connections(self, probe_url: str) -> bool:
        """Return whether the last request gained a connection. True before the first request.

        If it is false, starts a request to `probe_url`, so that a later call returns true once it can be.
        """
        idle = self._probe is None or self._probe.done()
        if not self._gains_connections and idle and not self._closed:
            self._probe = asyncio.get_running_loop().create_task(self._send_probe(probe_url))
        return self._gains_connections

    async def send(
        self,
        method: str,
        url: str,
        read: Read[T],
        *,
        deadline_s: float,
        connect_s: float | None = None,
        **options: Any,
    ) -> T:
        """Send a request and return what `read` makes of its response.

        After `deadline_s`, and if this call is cancelled, the request is abandoned: it ends by httpx's
        timeouts. It may wait half of the time for a free connection, and `connect_s` for a new one to open.
        `options` are those of `httpx.AsyncClient.build_request`.

        Raises an error of `NOT_SENT`, another `httpx.HTTPError`, or what `read` raises.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        await self._take_connection(deadline_s / 2)
        client, left_s = self._client, deadline - loop.time()
        exchange = _Exchange(self._on_sent, deadline)
        connect_s = left_s if connect_s is None else min(connect_s, left_s)
        options["extensions"] = exchange.extensions(httpx.Timeout(connect_s, pool=left_s / 2))
        work = exchange.run(client.http, read, {"method": method, "url": url, **options})
        task = client.start(exchange, work)
        try:
            await asyncio.wait({task}, timeout=left_s)
            if task.done() and not task.cancelled():
                return task.result()
        except NOT_SENT as error:
            self._gains_connections = False
            if isinstance(error, httpx.PoolTimeout):
                self._replace(client, "no connection gained")
            raise
        finally:
            if not task.done():
                self._abandon(client, exchange, task)
        if exchange.sent:
            raise httpx.ReadTimeout("No complete response before the deadline, or before the pool was closed")
        self._gains_connections = False
        raise httpx.ConnectTimeout("Not sent before the deadline")

    async def aclose(self) -> None:
        """Close all connections. Requests that still run end with an error."""
        self._closed = True
        while self._remove_gauges:
            self._remove_gauges.pop()()
        closing = list(self._retired.values())
        await asyncio.gather(*(client.close() for client in (self._client, *self._retired)))
        await asyncio.gather(*closing, *([self._probe] if self._probe else []))

    async def _take_connection(self, within_s: float) -> None:
        """Wait until a connection is free, and take it. Raises `httpx.PoolTimeout`."""
        try:
            async with asyncio.timeout(within_s):
                if not await _acquired(self._free, STALLED_S):
                    if self._client.all_abandoned:
                        self._replace(self._client, "all connections abandoned")
                    await self._free.acquire()
        except TimeoutError:
            self._gains_connections = False
            if self._client.count_abandoned():
                self._replace(self._client, "connections abandoned")
            raise httpx.PoolTimeout("No connection was free in time") from None
        if self._closed:
            self._free.release()
            raise httpx.PoolTimeout("The pool is closed")

    def _on_sent(self) -> None:
        self._gains_connections = True

    def _abandon(self, client: _Client, exchange: _Exchange, task: asyncio.Task[Any]) -> None:
        exchange.abandoned = True
        too_late = asyncio.get_running_loop().call_later(
            ABANDONED_S, self._replace, client, "an abandoned request does not end"
        )
        task.add_done_callback(lambda _: too_late.cancel())

    def _replace(self, client: _Client, why: str) -> None:
        """Open a new client in place of this one, unless that was done, or `MAX_RETIRED` still close."""
        if client is not self._client or self._closed or len(self._retired) >= MAX_RETIRED:
            return
        log.warning("http_pool_replaced", cause=why, abandoned=client.count_abandoned())
        self._client = self._open()
        client.retire()
        closing = asyncio.get_running_loop().create_task(client.close_once_ended())
        self._retired[client] = closing
        closing.add_done_callback(lambda _: self._retired.pop(client, None))

    def _open(self) -> _Client:
        http = httpx.AsyncClient(**self._options)
        http.headers["accept-encoding"] = "identity"
        return _Client(http, self._free)

    async def _send_probe(self, url: str) -> None:
        async def nothing(response: httpx.Response, body: AsyncIterator[bytes]) -> None:
            """Any response will do."""

        try:
            await self.send("HEAD", url, nothing, deadline_s=PROBE_S)
        except httpx.HTTPError as error:
            log.info("connection_probe_failed", error=type(error).__name__)


async def _acquired(semaphore: asyncio.Semaphore, within_s: float) -> bool:
    """Acquire the semaphore. Returns false if that takes longer than `within_s`."""
    try:
        async with asyncio.timeout(within_s):
            return await semaphore.acquire()
    except TimeoutError:
        return False


class _Exchange:
    """One request and its response, in a task of its own."""

    def __init__(self, on_sent: Callable[[], None], deadline: float) -> None:
        self.deadline = deadline
        self.sent = False
        """Its first byte may have been sent."""
        self.abandoned = False
        """Its caller stopped waiting."""
        self._on_sent = on_sent
        self._timeouts: dict[str, float | None] = {}

    def extensions(self, timeout: httpx.Timeout) -> dict[str, Any]:
        """Return the extensions of the httpx request; https://www.python-httpx.org/advanced/extensions."""
        self._timeouts = timeout.as_dict()
        return {"trace": self._on_event, "timeout": self._timeouts}

    async def run(self, http: httpx.AsyncClient, read: Read[T], request: dict[str, Any]) -> T:
        """Send the request and read its response.

        httpcore lets an error of a connection through that TLS notices after its handshake.
        """
        try:
            response = await http.send(http.build_request(**request), stream=True)
            try:
                return await read(response, self._body(response))
            finally:
                await response.aclose()
        except (ssl.SSLError, ConnectionError) as error:
            broken = httpx.ReadError if self.sent else httpx.ConnectError
            raise broken(f"The connection failed ({type(error).__name__})") from error

    async def _on_event(self, event: str, info: dict[str, Any]) -> None:
        """Follow the request through httpcore.

        Raises `httpx.ConnectTimeout` right before the first byte is sent, if it would be sent too late.
        """
        left_s = self.deadline - asyncio.get_running_loop().time()
        if event.endswith("send_request_headers.started"):
            if self.abandoned or left_s <= 0:
                raise httpx.ConnectTimeout("A connection was opened too late")
            self.sent = True
            self._on_sent()
        # Each step has the time that is left, so that an abandoned request soon gives up its connection.
        self._timeouts["read"] = self._timeouts["write"] = max(left_s, 0.0)

    async def _body(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """Yield the body, decompressed. Raises `httpx.ReadTimeout` once the request was abandoned."""
        encoding = response.headers.get("content-encoding", "")
        async for piece in decompressed(response.aiter_raw(), encoding):
            if self.abandoned:
                raise httpx.ReadTimeout("The caller stopped waiting")
            yield piece


class _Client:
    """One `httpx.AsyncClient` with the tasks of its requests. `free` counts the free connections."""

    def __init__(self, http: httpx.AsyncClient, free: asyncio.Semaphore) -> None:
        self.http = http
        self._free = free
        self._running: dict[asyncio.Task[Any], _Exchange] = {}
        self._retired = False

    def start(self, exchange: _Exchange, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in a task of its own. Its connection was taken, and is free once it ends."""
        task = asyncio.get_running_loop().create_task(work, name="http_request")
        self._running[task] = exchange
        task.add_done_callback(self._on_end)
        return task

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def all_abandoned(self) -> bool:
        return self.count_abandoned() == len(self._running)

    def count_abandoned(self) -> int:
        return sum(exchange.abandoned for exchange in self._running.values())

    def retire(self) -> None:
        """Stop counting the connections of this client, because it was replaced."""
        self._retired = True
        for _ in self._running:
            self._free.release()

    async def close_once_ended(self) -> None:
        """Close the client once its requests ended, `ABANDONED_S` after their last deadline at the latest."""
        now = asyncio.get_running_loop().time()
        last = max((exchange.deadline for exchange in self._running.values()), default=now)
        await self._wait(max(last - now, 0.0) + ABANDONED_S)
        await self.close()

    async def close(self) -> None:
        """Close all connections, which ends the requests."""
        for exchange in self._running.values():
            exchange.abandoned = True
        await self.http.aclose()
        await self._wait(CLOSE_S)
        # No request will use this pool, so a cancellation cannot take a connection from it.
        for task in self._running:
            task.cancel()
        await self._wait(CLOSE_S)

    async def _wait(self, timeout_s: float) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)

    def _on_end(self, task: asyncio.Task[Any]) -> None:
        exchange = self._running.pop(task)
        if not self._retired:
            self._free.release()
        # Reading the error also keeps asyncio from reporting it, when no caller waits for it any more.
        if not task.cancelled() and (error := task.exception()) and exchange.abandoned:
            log.debug("abandoned_request_failed", error=type(error).__name__)
