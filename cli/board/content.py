"""Everything that the page shows, as one value, and who watches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct, structs

from warmxfer.bus import ProcessStatistics
from warmxfer.schemas import RetryableError
from warmxfer.schemas.timeline import DeadLetter

from .last_hour import LastHour
from .transfers import Row, Transfers

MAX_WATCHERS = 32
"""Browsers that watch at the same time."""
ROLES = ("coordinator", "gateway", "summarizer", "briefing", "primary")
NEEDED = ("coordinator", "gateway", "summarizer", "briefing")
"""Roles without which no transfer works. An AI session may run in a process of the user's own."""
MAX_PROCESSES = 500
SERVICE_PREFIX = "warmxfer-"
GONE_SHOWN_S = 600.0
"""How long a process is shown that does not answer any more."""


class Settings(Struct, frozen=True, kw_only=True):
    """What does not change while the board runs."""

    actions: bool
    """Whether the page may cancel transfers and replay dead letters."""
    wait_target_s: float
    """Within which a caller should have a human. Callers who wait longer are shown as late, in red."""
    version: str


class ActorProcess(Struct, frozen=True, kw_only=True):
    """One process, as it answered the last time."""

    role: str
    id: str
    version: str
    started_at: float | None
    handled: int
    failed: int
    seen_at: float
    alive: bool


class Update(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message to the page. A part that has not changed is None."""

    now: float
    connected: bool
    """Whether the board is connected to the broker."""
    whole: bool = False
    """The rows are all there are. Otherwise they replace those with their ids."""
    rows: list[Row] = []
    removed: list[str] = []
    not_shown: int = 0
    settings: Settings | None = None
    last_hour: LastHour | None = None
    processes: list[ActorProcess] | None = None
    missing_roles: list[str] | None = None
    dead_letters: list[DeadLetter] | None = None
    problems: list[str] | None = None
    read: bool = False
    """Whether the last hour was read from the broker."""


class TooManyWatchers(RetryableError):
    """No further browser may watch now."""

    def __init__(self) -> None:
        super().__init__(f"{MAX_WATCHERS} browsers watch this board already; close one of them")


class Watcher:
    """What one browser has not got yet. It grows to all rows at most, however slow the browser is."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.whole = True
        self.parts = True
        self._woken = asyncio.Event()
        self._woken.set()

    def wake(self) -> None:
        """Let `wait` return: there is something to send."""
        self._woken.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when there is something to send, or after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._woken.clear()


class Content:
    """The content of the page. The feed changes it, event streams send it."""

    def __init__(self, settings: Settings, clock: Callable[[], float], connected: Callable[[], bool]) -> None:
        self.settings = settings
        self.clock = clock
        self.transfers = Transfers(self._row_changed)
        self.closed = False
        self._connected = connected
        self._watchers: set[Watcher] = set()
        self._watched = asyncio.Event()
        self._last_hour = self.transfers.ends.figures(clock(), settings.wait_target_s)
        self._processes: dict[str, ActorProcess] = {}
        self._dead_letters: list[DeadLetter] = []
        self._problems: dict[str, str] = {}
        self._read = False

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Register one browser. Raises `TooManyWatchers`."""
        if len(self._watchers) >= MAX_WATCHERS:
            raise TooManyWatchers
        watcher = Watcher()
        self._watchers.add(watcher)
        self._watched.set()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                self._watched.clear()

    async def until_watched(self) -> None:
        """Return while a browser watches."""
        await self._watched.wait()

    def close(self) -> None:
        """End every event stream."""
        self.closed = True
        for watcher in self._watchers:
            watcher.wake()

    def update_for(self, watcher: Watcher) -> Update:
        """Return what `watcher` has not got yet, which it then has."""
        whole, ids, parts = watcher.whole, watcher.ids, watcher.parts
        rows = self.transfers.rows(None if whole else ids)
        shown = {row.id for row in rows}
        watcher.whole, watcher.ids, watcher.parts = False, set(), False
        return Update(
            now=self.clock(),
            connected=self._connected(),
            whole=whole,
            rows=rows,
            removed=[] if whole else sorted(ids - shown),
            not_shown=self.transfers.not_shown,
            settings=self.settings if whole else None,
            last_hour=self._last_hour if parts else None,
            processes=sorted(self._processes.values(), key=_order) if parts else None,
            missing_roles=self._missing_roles() if parts else None,
            dead_letters=self._dead_letters if parts else None,
            problems=sorted(set(self._problems.values())) if parts else None,
            read=self._read,
        )

    def read_done(self) -> None:
        """The last hour was read from the broker."""
        if not self._read:
            self._read = True
            self._parts_changed()

    def refresh_last_hour(self) -> None:
        """Compute the figures of the last hour again."""
        figures = self.transfers.ends.figures(self.clock(), self.settings.wait_target_s)
        if figures != self._last_hour:
            self._last_hour = figures
            self._parts_changed()

    def set_processes(self, found: Sequence[ProcessStatistics]) -> None:
        """Take in which processes answered now. One that did not stays for a while, as gone."""
        now = self.clock()
        before = self._processes
        gone = {
            id: structs.replace(each, alive=False)
            for id, each in before.items()
            if now - each.seen_at < GONE_SHOWN_S
        }
        alive = {each.id: _process(each, now) for each in found[:MAX_PROCESSES]}
        self._processes = gone | alive
        self._parts_changed()

    def set_dead_letters(self, found: list[DeadLetter]) -> None:
        """Take in the newest dead letters."""
        if found != self._dead_letters:
            self._dead_letters = found
            self._parts_changed()

    def set_problem(self, name: str, sentence: str | None) -> None:
        """Show a sentence while `name` does not work; None: it works."""
        if self._problems.get(name) == sentence:
            return
        if sentence is None:
            del self._problems[name]
        else:
            self._problems[name] = sentence
        self._parts_changed()

    def _missing_roles(self) -> list[str]:
        alive = {each.role for each in self._processes.values() if each.alive}
        return [role for role in NEEDED if role not in alive] if self._processes else []

    def _row_changed(self, id: str) -> None:
        for watcher in self._watchers:
            watcher.ids.add(id)
            watcher.wake()

    def _parts_changed(self) -> None:
        for watcher in self._watchers:
            watcher.parts = True
            watcher.wake()


def _process(found: ProcessStatistics, now: float) -> ActorProcess:
    return ActorProcess(
        role=found.name.removeprefix(SERVICE_PREFIX),
        id=found.id,
        version=found.version,
        started_at=found.started_at,
        handled=found.handled,
        failed=found.failed,
        seen_at=now,
        alive=True,
    )


def _order(process: ActorProcess) -> tuple[int, str, float, str]:
    known = ROLES.index(process.role) if process.role in ROLES else len(ROLES)
    return (known, process.role, process.started_at or 0.0, process.id)
