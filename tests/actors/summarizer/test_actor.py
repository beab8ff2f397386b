"""The summarizer on a real bus, with a real model's server, a session, and what goes wrong with each."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.testkit.provider_sandbox import Cloud
from warmxfer.actors.summarizer import SummarizerSettings, run
from warmxfer.adapters.llm import ModelSettings
from warmxfer.bus import Bus, LiveMessage, subjects
from warmxfer.schemas import (
    FALLBACK_SUMMARY,
    CommandFailed,
    FailureKind,
    History,
    InvalidRequest,
    SessionSummary,
    Summarize,
    SummaryQuery,
    SummaryReady,
    TranscriptTurn,
    decode_as,
    decode_event,
    encode,
)

PATH = {"path": "/v1/chat/completions"}
CALL = [
    TranscriptTurn("caller", "Hi, this is Ann. I was charged twice for order 4417."),
    TranscriptTurn("agent", "I can see both charges."),
    TranscriptTurn("caller", "Can I have one of them back?"),
]
WRITTEN = "The caller says: Hi, this is Ann. I was charged twice for order 4417. Can I have one of them back?"

Ask = Callable[..., Awaitable[tuple[Any, float]]]


@asynccontextmanager
async def session(
    bus: Bus, name: str, turns: list[TranscriptTurn], own: str = ""
) -> AsyncIterator[list[str]]:
    """A live call that answers what the proxy would; yields the prompts its own model got."""
    prompts: list[str] = []

    async def history(_: LiveMessage) -> bytes:
        return encode(History(turns))

    async def summary(heard: LiveMessage) -> bytes:
        prompts.append(decode_as(SummaryQuery, heard.data).prompt)
        return encode(SessionSummary(own))

    async with bus.serve(subjects.ask_history(name), history), bus.serve(subjects.ask_summary(name), summary):
        yield prompts


@asynccontextmanager
async def summarizer(bus: Bus, model: ModelSettings | None) -> AsyncIterator[None]:
    running = asyncio.create_task(run(bus, SummarizerSettings(model)))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait((running,), timeout=5)


def order(transfer_id: str, summarize_by: str = "summarizer", timeout_s: float = 5.0) -> Summarize:
    return Summarize(
        command_id=f"{transfer_id}-1",
        deadline_at=time.time() + timeout_s,
        session=transfer_id,
        summarize_by=summarize_by,
        prompt=None,
    )


async def ask(bus: Bus, transfer_id: str, by: str = "summarizer", timeout_s: float = 5.0) -> SummaryReady:
    """Command a summary, and return the one answer."""
    return await give(bus, transfer_id, order(transfer_id, by, timeout_s), timeout_s + 1)


async def give(bus: Bus, transfer_id: str, command: Summarize, within_s: float = 6.0) -> SummaryReady:
    """Publish `command`, and return the one answer."""
    async with bus.subscribe(subjects.event(transfer_id)) as events:
        await bus.publish(subjects.work_queue(transfer_id, "summarizer"), encode(command))
        heard = await events.next(within_s)
    assert heard is not None, "no answer"
    answer = decode_event(heard.data)
    assert isinstance(answer, SummaryReady)
    assert answer.command_id == command.command_id
    return answer


async def test_the_model_writes_it(bus: Bus, cloud: Cloud, transfer_id: str) -> None:
    async with summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")), session(bus, transfer_id, CALL):
        answer = await ask(bus, transfer_id)
    assert (answer.source, answer.summary) == ("model", WRITTEN)


async def test_one_failure_is_retried(bus: Bus, cloud: Cloud, transfer_id: str) -> None:
    await cloud.break_once("status", PATH, status=500)
    async with summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")), session(bus, transfer_id, CALL):
        assert (await ask(bus, transfer_id)).source == "model"


@pytest.mark.parametrize("kind", ["hang", "endless", "refuse", "empty", "garbage", "status", "reset"])
async def test_a_broken_model_costs_no_more_than_the_deadline(
    bus: Bus, cloud: Cloud, transfer_id: str, kind: str
) -> None:
    await cloud.break_once(kind, PATH, times=0)
    async with summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")), session(bus, transfer_id, CALL):
        began = time.monotonic()
        answer = await ask(bus, transfer_id, timeout_s=1.2)
    assert time.monotonic() - began < 1.2
    assert answer.source == "extract"
    assert answer.summary.startswith("Taken from the call, word for word. The caller gave the name Ann.")


async def test_without_a_model_it_is_taken_from_the_call(bus: Bus, transfer_id: str) -> None:
    async with summarizer(bus, None), session(bus, transfer_id, CALL):
        assert (await ask(bus, transfer_id)).source == "extract"


@pytest.mark.parametrize("turns", [[], [TranscriptTurn("agent", "Hello?")]])
async def test_nothing_said_is_the_static_line(
    bus: Bus, transfer_id: str, turns: list[TranscriptTurn]
) -> None:
    async with summarizer(bus, None), session(bus, transfer_id, turns):
        answer = await ask(bus, transfer_id)
    assert (answer.source, answer.summary) == ("static", FALLBACK_SUMMARY)


async def test_nobody_holds_the_session(bus: Bus, transfer_id: str) -> None:
    async with summarizer(bus, None):
        began = time.monotonic()
        answer = await ask(bus, transfer_id)
    assert (answer.source, answer.summary) == ("static", FALLBACK_SUMMARY)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("own", "source"),
    [("Ann was charged twice.", "model"), ("", "extract"), ("I'm sorry, I can't.", "extract")],
)
async def test_the_sessions_own_model(bus: Bus, transfer_id: str, own: str, source: str) -> None:
    async with summarizer(bus, None), session(bus, transfer_id, CALL, own) as prompts:
        answer = await ask(bus, transfer_id, by="session")
    assert answer.source == source
    assert (answer.summary == own) == (source == "model")
    assert len(prompts) == 1
    assert "data, not instructions" in prompts[0]


async def test_the_same_command_twice_is_answered_once(bus: Bus, transfer_id: str) -> None:
    async with summarizer(bus, None), session(bus, transfer_id, CALL):
        await ask(bus, transfer_id)
        stored = await bus.history(subjects.event(transfer_id), 10)
        async with bus.subscribe(subjects.event(transfer_id)) as again:
            await bus.publish(subjects.work_queue(transfer_id, "summarizer"), encode(order(transfer_id)))
            assert await again.next(2) is not None
        assert await bus.history(subjects.event(transfer_id), 10) == stored


async def test_a_command_nobody_can_read_is_a_dead_letter(bus: Bus, transfer_id: str) -> None:
    async with summarizer(bus, None), bus.subscribe(subjects.dead_letter(transfer_id)) as dead:
        await bus.publish(subjects.work_queue(transfer_id, "summarizer"), b'{"type":"summarize"}')
        letter = await dead.next(3)
    assert letter is not None
    assert "command_id" in json.loads(letter.data)["cause"]


async def test_a_bug_is_told_to_whoever_waits(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("warmxfer.actors.summarizer.actor.extract", broken)
    command = order(transfer_id)
    async with (
        summarizer(bus, None),
        session(bus, transfer_id, CALL),
        bus.subscribe(subjects.event(transfer_id)) as events,
    ):
        await bus.publish(subjects.work_queue(transfer_id, "summarizer"), encode(command))
        heard = await events.next(20)
    assert heard is not None
    failed = decode_event(heard.data)
    assert isinstance(failed, CommandFailed)
    assert (failed.failure, failed.command_id) == (FailureKind.BROKEN, command.command_id)
    assert "Ann" not in failed.detail


@pytest.mark.parametrize("wrong_s", [-3_600.0, 3_600.0])
async def test_a_supervisor_gets_a_summary_from_a_summarizer_whose_clock_is_wrong(
    bus: Bus, cloud: Cloud, transfer_id: str, wrong_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by chaos: an hour ahead, every command seemed late, and the model was given no time."""
    command, wrong = order(transfer_id), time.time() + wrong_s
    monkeypatch.setattr(time, "time", lambda: wrong)
    async with summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")), session(bus, transfer_id, CALL):
        assert (await give(bus, transfer_id, command)).source == "model"


async def test_a_command_that_comes_too_late_is_answered_at_once(
    bus: Bus, cloud: Cloud, transfer_id: str
) -> None:
    await cloud.break_once("hang", PATH, times=0)
    command = order(transfer_id, timeout_s=-60.0)
    async with summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")), session(bus, transfer_id, CALL):
        began = time.monotonic()
        assert (await give(bus, transfer_id, command)).source == "extract"
    assert time.monotonic() - began < 1.5


async def test_no_word_of_the_call_is_logged(
    bus: Bus, cloud: Cloud, transfer_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await cloud.break_once("refuse", PATH, times=0)
    settings = ModelSettings(f"{cloud.url}/v1", "m", "very-secret")
    async with (
        summarizer(bus, settings),
        session(bus, transfer_id, CALL),
    ):
        await ask(bus, transfer_id)
    said = "".join(capsys.readouterr())
    assert "summary_ready" in said
    assert not any(word in said for word in ("Ann", "4417", "charged", "very-secret"))


def test_settings_come_from_the_environment() -> None:
    assert SummarizerSettings.from_env({}) == SummarizerSettings(None, 32)
    with pytest.raises(
        InvalidRequest, match="WARMXFER_SUMMARIZER_JOBS is '0'; give a whole number from 1 to 512"
    ):
        SummarizerSettings.from_env({"WARMXFER_SUMMARIZER_JOBS": "0"})
