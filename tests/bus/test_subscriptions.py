"""Hearing live, asking and answering: bounded, and never silent about what was lost."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from structlog.testing import capture_logs

from tests.testkit.nats_server import restart
from warmxfer.bus import (
    Bus,
    EmbeddedServer,
    InternalError,
    InvalidRequest,
    LiveMessage,
    NoReply,
    Outgoing,
    RetryableError,
    subjects,
    subscriptions,
)


@pytest.fixture
def question() -> str:
    """A subject for a question no other test asks."""
    return subjects.ask_history(secrets.token_hex(8))


async def test_what_is_published_is_heard_in_order(bus: Bus, transfer_id: str) -> None:
    async with bus.subscribe(subjects.phase(transfer_id)) as heard:
        await bus.publish_all([Outgoing(subjects.phase(transfer_id), b"%d" % n) for n in range(50)])
        messages = [await heard.next(2) for _ in range(50)]
        assert await heard.next(0.05) is None
    assert messages == [LiveMessage(subjects.phase(transfer_id), b"%d" % n) for n in range(50)]


async def test_a_wildcard_hears_every_transfer_of_a_session(bus: Bus) -> None:
    session = f"s-{secrets.token_hex(4)}"
    async with bus.subscribe(subjects.any_primary(session)) as heard:
        await bus.publish(subjects.primary("a", session), b"1")
        await bus.publish(subjects.primary("b", session), b"2")
        await bus.publish(subjects.primary("a", "other"), b"3")
        assert await heard.next(2) == LiveMessage(subjects.primary("a", session), b"1")
        assert await heard.next(2) == LiveMessage(subjects.primary("b", session), b"2")
        assert await heard.next(0.05) is None
    newest = await bus.get_last(subjects.any_primary(session))
    assert newest is not None
    assert newest.data == b"2"


@pytest.mark.parametrize("max_pending", [1, 4])
async def test_a_slow_reader_is_told_what_it_lost(
    bus: Bus, transfer_id: str, max_pending: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MAX_PENDING", max_pending)
    subject = subjects.phase(transfer_id)
    with capture_logs() as logs:
        async with bus.subscribe(subject) as heard:
            await bus.publish_all([Outgoing(subject, b"%d" % n) for n in range(10)])
            await asyncio.sleep(0.1)
            messages = [await heard.next(1) for _ in range(max_pending)]
    kept = list(range(10 - max_pending, 10))
    assert [m.data for m in messages if m] == [b"%d" % n for n in kept]
    assert [m.lost for m in messages if m] == [10 - max_pending] + [0] * (max_pending - 1)
    assert [entry["event"] for entry in logs].count("listener_too_slow") >= 1


async def test_a_listener_hears_again_after_a_killed_broker(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    async with fresh_bus.subscribe(subjects.phase(transfer_id)) as heard:
        await restart(fresh_server, kill=True)
        await fresh_bus.publish(subjects.phase(transfer_id), b"back", deadline_s=10)
        assert await heard.next(2) == LiveMessage(subjects.phase(transfer_id), b"back")


async def test_a_question_is_answered_and_never_stored(bus: Bus, question: str) -> None:
    async def answer(asked: LiveMessage) -> bytes:
        return asked.data.upper()

    async with bus.serve(question, answer):
        assert await bus.request(question, b"hello", 2) == b"HELLO"
    assert await bus.get_last(question) is None


async def test_nobody_there_is_told_at_once(bus: Bus, question: str) -> None:
    started = asyncio.get_running_loop().time()
    with pytest.raises(NoReply, match=r"^Nobody listens on"):
        await bus.request(question, b"", 5)
    assert asyncio.get_running_loop().time() - started < 1


async def test_an_answer_too_late_is_no_answer(
    bus: Bus, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "REPLY_DEADLINE_S", 0.3)

    async def sleep(_: LiveMessage) -> bytes:
        await asyncio.sleep(30)
        return b""

    async with bus.serve(question, sleep):
        with pytest.raises(NoReply, match=r"within 0\.1 s"):
            await bus.request(question, b"", 0.1)
        with pytest.raises(NoReply, match=r"no answer within 0\.3 s"):
            await bus.request(question, b"", 2)


@pytest.mark.parametrize(
    ("raised", "expected", "sentence"),
    [
        (InvalidRequest("room is ''; name one"), InvalidRequest, "^room is ''; name one$"),
        (RetryableError("not yet"), NoReply, "not yet"),
        (KeyError("+14155550123"), InternalError, "the answering side failed with KeyError"),
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
    assert all(isinstance(one, NoReply) and "64 questions" in str(one) for one in refusals)
