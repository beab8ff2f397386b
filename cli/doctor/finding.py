"""What one check of `warmxfer doctor` returns."""

from __future__ import annotations

from typing import Literal, NamedTuple

from warmxfer.actors.runtime.exit_codes import UNSUCCESSFUL


class Finding(NamedTuple):
    """Result of one check. A note is not a fault: it explains the effect of an unset variable."""

    about: str
    state: Literal["ok", "note", "wrong"]
    sentence: str
    code: int = UNSUCCESSFUL
    """Of a fault: the exit code of every command that meets the same cause."""


def sentence_of(error: Exception) -> str:
    """Return the text of `error` as a sentence."""
    return f"{str(error).rstrip('.')}."
