"""Logging of a process: destination, format and redaction.

Lines go to stderr: JSON if stderr is no terminal or `WARMXFER_LOG=json`. `WARMXFER_LOG_LEVEL` is the level.

Invariant: no phone number, secret, token, summary or transcript is logged, whatever the caller of the logger
passes. Test: `tests/actors/runtime/test_log_setup.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, TextIO

import msgspec
import structlog

from warmxfer.bus.tls_errors import tells_something
from warmxfer.schemas import InvalidRequest, format_traceback

from .visible_text import escaped

LEVELS = ("debug", "info", "warning", "error")
MAX_VALUE_CHARS = 2_000
MAX_TRACEBACK_CHARS = 16_000
MAX_USER_CHARS = 64
"""Length of the user in a SIP URI, as in `schemas/fields.py`. Each expression looks at a limited number of
characters from each place: one message of 56 KB once froze a gateway for 30 s.
"""
CUT_MARGIN_CHARS = 2 * MAX_USER_CHARS
"""Text beyond the limit that is masked too, so that no number is cut before it is recognised."""
LIBRARY_LEVEL = logging.WARNING
"""Below this level httpx, uvicorn and websockets log addresses and headers."""

log = structlog.get_logger(__name__)

_SECRET_WORDS = frozenset({"token", "secret", "key", "password", "summary", "transcript", "authorization"})
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|(?<![\w.:-])[1-9][0-9]{9,14}(?![\w.:-])")
_MAY_BE_NUMBER = re.compile(r"[0-9]{7}|sips?:", re.IGNORECASE)
"""Found in every text that `_NUMBER` or `_SIP_USER` changes. One search instead of two replacements."""
_DIGITS = re.compile(r"[0-9]{7}")
_SIP_USER = re.compile(
    rf"(?<=sip:)[^@\s]{{1,{MAX_USER_CHARS}}}(?=@)|(?<=sips:)[^@\s]{{1,{MAX_USER_CHARS}}}(?=@)", re.IGNORECASE
)

_NEVER_MASKED = frozenset({int, float, bool, type(None)})


def configure_logs(env: Mapping[str, str], *, level: str = "info", role: str = "") -> None:
    """Configure structlog and the standard library's logging for this process. Raises `InvalidRequest`."""
    given, json_lines = log_level(env), wants_json_lines(env)
    stream = sys.stderr
    shared_processors = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer = _renderer(env, stream, json_lines=json_lines)
    structlog.configure(
        processors=[*shared_processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, (given or level).upper())),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    if role:
        structlog.contextvars.bind_contextvars(role=role)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared_processors)
    )
    logging.basicConfig(level=LIBRARY_LEVEL, handlers=[handler], force=True)
    logging.getLogger("asyncio").addFilter(tells_something)


def log_level(env: Mapping[str, str]) -> str:
    """Return the level that `env` asks for, or "". Raises `InvalidRequest`."""
    given = env.get("WARMXFER_LOG_LEVEL", "").strip().lower()
    if given and given not in LEVELS:
        raise InvalidRequest(
            f"WARMXFER_LOG_LEVEL is {given[:40]!r}; use one of {', '.join(LEVELS)}",
            field="WARMXFER_LOG_LEVEL",
        )
    return given


def wants_json_lines(env: Mapping[str, str]) -> bool:
    """Return whether `env` asks for JSON lines on a terminal too. Raises `InvalidRequest`."""
    given = env.get("WARMXFER_LOG", "").strip()
    if given.lower() not in ("", "json"):
        raise InvalidRequest(
            f"WARMXFER_LOG is {given[:40]!r}; use json, or leave it out", field="WARMXFER_LOG"
        )
    return given.lower() == "json"


def log_task_failure(task: asyncio.Task[None]) -> None:
    """Log the exception of a background task: done callback of a task that is never awaited."""
    if not task.cancelled() and (error := task.exception()):
        log.error("background_task_failed", task=task.get_name(), exception=format_traceback(error))


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop fields named like a secret or like words of the call; mask phone numbers in all other fields."""
    for key in [each for each in event if _names_secret(each)]:
        del event[key]
    if not _is_plain(event):
        for key in event:
            limit = MAX_TRACEBACK_CHARS if key == "exception" else MAX_VALUE_CHARS
            event[key] = _masked(event[key], limit)
    return event


def _is_plain(event: Mapping[str, Any]) -> bool:
    """Return whether `_masked` would change no field. One search for all of them, as most lines are plain."""
    texts: list[str] = []
    for value in event.values():
        if type(value) is str:
            texts.append(value)
        elif type(value) not in _NEVER_MASKED:
            return False
    text = " ".join(texts)
    return len(text) <= MAX_VALUE_CHARS and text.isprintable() and not _may_be_number(text)


def _may_be_number(text: str) -> bool:
    """Return whether `_MAY_BE_NUMBER` finds something. ASCII text needs no slow search."""
    if text.isascii():
        lower = text.lower()
        return _DIGITS.search(text) is not None or "sip:" in lower or "sips:" in lower
    return _MAY_BE_NUMBER.search(text) is not None


@lru_cache(maxsize=1_024)
def _names_secret(key: str) -> bool:
    return not _SECRET_WORDS.isdisjoint(key.lower().split("_"))


def _masked(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        text = value
    elif isinstance(value, int | float) or value is None:
        return value
    else:
        text = repr(value)
    cut = escaped(text[: limit + CUT_MARGIN_CHARS])
    if _may_be_number(cut):
        cut = _SIP_USER.sub("•", _NUMBER.sub(lambda found: f"•{found[0][-2:]}", cut))
    return cut if len(text) <= limit and len(cut) <= limit else cut[:limit] + "…"


def _renderer(env: Mapping[str, str], stream: TextIO, *, json_lines: bool) -> structlog.typing.Processor:
    if json_lines or not stream.isatty():
        return _render_json
    return structlog.dev.ConsoleRenderer(colors=not env.get("NO_COLOR"))


def _render_json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    try:
        return msgspec.json.encode(event).decode()
    except (TypeError, ValueError, OverflowError):
        # Half of a surrogate pair, or an integer of more than 64 bits.
        return json.dumps(event, default=repr)
