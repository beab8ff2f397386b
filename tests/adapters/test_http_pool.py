"""The pool of HTTP connections: no cancellation reaches httpx, and a stalled client is replaced."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.testkit.slow_server import HEAD, SlowServer, open_descriptors, slow_server
from tests.testkit.waiting import until
from warmxfer.adapters import http_pool
from warmxfer.adapters.http_pool import HttpPool

CONNECTIONS = 4
LONG_S = 60.0
"""A deadline, or the delay of a server, that no test reaches."""


@pytest_asyncio.fixture
async def server() -> AsyncIterator[SlowServer]:
    async with slow_server() as server:
        yield server


@pytest_asyncio.fixture
async def pool(server: SlowServer) -> AsyncIterator[HttpPool]:
    async with HttpPool(max_connections=CONNECTIONS, base_url=server.url) as pool:
        yield pool


async def read_body(response: httpx.Response, body: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in body])


async def send(pool: HttpPool, deadline_s: float = LONG_S) -> bytes:
    return await pool.send("POST", "/", read_body, deadline_s=deadline_s, json={})


async def all_connections_work(pool: HttpPool, server: SlowServer) -> bool:
    """Return whether as many requests as there are connections reach the server at the same time."""
    before = server.received
    server.hold()
    sending = [asyncio.create_task(send(pool)) for _ in range(CONNECTIONS)]
    try:
        await until(lambda: server.received == before + CONNECTIONS, within_s=5)
    except TimeoutError:
        return False
    finally:
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
    return True


class BrokenTls(httpx.AsyncByteStream):
    """A body in which TLS finds a record that it cannot decrypt. httpcore raises such an error as it is."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        raise ssl.SSLError("decryption failed or bad record mac")


async def test_an_error_of_tls_after_the_handshake_is_one_of_httpx() -> None:
    """Regression: it crossed every border, and one of them ended the gateway."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=BrokenTls()))
    async with HttpPool(max_connections=1, base_url="https://provider", transport=transport) as pool:
        with pytest.raises(httpx.HTTPError, match="The connection failed"):
            await send(pool)


# ── callers who stop waiting ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("steps", range(12))
async def test_callers_cancelled_at_any_step_cost_no_connection(
    pool: HttpPool, server: SlowServer, steps: int
) -> None:
    """Each caller is cancelled after `steps` turns of the loop: it waits, connects, sends or reads then."""
    client = pool._client
    for _ in range(3):
        callers = [asyncio.create_task(send(pool, 1.0)) for _ in range(3 * CONNECTIONS)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await until(lambda: pool.abandoned == 0)
    assert await all_connections_work(pool, server)
    assert pool._client is client, "no connection was lost, so the client was not replaced"


@pytest.mark.parametrize("waiting", [True, False], ids=["waits for a connection", "connects"])
async def test_a_request_whose_caller_was_cancelled_is_not_sent_any_more(
    pool: HttpPool, server: SlowServer, waiting: bool
) -> None:
    """A dial that is sent after its command was given up would ring a phone for no transfer."""
    server.hold()
    first = [asyncio.create_task(send(pool)) for _ in range(CONNECTIONS * waiting)]
    await until(lambda: server.received == len(first))
    cancelled = [asyncio.create_task(send(pool)) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0)
    for caller in cancelled:
        caller.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
    server.release()
    assert await asyncio.gather(*first) == [b"{}"] * len(first)
    await until(lambda: pool.abandoned == 0)
    assert server.received == len(first)


async def test_a_request_is_not_sent_after_its_deadline(pool: HttpPool, server: SlowServer) -> None:
    """A process that was stopped for a while may find its deadline passed."""
    sending = asyncio.create_task(send(pool, 0.2))
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251
    with pytest.raises(http_pool.NOT_SENT):
        await sending
    await until(lambda: pool.abandoned == 0)
    assert server.received == 0
    assert await send(pool) == b"{}"


@pytest.mark.parametrize("steps", range(1, 12))
async def test_a_request_on_an_open_connection_is_not_sent_after_its_deadline(
    pool: HttpPool, server: SlowServer, steps: int
) -> None:
    """The process is stopped after `steps` turns of the loop, and its request may go on before its caller."""
    assert await send(pool) == b"{}"
    loop, sent_at = asyncio.get_running_loop(), list[float]()
    pool._on_sent = lambda: sent_at.append(loop.time())  # type: ignore[method-assign]
    sending = asyncio.create_task(send(pool, 0.2))
    for _ in range(steps):
        await asyncio.sleep(0)
    deadline = loop.time() + 0.2
    time.sleep(0.3)  # noqa: ASYNC251
    (outcome,) = await asyncio.gather(sending, return_exceptions=True)
    assert all(at <= deadline for at in sent_at)
    assert sent_at or isinstance(outcome, http_pool.NOT_SENT)


async def test_a_request_that_may_have_been_sent_is_not_called_unsent(
    pool: HttpPool, server: SlowServer
) -> None:
    server.hold()
    with pytest.raises(httpx.ReadTimeout):
        await send(pool, 2.0)
    assert server.received == 1


async def test_a_late_answer_gives_its_connection_back(pool: HttpPool, server: SlowServer) -> None:
    server.hold()
    for _ in range(3):
        answers = await asyncio.gather(*(send(pool, 0.1) for _ in range(CONNECTIONS)), return_exceptions=True)
        assert {type(answer) for answer in answers} <= {httpx.ReadTimeout, httpx.PoolTimeout}
    await until(lambda: pool.abandoned == 0)
    server.release()
    assert await send(pool) == b"{}"


async def test_a_body_that_stops_gives_its_connection_back_at_the_deadline(
    pool: HttpPool, server: SlowServer
) -> None:
    """Each step of a request has the time that is left, not the whole time again."""
    server.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
    server.delay_s = lambda: 1.4
    with pytest.raises(httpx.ReadTimeout):
        await send(pool, 2.0)
    await until(lambda: pool.abandoned == 0, within_s=1.0)


async def test_a_body_that_drips_ends_with_its_caller(pool: HttpPool, server: SlowServer) -> None:
    server.answer = HEAD + b"1\r\nx\r\n" * 1_000
    before = open_descriptors()
    server.drip_s = 0.01
    with pytest.raises(httpx.ReadTimeout):
        await send(pool, 1.5)
    await until(lambda: pool.abandoned == 0, within_s=2)
    await until(lambda: open_descriptors() <= before)


# ── stalled clients ──────────────────────────────────────────────────────────────────────────────


async def test_a_client_without_a_free_connection_is_replaced(pool: HttpPool, server: SlowServer) -> None:
    """Its connections are lost: here, requests that the pool does not know of hold them."""
    lost = pool._client.http
    server.hold()
    holding = [asyncio.create_task(lost.get("/", timeout=LONG_S)) for _ in range(CONNECTIONS)]
    await until(lambda: server.received == CONNECTIONS)
    with pytest.raises(httpx.PoolTimeout):
        await send(pool, 0.2)
    assert not pool._gains_connections
    server.release()
    assert await send(pool) == b"{}"
    assert pool.gains_connections("/")
    await until(lambda: lost.is_closed)
    await asyncio.gather(*holding, return_exceptions=True)


async def test_a_client_whose_connections_are_all_abandoned_is_replaced(
    pool: HttpPool, server: SlowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is replaced because a caller waits, not because its requests do not end."""
    monkeypatch.setattr(http_pool, "ABANDONED_S", LONG_S)
    stalled = pool._client.http
    server.hold()
    callers = [asyncio.create_task(send(pool)) for _ in range(CONNECTIONS)]
    await until(lambda: server.received == CONNECTIONS)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    answer = asyncio.create_task(send(pool))
    await until(lambda: server.received == CONNECTIONS + 1)
    assert pool._client.http is not stalled
    server.release()
    assert await answer == b"{}"


async def test_a_replaced_client_is_closed_once_its_requests_have_ended(
    pool: HttpPool, server: SlowServer
) -> None:
    before = open_descriptors()
    old = pool._client
    server.hold()
    live = asyncio.create_task(send(pool))
    await until(lambda: server.received == 1)
    pool._replace(old, "a test")
    new = asyncio.create_task(send(pool))
    await until(lambda: server.received == 2)
    assert not old.http.is_closed, "a caller still waits for its answer"
    server.release()
    assert await new == b"{}"
    assert await live == b"{}"
    await until(lambda: old.http.is_closed)
    await pool.aclose()
    await until(lambda: open_descriptors() <= before)


async def test_a_busy_client_is_not_replaced(pool: HttpPool, server: SlowServer) -> None:
    server.hold()
    client = pool._client
    callers = [asyncio.create_task(send(pool)) for _ in range(CONNECTIONS)]
    await until(lambda: server.received == CONNECTIONS)
    with pytest.raises(httpx.PoolTimeout):
        await send(pool, 0.2)
    assert pool._client is client
    server.release()
    assert await asyncio.gather(*callers) == [b"{}"] * CONNECTIONS


async def test_an_abandoned_request_that_does_not_end_is_closed(
    pool: HttpPool, server: SlowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers that come byte by byte never meet a read timeout."""
    monkeypatch.setattr(http_pool, "ABANDONED_S", 0.3)
    server.answer = b"HTTP/1.1 200 OK\r\n" + b"x-header: x\r\n" * 1_000
    server.drip_s = 0.02
    with pytest.raises(httpx.ReadTimeout):
        await send(pool, 0.5)
    await until(lambda: pool.abandoned == 0 and server.open == 0)


async def test_abandoned_requests_have_a_limit(pool: HttpPool, server: SlowServer) -> None:
    """More are refused before they are sent, until some of the abandoned ones have ended."""
    server.hold()
    limit = CONNECTIONS * (1 + http_pool.MAX_RETIRED)
    while pool.abandoned < limit:
        before = server.received
        callers = [asyncio.create_task(send(pool)) for _ in range(CONNECTIONS)]
        await until(lambda before=before: server.received == before + CONNECTIONS)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    with pytest.raises(httpx.PoolTimeout):
        await send(pool, 1.0)
    assert server.received == limit
    server.release()
    await until(lambda: pool.abandoned < limit)
    assert await send(pool) == b"{}"


# ── the end, and readiness ───────────────────────────────────────────────────────────────────────


async def test_closing_ends_every_request_and_frees_every_descriptor(server: SlowServer) -> None:
    before = open_descriptors()
    server.hold()
    pool = HttpPool(max_connections=CONNECTIONS, base_url=server.url)
    callers = [asyncio.create_task(send(pool)) for _ in range(2 * CONNECTIONS)]
    await until(lambda: server.received == CONNECTIONS)
    await pool.aclose()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(answer, httpx.HTTPError) for answer in answers)
    assert (pool.abandoned, server.received) == (0, CONNECTIONS)
    await until(lambda: open_descriptors() <= before)
    with pytest.raises(httpx.PoolTimeout, match="closed"):
        await send(pool)


async def test_closing_cancels_no_caller(pool: HttpPool, server: SlowServer) -> None:
    """A request that does not end with its connection is cancelled. Its caller is not."""
    reading = asyncio.Event()

    async def read_for_ever(response: httpx.Response, body: AsyncIterator[bytes]) -> None:
        reading.set()
        await asyncio.sleep(LONG_S)

    caller = asyncio.create_task(pool.send("GET", "/", read_for_ever, deadline_s=LONG_S))
    await reading.wait()
    await pool.aclose()
    with pytest.raises(httpx.ReadTimeout):
        await caller


async def test_it_notices_by_itself_that_connections_can_be_opened_again() -> None:
    async with slow_server() as gone:
        port = int(gone.url.rpartition(":")[2])
    async with HttpPool(max_connections=CONNECTIONS, base_url=f"http://127.0.0.1:{port}") as pool:
        assert pool.gains_connections("/"), "no request has failed yet"
        with pytest.raises(httpx.ConnectError):
            await send(pool)
        assert not pool.gains_connections("/")
        await asyncio.sleep(0.1)
        assert not pool.gains_connections("/")
        async with slow_server(port):
            await until(lambda: pool.gains_connections("/"))
