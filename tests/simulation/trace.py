"""What happened in a run, in order, and the digest by which two runs are compared bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


class Trace:
    """Lines of (virtual seconds, who, what). Everything that crosses a port writes one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.lines: list[tuple[float, str, str]] = []

    def add(self, who: str, what: str) -> None:
        self.lines.append((self._clock(), who, what))

    def digest(self) -> str:
        """The same for the same run, and for no other."""
        text = "\n".join(f"{at!r} {who} {what}" for at, who, what in self.lines)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def shown(self, about: str | None = None) -> str:
        """For people; `about` a transfer keeps its own lines, and those about no transfer at all."""
        return "\n".join(
            f"{at:9.3f}  {who:<22} {what}"
            for at, who, what in self.lines
            if about is None or about in what or about in who or who == "fault"
        )
