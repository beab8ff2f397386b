"""Worker of the queue `summarizer`: replies to each `Summarize` with a `SummaryReady`, in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from warmxfer.adapters.llm import ChatModel, Reply, open_model, without_reasoning
from warmxfer.bus import BrokerClock, Bus, Delivery, Worker, subjects
from warmxfer.schemas import (
    History,
    HistoryQuery,
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

from ..common.command_replies import publish_reply, read_command, why_unreadable
from ..common.dead_letter_replies import reply_to_dead_letter
from ..common.log_check import LogCheck
from . import prompt
from .settings import SummarizerSettings
from .writer import Ask, Source, by_model, write

HISTORY_TIMEOUT_S: Final = 2.0
MIN_BUDGET_S: Final = 0.5
"""Minimum time for a summary, for a command that arrives late. A late reply does no harm."""

log = structlog.get_logger(__name__)


class Summarizer:
    """Handler of `Summarize`. Without `model`, summaries quote the transcript."""

    def __init__(self, bus: Bus, model: ChatModel | None) -> None:
        self._bus = bus
        self._model = model
        self._check = LogCheck(bus)
        self._clock = BrokerClock()

    async def handle(self, delivery: Delivery) -> None:
        """Summarize the call of one delivery, and reply."""
        command = read_command(delivery, Summarize, "summarizer")
        if not await self._check.is_wanted(delivery, "summarizer"):
            return
        started_at = time.monotonic()
        self._clock.observe(delivery.at)
        budget_s = max(command.deadline_at - self._clock.now(), MIN_BUDGET_S)
        summary, source = await self._summarize(delivery.transfer_id, command, budget_s)
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
        await reply_to_dead_letter(self._bus, self._check, delivery, (Summarize,), cause, role="summarizer")

    async def _summarize(self, transfer_id: str, command: Summarize, budget_s: float) -> tuple[str, Source]:
        deadline_at = asyncio.get_running_loop().time() + budget_s
        turns = await self._request_history(transfer_id, command.session, min(HISTORY_TIMEOUT_S, budget_s))
        written = await write(turns, self._ask(transfer_id, command, turns), deadline_at)
        for attempt in written.attempts:
            if attempt.why:
                log.warning("summary_model_failed", session=command.session, why=attempt.why)
        return written.summary, written.source

    async def _request_history(
        self, transfer_id: str, session: str, timeout_s: float
    ) -> list[TranscriptTurn]:
        """Return the transcript; empty if no process serves the session, or it does not reply in time."""
        try:
            reply = await self._bus.request(
                subjects.ask_history(session), encode(HistoryQuery(transfer_id)), timeout_s
            )
            return decode_as(History, reply).turns
        except WarmxferError as error:
            log.warning("history_request_failed", session=session, why=type(error).__name__)
            return []

    def _ask(self, transfer_id: str, command: Summarize, turns: list[TranscriptTurn]) -> Ask | None:
        """Return the function that asks the model of this command; None if there is none."""
        if command.summarize_by == "session":
            return self._by_session(transfer_id, command)
        return by_model(self._model, turns, command.prompt) if self._model else None

    def _by_session(self, transfer_id: str, command: Summarize) -> Ask:
        instructions = prompt.instructions(command.prompt)

        async def ask(wrong: str | None, correction: str, left_s: float) -> Reply | None:
            asked = instructions if wrong is None else f"{instructions}\n\n{correction}"
            question = encode(SummaryQuery(prompt=asked, transfer_id=transfer_id))
            try:
                reply = await self._bus.request(subjects.ask_summary(command.session), question, left_s)
                text = decode_as(SessionSummary, reply).text
            except WarmxferError as error:
                raise RetryableError(
                    f"The session's model gave no summary ({type(error).__name__})"
                ) from None
            return Reply(without_reasoning(text)) if text else None

        return ask


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
