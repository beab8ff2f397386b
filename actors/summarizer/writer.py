"""Writes a summary within its time: by a model, else by quotes, else the fixed line.

A model may answer late, wrongly or not at all. It is asked again once after a failure, when its server may
answer again, and once after an answer that cannot be read aloud, with what was wrong. It is never asked after
the deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

from msgspec import Struct

from warmxfer.adapters.llm import ChatModel, Message, Reply, StreamReading, why_failed
from warmxfer.schemas import (
    FALLBACK_SUMMARY,
    SUMMARY_MAX_CHARS,
    InvalidRequest,
    RetryableError,
    TranscriptTurn,
)

from ..common.private_numbers import mask, mask_turns
from . import prompt
from .extractive_summary import extract

FALLBACK_MARGIN_S: Final = 0.5
"""Time that the model does not get, so that the fallback is still in time."""
MAX_MARGIN_SHARE: Final = 0.25
"""Maximum of `FALLBACK_MARGIN_S`, as a share of the time left."""

MAX_PAUSE_SHARE: Final = 0.5
"""Maximum of the pause that a model's server asks for, as a share of the time left."""

Source = Literal["model", "extract", "static"]
Ask = Callable[[str | None, str, float], Awaitable[Reply | None]]
"""Asks a model for a summary: its last answer that was wrong, what to do about it, the seconds left.

Returns None if there is no model after all.
"""


class Attempt(Struct, frozen=True):
    """One request to a model: what it gave, and why that is not the summary. `why` is "" if it is."""

    why: str
    took_s: float
    answer: str = ""
    reading: StreamReading | None = None


class Written(Struct, frozen=True):
    """A summary and where it comes from, with the requests to the model."""

    summary: str
    source: Source
    attempts: list[Attempt] = []


async def write(turns: Sequence[TranscriptTurn], ask: Ask | None, deadline_at: float) -> Written:
    """Return a summary of `turns` by `deadline_at`, a time of the event loop. No model's error is raised.

    Private numbers are masked in what is quoted and in the summary. `ask` masks what its model gets.
    """
    if not turns:
        return Written(FALLBACK_SUMMARY, "static")
    turns = mask_turns(turns)
    attempts: list[Attempt] = []
    if ask is not None:
        margin_s = min(FALLBACK_MARGIN_S, MAX_MARGIN_SHARE * (deadline_at - _now()))
        if text := await _by_model(turns, ask, deadline_at - margin_s, attempts):
            return Written(mask(text), "model", attempts)
    if text := extract(turns):
        return Written(mask(text), "extract", attempts)
    return Written(FALLBACK_SUMMARY, "static", attempts)


def by_model(model: ChatModel, turns: Sequence[TranscriptTurn], own_prompt: str | None) -> Ask:
    """Return the function that asks `model` for a summary of `turns`, without their private numbers."""
    masked = mask_turns(turns)

    async def ask(wrong: str | None, correction: str, left_s: float) -> Reply:
        messages = prompt.messages(masked, own_prompt)
        if wrong is not None:
            messages += [Message("assistant", wrong), Message("user", correction)]
        return await model.reply(messages, deadline_s=left_s, max_chars=SUMMARY_MAX_CHARS)

    return ask


async def _by_model(
    turns: Sequence[TranscriptTurn], ask: Ask, deadline_at: float, attempts: list[Attempt]
) -> str | None:
    wrong, correction = None, ""
    may_fail = may_be_wrong = True
    while (left_s := deadline_at - _now()) > 0:
        started_at = _now()
        try:
            reply = await ask(wrong, correction, left_s)
        except Exception as error:
            # A model of an application may raise anything. A bug of it is not asked again.
            again, may_fail = may_fail and isinstance(error, RetryableError | InvalidRequest), False
            attempts.append(Attempt(why_failed(error), _now() - started_at))
            if again and isinstance(error, RetryableError):
                await asyncio.sleep(min(error.after_s, MAX_PAUSE_SHARE * (deadline_at - _now())))
        else:
            if reply is None:
                attempts.append(Attempt("The session has no model that answers", _now() - started_at))
                break
            checked = prompt.check(reply.text, turns)
            why = f"The answer cannot be read aloud: {checked.why_not}" if checked.why_not else ""
            attempts.append(Attempt(why, _now() - started_at, reply.text, reply.reading))
            if checked.summary:
                return checked.summary
            again, may_be_wrong = may_be_wrong, False
            if reply.text:
                wrong, correction = reply.text, prompt.correction(checked.why_not)
        if not again:
            break
    return None


def _now() -> float:
    return asyncio.get_running_loop().time()
