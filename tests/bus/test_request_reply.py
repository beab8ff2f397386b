"""Request and reply: bounded, with a deadline, and every failure reaches the requester."""

from __future__ import annotations

import asyncio
import contextvars
import secrets
from contextlib import AbstractAsyncContextManager

import pytest
from structlog.testing import capture_logs

from tests.testkit.waiting import until
from warmxfer.bus import (
    Bus,
    Busy,
    InternalError,
    InvalidRequest,
    LiveMessage,
    NoReply,
    RetryableError,
    request_reply,
    subjects,
)


@pytest.fixture
def subject() -> str:
    """The subject of a request that no other test uses."""
    return subjects.ask_history(secrets.token_hex(8))


async def test_a_request_gets_its_reply_and_is_never_stored(bus: Bus, subject: str) -> None:
    async def reply(request: LiveMessage) -> bytes:
        return request.data.upper()

    async with bus.serve(subject, reply):
        assert await bus.request(subject, b"hello", 2) == b"HELLO"
    for stream in subjects.STREAMS:
        assert await bus.history(subject, 1, stream=stream) == []


async def test_without_a_server_a_request_fails_at_once(bus: Bus, subject: str) -> None:
    started = asyncio.get_running_loop().time()
    with pytest.raises(NoReply, match=r"^No process serves"):
        await bus.request(subject, b"", 30)
    assert asyncio.get_running_loop().time() - started < 15


async def test_a_reply_that_is_too_large_is_logged(bus: Bus, subject: str) -> None:
    """Regression: the task of the reply failed, and only the garbage collector reported it."""

    async def reply(_: LiveMessage) -> bytes:
        return bytes(2 * bus._connection.client.max_payload)

    with capture_logs() as logs:
        async with bus.serve(subject, reply):
            with pytest.raises(NoReply):
                await bus.request(subject, b"", 0.2)
            await until(lambda: bool(logs))
    assert [each["event"] for each in logs] == ["reply_send_failed"]


async def test_a_late_reply_raises_no_reply(bus: Bus, subject: str) -> None:
    async def sleep(_: LiveMessage) -> bytes:
        await asyncio.sleep(30)
        return b""

    async with bus.serve(subject, sleep, deadline_s=0.3):
        with pytest.raises(NoReply, match=r"within 0\.1 s"):
            await bus.request(subject, b"", 0.1)
        with pytest.raises(Busy, match=r"no reply within 0\.3 s"):
            await bus.request(subject, b"", 15)


async def test_a_server_that_is_closed_cancels_a_handler_with_a_long_deadline(
    bus: Bus, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_reply, "REPLY_DEADLINE_S", 0.2)
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_: LiveMessage) -> bytes:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    async with bus.serve(subject, hang, deadline_s=60.0):
        requested = asyncio.create_task(bus.request(subject, b"", 5))
        await asyncio.wait_for(begun.wait(), 5)
        closing = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - closing < 30
    await asyncio.wait_for(cancelled.wait(), 5)
    requested.cancel()
    await asyncio.wait({requested})


async def test_a_handler_runs_in_the_context_of_its_server(bus: Bus, subject: str) -> None:
    """Servers share a connection. Before, a handler ran in the context that opened it."""
    session = contextvars.ContextVar("session", default="of the connection")

    async def reply(_: LiveMessage) -> bytes:
        return session.get().encode()

    async def serve(name: str) -> AbstractAsyncContextManager[object]:
        session.set(name)
        return bus.serve(f"{subject}-{name}", reply)

    a, b = [await asyncio.create_task(serve(name)) for name in ("a", "b")]
    async with a, b:
        assert [await bus.request(f"{subject}-{name}", b"", 2) for name in ("a", "b")] == [b"a", b"b"]


@pytest.mark.parametrize(
    ("raised", "expected", "sentence"),
    [
        (InvalidRequest("room is ''; name one"), InvalidRequest, "^room is ''; name one$"),
        (RetryableError("not yet"), Busy, "not yet"),
        (KeyError("+14155550123"), InternalError, "the server failed with KeyError"),
    ],
)
async def test_an_error_of_the_handler_reaches_the_requester(
    bus: Bus, subject: str, raised: Exception, expected: type[Exception], sentence: str
) -> None:
    async def fail(_: LiveMessage) -> bytes:
        raise raised

    with capture_logs() as logs:
        async with bus.serve(subject, fail):
            with pytest.raises(expected, match=sentence) as caught:
                await bus.request(subject, b"", 2)
    assert "+14155550123" not in str(caught.value) + repr(logs)


async def test_one_server_of_a_queue_replies(bus: Bus, subject: str) -> None:
    handled_by: list[int] = []

    def server(number: int):
        async def reply(_: LiveMessage) -> bytes:
            handled_by.append(number)
            return b""

        return reply

    async with bus.serve(subject, server(1), "q"), bus.serve(subject, server(2), "q"):
        for _ in range(20):
            await bus.request(subject, b"", 2)
    assert len(handled_by) == 20


async def test_too_many_concurrent_requests_are_rejected_at_once(bus: Bus, subject: str) -> None:
    gate = asyncio.Event()

    async def wait(_: LiveMessage) -> bytes:
        await gate.wait()
        return b"done"

    async with bus.serve(subject, wait):
        requests = [asyncio.create_task(bus.request(subject, b"", 30)) for _ in range(70)]
        await until(lambda: sum(each.done() for each in requests) >= 6)
        assert sum(each.done() for each in requests) == 6
        gate.set()
        results = await asyncio.gather(*requests, return_exceptions=True)
    assert results.count(b"done") == 64
    rejections = [result for result in results if result != b"done"]
    assert all(isinstance(error, Busy) and "64 requests" in str(error) for error in rejections)
