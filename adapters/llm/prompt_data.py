"""Untrusted text in a prompt, written as data. Pure.

Invariants:

- Words of a caller or a supervisor stand in a prompt as JSON between two marks, such as `<transcript>`.
- The JSON contains no angle bracket and no line break inside a string: the text can neither close the marks
  nor start a line of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from warmxfer.schemas import TranscriptTurn, encode

MAX_TRANSCRIPT_CHARS: Final = 32_000
"""Maximum length of the transcript in a prompt. Of a longer call only the newest turns are included."""

SUMMARIZE: Final = "Here is the call transcript, one turn per line as JSON. Summarize it."


def as_data(value: Any) -> str:
    """Return `value` as one line of JSON without angle brackets."""
    return encode(value).decode().replace("<", r"\u003c").replace(">", r"\u003e")


def summarize_transcript(turns: Sequence[TranscriptTurn]) -> str:
    """Return the user message that asks for a summary of `turns`, of which the last is always included."""
    lines: list[str] = []
    left = MAX_TRANSCRIPT_CHARS
    for turn in reversed(turns):
        line = as_data(turn)
        left -= len(line)
        if left < 0 and lines:
            break
        lines.append(line)
    listed = ",\n".join(reversed(lines))
    return f"{SUMMARIZE}\n\n<transcript>\n[\n{listed}\n]\n</transcript>"
