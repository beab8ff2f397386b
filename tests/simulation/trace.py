"""What happened in a run, in order, and the digest by which two runs are compared bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


class Trace:
    """Lines of (virtual seconds, source, what). Each call across a port adds one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.lines: list[tuple[float, str, str]] = []

    def add(self, source: str, what: str) -> None:
        self.lines.append((self._clock(), source, what))

    def end(self) -> None:
        """Add no more lines."""
        self.add = _drop

    def digest(self) -> str:
        """Return a hash of all lines: equal for equal runs only."""
        text = "\n".join(f"{at!r} {source} {what}" for at, source, what in self.lines)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def shown(self, transfer_id: str | None = None) -> str:
        """Return the lines as text. With `transfer_id`, only its own lines and the faults."""
        return "\n".join(
            f"{at:9.3f}  {source:<22} {what}"
            for at, source, what in self.lines
            if transfer_id is None or transfer_id in what or transfer_id in source or source == "fault"
        )


def _drop(source: str, what: str) -> None:
    """Take a line after the end of the run."""
