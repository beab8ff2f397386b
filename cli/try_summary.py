"""`warmxfer try summary`: the summary of a transcript, by the configured model, as a summarizer writes it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json, read_json_file, within
from .output import console, plain, print_json, run_command

if TYPE_CHECKING:
    from warmxfer.actors.summarizer import Attempt, Written
    from warmxfer.adapters.llm import ModelSettings
    from warmxfer.schemas import TranscriptTurn

DEADLINE_S = 8.0
"""The default of `timeouts.summary_timeout_s` of a request."""
MAX_DEADLINE_S = 120.0
ROLES = {
    "caller": "caller",
    "user": "caller",
    "customer": "caller",
    "agent": "agent",
    "assistant": "agent",
    "ai": "agent",
}
TURNS = ("turns", "transcript", "messages", "conversation")


def try_summary(
    file: Annotated[
        str,
        typer.Argument(
            metavar="TRANSCRIPT",
            help='JSON file with a list of turns, {"role": "caller" or "agent", "text": "…"}; - is stdin.',
        ),
    ],
    prompt: Annotated[
        str | None, typer.Option("--prompt", metavar="TEXT", help="Prompt instead of the default one.")
    ] = None,
    deadline: Annotated[
        float,
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            callback=within("--deadline", 0.5, MAX_DEADLINE_S),
            help="Time for the summary.",
        ),
    ] = DEADLINE_S,
    json: Json = False,
) -> None:
    """Summarize a transcript, and show what would be spoken.

    The model is that of WARMXFER_LLM_BASE_URL, WARMXFER_LLM_MODEL and WARMXFER_LLM_API_KEY. Without a model,
    and if its answer cannot be read aloud, the summary quotes the transcript.
    """
    from warmxfer.actors.briefing.sentences import split
    from warmxfer.adapters.llm import ModelSettings

    turns, settings = read_transcript(file), ModelSettings.from_env(os.environ)
    written = run_command(lambda: _write(turns, settings, prompt, deadline))
    spoken = split(written.summary)
    if json:
        print_json(
            {
                "summary": written.summary,
                "source": written.source,
                "spoken": " ".join(spoken),
                "sentences": spoken,
                "model": settings.model if settings else None,
                "attempts": written.attempts,
            }
        )
    else:
        _show(written, spoken, settings)


async def _write(
    turns: list[TranscriptTurn], settings: ModelSettings | None, prompt: str | None, deadline_s: float
) -> Written:
    from warmxfer.actors.summarizer import by_model, write
    from warmxfer.adapters.llm import open_model

    deadline_at = asyncio.get_running_loop().time() + deadline_s
    model = open_model(settings)
    if model is None:
        return await write(turns, None, deadline_at)
    try:
        return await write(turns, by_model(model, turns, prompt), deadline_at)
    finally:
        await model.aclose()


def read_transcript(file: str) -> list[TranscriptTurn]:
    """Return the turns in a JSON file, as a session replies with them. Raises InvalidRequest."""
    from warmxfer.actors.primary.query_handlers import newest_turns
    from warmxfer.schemas import InvalidRequest

    value = read_json_file("TRANSCRIPT", file, "one JSON list of turns")
    if isinstance(value, dict):
        value = next((value[name] for name in TURNS if name in value), value)
    if not isinstance(value, list):
        raise InvalidRequest(
            f"TRANSCRIPT is {file!r}, which holds no list of turns; give one JSON list of turns"
        )
    return newest_turns([turn for at, item in enumerate(value) if (turn := _turn(at, item))]).turns


def _turn(at: int, item: Any) -> TranscriptTurn | None:
    """Return one turn; None for a message that neither the caller nor the agent said."""
    from warmxfer.schemas import InvalidRequest, TranscriptTurn

    fields = item if isinstance(item, dict) else {}
    role = str(fields.get("role") or fields.get("speaker") or "").lower()
    text = fields.get("text", fields.get("content"))
    if role in ("system", "developer", "tool"):
        return None
    if role not in ROLES or not isinstance(text, str):
        raise InvalidRequest(
            f"TRANSCRIPT[{at}] is no turn; give an object with a role, caller or agent, and a text"
        )
    return TranscriptTurn("caller" if ROLES[role] == "caller" else "agent", text)


def _show(written: Written, spoken: list[str], settings: ModelSettings | None) -> None:
    out = console()
    if settings is None:
        out.print("model    none: WARMXFER_LLM_BASE_URL is not set")
    else:
        out.print(f"model    {plain(settings.model)}")
    for number, attempt in enumerate(written.attempts, 1):
        out.print(f"request  {number}. {_attempt_line(attempt)}")
        if attempt.why and attempt.answer:
            out.print(f"answer   {plain(attempt.answer)}")
    out.print(f"source   {written.source}")
    for sentence in spoken:
        out.print(f"spoken   {plain(sentence)}")


def _attempt_line(attempt: Attempt) -> str:
    line = f"{attempt.took_s:.1f} s"
    if reading := attempt.reading:
        line += f", {reading.format} of {reading.chunks} chunks, ended by {reading.ended_by}"
        if reading.reasoning_chars:
            line += f", {reading.reasoning_chars} characters of reasoning left out"
    return f"{line}: {attempt.why or 'used'}"
