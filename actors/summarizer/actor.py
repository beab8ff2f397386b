"""Worker of the queue `summarizer`: replies to each `Summarize` with a `SummaryReady`, in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Literal

import structlog

from warmxfer.adapters.llm import ChatModel, open_model
from warmxfer.bus import BrokerClock, Bus, Delivery, Worker, subjects
from warmxfer.schemas import (
    FALLBACK_SUMMARY,
    SUMMARY_MAX_CHARS,
    History,
    HistoryQuery,
    InvalidRequest,
    RetryableError,
    SessionSummary,
    Summarize,
    SummaryQuery,
    SummaryReady,
    TranscriptTurn,
    WarmxferError,
    decode_as,
    encode,
)

from ..common.command_replies import publish_reply, read_command, reply_to_dead_letter, why_unreadable
from . import prompt
from .extractive_summary import extract
from .settings import SummarizerSettings

FALLBACK_MARGIN_S: Final = 0.5
"""Time that the model does not get, so that the fallback is still in time."""

MAX_MARGIN_SHARE: Final = 0.25
"""Maximum of `FALLBACK_MARGIN_S`, as a share of the time left."""
HISTORY_TIMEOUT_S: Final = 2.0
MIN_BUDGET_S: Final = 0.5
"""Minimum time for a summary, for a command that arrives late. A late reply does no harm."""

FIRST_ATTEMPT_SHARE: Final = 0.6
"""Share of the time for the first request to the model; the rest is for one retry."""

Source = Literal["model", "extract", "static"]

log = structlog.get_logger(__name__)


class Summarizer:
    """Handler of `Summarize`. Without `model`, summaries quote the transcript."""

    def __init__(self, bus: Bus, model: ChatModel | None) -> None:
        self._bus = bus
        self._model = model
        self._clock = BrokerClock()

    async def handle(self, delivery: Delivery) -> None:
        """Summarize the call of one delivery, and reply."""
        command = read_command(delivery, Summarize, "summarizer")
        started_at = time.monotonic()
        self._clock.observe(delivery.at)
        budget_s = max(command.deadline_at - self._clock.now(), MIN_BUDGET_S)
        summary, source = await self._summarize(command, budget_s)
        ready = SummaryReady(command_id=command.command_id, summary=summary, source=source)
        await publish_reply(self._bus, delivery.transfer_id, ready, role="summarizer")
        log.info(
            "summary_ready",
            transfer_id=delivery.transfer_id,
            source=source,
            chars=len(summary),
            took_ms=round(1000 * (time.monotonic() - started_at)),
        )

    async def on_dead_letter(self, delivery: Delivery, cause: str) -> None:
        """Reply CommandFailed for a delivery that became a dead letter."""
        await reply_to_dead_letter(self._bus, delivery, Summarize, cause, role="summarizer")

    async def _summarize(self, command: Summarize, budget_s: float) -> tuple[str, Source]:
        deadline_at = asyncio.get_running_loop().time() + budget_s
        turns = await self._request_history(command.session, min(HISTORY_TIMEOUT_S, budget_s))
        if not turns:
            return FALLBACK_SUMMARY, "static"
        margin_s = min(FALLBACK_MARGIN_S, MAX_MARGIN_SHARE * budget_s)
        if text := await self._write_with_model(command, turns, deadline_at - margin_s):
            return text, "model"
        if text := extract(turns):
            return text, "extract"
        return FALLBACK_SUMMARY, "static"

    async def _request_history(self, session: str, timeout_s: float) -> list[TranscriptTurn]:
        """Return the transcript; empty if no process serves the session, or it does not reply in time."""
        try:
            reply = await self._bus.request(subjects.ask_history(session), encode(HistoryQuery()), timeout_s)
            return decode_as(History, reply).turns
        except WarmxferError as error:
            log.warning("history_request_failed", session=session, why=type(error).__name__)
            return []

    async def _write_with_model(
        self, command: Summarize, turns: list[TranscriptTurn], deadline_at: float
    ) -> str | None:
        """Return the model's summary, or None if there is none by `deadline_at`, a time of the event loop."""
        if command.summarize_by == "session":
            return await self._ask_session_model(command, deadline_at)
        if self._model is None:
            return None
        now = asyncio.get_running_loop().time
        messages = prompt.messages(turns, command.prompt)
        for share in (FIRST_ATTEMPT_SHARE, 1.0):
            left_s = (deadline_at - now()) * share
            if left_s <= 0:
                break
            try:
                reply = await self._model.reply(messages, deadline_s=left_s, max_chars=SUMMARY_MAX_CHARS)
                if text := prompt.parse_answer(reply.text):
                    return text
                why = "the answer contains no usable summary"
            except (RetryableError, InvalidRequest) as error:
                why = str(error)
            log.warning("summary_model_failed", session=command.session, why=why)
        return None

    async def _ask_session_model(self, command: Summarize, deadline_at: float) -> str | None:
        question = encode(SummaryQuery(prompt=prompt.instructions(command.prompt)))
        left_s = deadline_at - asyncio.get_running_loop().time()
        try:
            reply = await self._bus.request(subjects.ask_summary(command.session), question, max(left_s, 0.0))
            return prompt.parse_answer(decode_as(SessionSummary, reply).text)
        except WarmxferError as error:
            log.warning("session_model_failed", session=command.session, why=type(error).__name__)
            return None


async def run(bus: Bus, settings: SummarizerSettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Handle commands until cancelled; calls `ready` once the worker is running."""
    model = open_model(settings.model)
    summarizer = Summarizer(bus, model)
    worker = Worker(
        bus,
        "summarizer",
        summarizer.handle,
        jobs=settings.jobs,
        progress=True,
        check=lambda delivery: why_unreadable(delivery, (Summarize,), "summarizer"),
        on_dead_letter=summarizer.on_dead_letter,
    )
    try:
        async with worker:
            log.info("summarizer_serves", jobs=settings.jobs, model=model is not None)
            ready()
            await asyncio.Event().wait()
    finally:
        if model is not None:
            await model.aclose()
