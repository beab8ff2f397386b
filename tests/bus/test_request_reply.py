"""Request and reply: bounded, with a deadline, and every failure reaches the requester."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from structlog.testing import capture_logs

from warmxfer.bus import (
    Bus,
    InternalError,
    InvalidRequest,
    LiveMessage,
    NoReply,
    RetryableError,
    request_reply,
    subjects,
)


@pytest.fixture
def question() -> str:
    """The subject of a request that no other test uses."""
    return subjects.ask_history(secrets.token_hex(8))


async def test_a_question_is_answered_and_never_stored(bus: Bus, question: str) -> None:
    async def answer(asked: LiveMessage) -> bytes:
        return asked.data.upper()

    async with bus.serve(question, answer):
        assert await bus.request(question, b"hello", 2) == b"HELLO"
    assert await bus.get_last(question) is None


async def test_nobody_there_is_told_at_once(bus: Bus, question: str) -> None:
    started = asyncio.get_running_loop().time()
    with pytest.raises(NoReply, match=r"^No process serves"):
        await bus.request(question, b"", 5)
    assert asyncio.get_running_loop().time() - started < 1


async def test_an_answer_too_late_is_no_answer(
    bus: Bus, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_reply, "REPLY_DEADLINE_S", 0.3)

    async def sleep(_: LiveMessage) -> bytes:
        await asyncio.sleep(30)
        return b""

    async with bus.serve(question, sleep):
        with pytest.raises(NoReply, match=r"within 0\.1 s"):
            await bus.request(question, b"", 0.1)
        with pytest.raises(NoReply, match=r"no reply within 0\.3 s"):
            await bus.request(question, b"", 2)


@pytest.mark.parametrize(
    ("raised", "expected", "sentence"),
    [
        (InvalidRequest("room is ''; name one"), InvalidRequest, "^room is ''; name one$"),
        (RetryableError("not yet"), NoReply, "not yet"),
        (KeyError("+14155550123"), InternalError, "the server failed with KeyError"),
    ],
)
async def test_what_the_answering_side_raises_reaches_the_asker(
    bus: Bus, question: str, raised: Exception, expected: type[Exception], sentence: str
) -> None:
    async def fail(_: LiveMessage) -> bytes:
        raise raised

    with capture_logs() as logs:
        async with bus.serve(question, fail):
            with pytest.raises(expected, match=sentence) as caught:
                await bus.request(question, b"", 2)
    assert "+14155550123" not in str(caught.value) + repr(logs)


async def test_of_the_servers_in_a_queue_one_answers(bus: Bus, question: str) -> None:
    asked: list[int] = []

    def server(number: int):
        async def answer(_: LiveMessage) -> bytes:
            asked.append(number)
            return b""

        return answer

    async with bus.serve(question, server(1), "q"), bus.serve(question, server(2), "q"):
        for _ in range(20):
            await bus.request(question, b"", 2)
    assert len(asked) == 20


async def test_too_many_questions_at_once_are_turned_away_at_once(bus: Bus, question: str) -> None:
    gate = asyncio.Event()

    async def wait(_: LiveMessage) -> bytes:
        await gate.wait()
        return b"done"

    async with bus.serve(question, wait):
        asking = [asyncio.create_task(bus.request(question, b"", 5)) for _ in range(70)]
        turned_away, _ = await asyncio.wait(asking, timeout=0.5)
        assert len(turned_away) == 6
        gate.set()
        results = await asyncio.gather(*asking, return_exceptions=True)
    assert results.count(b"done") == 64
    refusals = [result for result in results if result != b"done"]
    assert all(isinstance(one, NoReply) and "64 requests" in str(one) for one in refusals)
