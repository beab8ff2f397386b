"""Named checks of what a process needs to do its work. The health probe shows those that fail, and notes."""

from __future__ import annotations

from collections.abc import Callable

Check = Callable[[], str | None]
"""Returns None if the process can work, or else one sentence that says what is missing."""


class Readiness:
    """The checks of one process. It is ready if none of them fails.

    remove = bus.readiness.add("provider", lambda: None if pool.usable else "no connection is free")
    """

    def __init__(self) -> None:
        self._checks: list[tuple[str, Check]] = []
        self._notes: list[tuple[str, Check]] = []

    def add(self, name: str, check: Check) -> Callable[[], None]:
        """Add a check under `name`. Returns a function that removes it.

        `check` is called for each request of the probe. It must return at once and must not raise.
        """
        entry = (name, check)
        self._checks.append(entry)
        return lambda: self._checks.remove(entry)

    def add_note(self, name: str, note: Check) -> Callable[[], None]:
        """Add a note under `name`: what holds a ready process up. Returns a function that removes it.

        `note` is called for each request of the probe. It must return at once and must not raise.
        """
        entry = (name, note)
        self._notes.append(entry)
        return lambda: self._notes.remove(entry)

    def notes(self) -> list[str]:
        """Return `<name>: <sentence>` for each note that has something to say."""
        found = [(name, note()) for name, note in self._notes]
        return [f"{name}: {sentence}" for name, sentence in found if sentence is not None]

    def failing(self) -> list[str]:
        """Return `<name>: <sentence>` for each check that fails. Empty: the process is ready."""
        found = [(name, check()) for name, check in self._checks]
        return [f"{name}: {sentence}" for name, sentence in found if sentence is not None]
