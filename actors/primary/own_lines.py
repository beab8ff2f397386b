"""The lines that warmxfer had a session speak, kept out of the session's transcript. Pure.

Frameworks list a spoken line as an utterance of the agent. A summary would tell the supervisor that the agent
asked the caller to hold.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from warmxfer.schemas import TranscriptTurn

MAX_LINES: Final = 32
"""How many lines are remembered. A transfer speaks two or three."""

MIN_INSIDE_CHARS: Final = 12
"""A shorter line is only dropped as a whole turn: its words may be anything."""

_SPACES = re.compile(r"\s+")


class OwnLines:
    """Lines of one session, the newest `MAX_LINES`."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LINES)

    def add(self, line: str) -> None:
        """Remember a line that warmxfer has the session speak."""
        if (line := _on_one_line(line)) and line not in self._lines:
            self._lines.append(line)

    def without(self, turns: Sequence[TranscriptTurn]) -> list[TranscriptTurn]:
        """Return the turns without these lines. A turn that is only such a line is dropped."""
        return [left for turn in turns if (left := self._without(turn)) is not None]

    def _without(self, turn: TranscriptTurn) -> TranscriptTurn | None:
        if turn.role != "agent" or not self._lines:
            return turn
        text = whole = _on_one_line(turn.text)
        for line in self._lines:
            if line == whole or len(line) >= MIN_INSIDE_CHARS:
                text = text.replace(line, " ")
        if text == whole:
            return turn
        text = _on_one_line(text)
        return msgspec.structs.replace(turn, text=text) if any(map(str.isalnum, text)) else None


def _on_one_line(text: str) -> str:
    return _SPACES.sub(" ", text).strip()
