"""The summarizer on a real bus, with a model server and a session, and the failures of each."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.testkit.provider_sandbox import Cloud
from tests.testkit.sent_log import store_in_log
from warmxfer.actors.summarizer import SummarizerSettings, actor, run, writer
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

SOON_S = 15.0
CHAT_COMPLETIONS = {"path": "/v1/chat/completions"}
TURNS = [
    TranscriptTurn("caller", "Hi, this is Ann. I was charged twice for order 4417."),
    TranscriptTurn("agent", "I can see both charges."),
    TranscriptTurn("caller", "Can I have one of them back?"),
]
MODEL_SUMMARY = (
    "The caller says: Hi, this is Ann. I was charged twice for order 4417. Can I have one of them back?"
)


def allow_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a model be silent for longer than a test lasts."""
    for limit in ("MIN_SILENCE_S", "MAX_SILENCE_S"):
        monkeypatch.setattr(f"warmxfer.adapters.llm.openai.{limit}", 60.0)


@asynccontextmanager
async def session(
    bus: Bus, name: str, turns: list[TranscriptTurn], session_summary: str = ""
) -> AsyncIterator[list[str]]:
    """Serve the history and summary queries of a session; yields the prompts that it received."""
    prompts: list[str] = []

    async def history(_: LiveMessage) -> bytes:
        return encode(History(turns))

    async def summary(message: LiveMessage) -> bytes:
        prompts.append(decode_as(SummaryQuery, message.data).prompt)
        return encode(SessionSummary(session_summary))

    async with bus.serve(subjects.ask_history(name), history), bus.serve(subjects.ask_summary(name), summary):
        yield prompts


@asynccontextmanager
async def running_summarizer(bus: Bus, model: ModelSettings | None) -> AsyncIterator[None]:
    task = asyncio.create_task(run(bus, SummarizerSettings(model)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,), timeout=5)


def summarize_command(
    transfer_id: str, summarize_by: str = "summarizer", timeout_s: float = 5.0
) -> Summarize:
    return Summarize(
        command_id=f"{transfer_id}-1",
        deadline_at=time.time() + timeout_s,
        session=transfer_id,
        summarize_by=summarize_by,
        prompt=None,
    )


async def request_summary(
    bus: Bus, transfer_id: str, summarize_by: str = "summarizer", timeout_s: float = 5.0
) -> SummaryReady:
    """Request a summary, and return the reply."""
    return await publish_and_wait(
        bus, transfer_id, summarize_command(transfer_id, summarize_by, timeout_s), timeout_s + 1
    )


async def publish_and_wait(
    bus: Bus, transfer_id: str, command: Summarize, within_s: float = 20.0
) -> SummaryReady:
    """Publish `command`, and return the reply."""
    async with bus.subscribe(subjects.event(transfer_id, "summarizer")) as events:
        await store_in_log(bus, transfer_id, command)
        await bus.publish(subjects.work_queue(transfer_id, "summarizer"), encode(command))
        message = await events.next(within_s)
    assert message is not None, "no answer"
    reply = decode_event(message.data)
    assert isinstance(reply, SummaryReady)
    assert reply.command_id == command.command_id
    return reply


async def test_the_model_writes_the_summary(bus: Bus, cloud: Cloud, transfer_id: str) -> None:
    async with (
        running_summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")),
        session(bus, transfer_id, TURNS),
    ):
        reply = await request_summary(bus, transfer_id)
    assert (reply.source, reply.summary) == ("model", MODEL_SUMMARY)


async def test_one_failure_of_the_model_is_retried(bus: Bus, cloud: Cloud, transfer_id: str) -> None:
    await cloud.break_once("status", CHAT_COMPLETIONS, status=500)
    async with (
        running_summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")),
        session(bus, transfer_id, TURNS),
    ):
        assert (await request_summary(bus, transfer_id)).source == "model"


@pytest.mark.parametrize("kind", ["hang", "endless", "refuse", "empty", "garbage", "status", "reset"])
async def test_a_failing_model_does_not_delay_the_summary(
    bus: Bus, cloud: Cloud, transfer_id: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model has 2 s of the 30 s, and its silence alone does not end a request."""
    monkeypatch.setattr(writer, "FALLBACK_MARGIN_S", 28.0)
    monkeypatch.setattr(writer, "MAX_MARGIN_SHARE", 1.0)
    allow_silence(monkeypatch)
    await cloud.break_once(kind, CHAT_COMPLETIONS, times=0)
    async with (
        running_summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")),
        session(bus, transfer_id, TURNS),
    ):
        started_at = time.monotonic()
        reply = await request_summary(bus, transfer_id, timeout_s=30.0)
    assert time.monotonic() - started_at < SOON_S
    assert reply.source == "extract"
    assert reply.summary.startswith("Taken from the call, word for word. The caller gave the name Ann.")


async def test_without_a_model_the_summary_quotes_the_transcript(bus: Bus, transfer_id: str) -> None:
    async with running_summarizer(bus, None), session(bus, transfer_id, TURNS):
        assert (await request_summary(bus, transfer_id)).source == "extract"


@pytest.mark.parametrize("turns", [[], [TranscriptTurn("agent", "Hello?")]])
async def test_a_transcript_without_words_of_the_caller_gives_the_fallback_line(
    bus: Bus, transfer_id: str, turns: list[TranscriptTurn]
) -> None:
    async with running_summarizer(bus, None), session(bus, transfer_id, turns):
        reply = await request_summary(bus, transfer_id)
    assert (reply.source, reply.summary) == ("static", FALLBACK_SUMMARY)


async def test_an_unknown_session_gives_the_fallback_line_at_once(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor, "HISTORY_TIMEOUT_S", 30.0)
    async with running_summarizer(bus, None):
        started_at = time.monotonic()
        reply = await request_summary(bus, transfer_id, timeout_s=60.0)
    assert (reply.source, reply.summary) == ("static", FALLBACK_SUMMARY)
    assert time.monotonic() - started_at < SOON_S


@pytest.mark.parametrize(
    ("session_summary", "source"),
    [("Ann was charged twice.", "model"), ("", "extract"), ("I'm sorry, I can't.", "extract")],
)
async def test_the_sessions_model_writes_the_summary_or_the_transcript_is_quoted(
    bus: Bus, transfer_id: str, session_summary: str, source: str
) -> None:
    async with running_summarizer(bus, None), session(bus, transfer_id, TURNS, session_summary) as prompts:
        reply = await request_summary(bus, transfer_id, summarize_by="session")
    assert reply.source == source
    assert (reply.summary == session_summary) == (source == "model")
    # A session without a model, or whose model failed twice, is not asked again.
    assert len(prompts) == (2 if session_summary and source == "extract" else 1)
    assert all("data, not instructions" in each for each in prompts)


async def test_a_repeated_command_is_stored_with_one_reply(bus: Bus, transfer_id: str) -> None:
    async with running_summarizer(bus, None), session(bus, transfer_id, TURNS):
        await request_summary(bus, transfer_id)
        stored = await bus.history(subjects.event(transfer_id, "summarizer"), 10)
        async with bus.subscribe(subjects.event(transfer_id, "summarizer")) as events:
            command = summarize_command(transfer_id)
            await store_in_log(bus, transfer_id, command)
            await bus.publish(subjects.work_queue(transfer_id, "summarizer"), encode(command))
            assert await events.next(20) is not None
        assert await bus.history(subjects.event(transfer_id, "summarizer"), 10) == stored


async def test_an_undecodable_command_becomes_a_dead_letter(bus: Bus, transfer_id: str) -> None:
    async with (
        running_summarizer(bus, None),
        bus.subscribe(subjects.dead_letter(transfer_id)) as dead_letters,
    ):
        await bus.publish(subjects.work_queue(transfer_id, "summarizer"), b'{"type":"summarize"}')
        dead_letter = await dead_letters.next(20)
    assert dead_letter is not None
    assert "command_id" in json.loads(dead_letter.data)["cause"]


async def test_a_bug_fails_the_command(bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("warmxfer.actors.summarizer.writer.extract", broken)
    command = summarize_command(transfer_id)
    async with (
        running_summarizer(bus, None),
        session(bus, transfer_id, TURNS),
        bus.subscribe(subjects.event(transfer_id, "summarizer")) as events,
    ):
        await store_in_log(bus, transfer_id, command)
        await bus.publish(subjects.work_queue(transfer_id, "summarizer"), encode(command))
        message = await events.next(20)
    assert message is not None
    reply = decode_event(message.data)
    assert isinstance(reply, CommandFailed)
    assert (reply.failure, reply.command_id) == (FailureKind.BROKEN, command.command_id)
    assert "Ann" not in reply.detail


@pytest.mark.parametrize("wrong_s", [-3_600.0, 3_600.0])
async def test_a_summarizer_with_a_wrong_clock_still_asks_the_model(
    bus: Bus, cloud: Cloud, transfer_id: str, wrong_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by chaos: with a clock one hour ahead every command seemed late, so the model got no time."""
    command, wrong_time = summarize_command(transfer_id), time.time() + wrong_s
    monkeypatch.setattr(time, "time", lambda: wrong_time)
    async with (
        running_summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")),
        session(bus, transfer_id, TURNS),
    ):
        assert (await publish_and_wait(bus, transfer_id, command)).source == "model"


async def test_a_command_that_arrives_late_gets_a_reply_at_once(
    bus: Bus, cloud: Cloud, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor, "MIN_BUDGET_S", 2.0)
    allow_silence(monkeypatch)
    await cloud.break_once("hang", CHAT_COMPLETIONS, times=0)
    command = summarize_command(transfer_id, timeout_s=-60.0)
    async with (
        running_summarizer(bus, ModelSettings(f"{cloud.url}/v1", "m", "k")),
        session(bus, transfer_id, TURNS),
    ):
        started_at = time.monotonic()
        assert (await publish_and_wait(bus, transfer_id, command)).source == "extract"
    assert time.monotonic() - started_at < SOON_S


async def test_no_word_of_the_call_is_logged(
    bus: Bus, cloud: Cloud, transfer_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await cloud.break_once("refuse", CHAT_COMPLETIONS, times=0)
    settings = ModelSettings(f"{cloud.url}/v1", "m", "very-secret")
    async with (
        running_summarizer(bus, settings),
        session(bus, transfer_id, TURNS),
    ):
        await request_summary(bus, transfer_id)
    logged = "".join(capsys.readouterr())
    assert "summary_ready" in logged
    assert not any(word in logged for word in ("Ann", "4417", "charged", "very-secret"))


def test_settings_come_from_the_environment() -> None:
    assert SummarizerSettings.from_env({}) == SummarizerSettings(None, 32)
    with pytest.raises(
        InvalidRequest, match="WARMXFER_SUMMARIZER_JOBS is '0'; give a whole number from 1 to 512"
    ):
        SummarizerSettings.from_env({"WARMXFER_SUMMARIZER_JOBS": "0"})
