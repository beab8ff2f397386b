"""A board on a broker of its own, with a coordinator's API that answers what a test says."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest_asyncio
from playwright.async_api import Browser

from warmxfer.bus import Bus, BusSettings, EmbeddedServer, LiveMessage, subjects
from warmxfer.cli.board.serve import BoardOptions, RunningBoard, running_board
from warmxfer.schemas import InvalidRequest, PhaseChanged, WarmTransferPhase, encode
from warmxfer.schemas.api import CancelReply
from warmxfer.schemas.report import CommandTime, Durations, Moments, TransferReport
from warmxfer.schemas.timeline import (
    DeadLetter,
    DeadLettersReply,
    TimeLimits,
    TimelineEntry,
    TransferOutline,
    TransferTimeline,
)

TOKEN = "a-token-for-the-tests-only"
PATIENCE_S = 20.0
LIMITS = TimeLimits(
    preparation_s=70.0, ring_s=30.0, briefing_s=60.0, switch_s=21.0, arrival_s=15.0, cleanup_s=66.0
)
PREPARED = ("started", "summary_generating", "summary_ready", "caller_on_hold", "consultation_room_created")
RINGING = (*PREPARED, "supervisor_dialed")


@pytest_asyncio.fixture(name="bus", scope="module", loop_scope="session")
async def own_bus(browser: Browser) -> AsyncIterator[Bus]:
    """A bus on a broker of this file only, which is started if there is a browser."""
    async with (
        EmbeddedServer() as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        yield bus


class FakeCoordinator:
    """Answers the API. `cancelled` and `replayed` are what it was asked to do."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.cancelled: list[str] = []
        self.replayed: list[int] = []
        self.dead_letters: list[DeadLetter] = []
        self.commands: list[CommandTime] | None = None
        """Those of the report of each transfer. None: there is no report."""
        self.entries: list[TimelineEntry] | None = None
        """Those of the timeline of each transfer. None: it was requested, and no more."""
        self.answering = True
        self.waited_s = 0.0
        """How long ago each transfer was requested."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeCoordinator]:
        verbs: dict[str, Callable[[dict[str, Any]], object]] = {
            "outline": self._outline,
            "timeline": self._timeline,
            "dead_letters": lambda _: DeadLettersReply(self.dead_letters),
            "cancel": self._cancel,
            "report": self._report,
        }
        async with AsyncExitStack() as open:
            for verb, answer in verbs.items():
                await open.enter_async_context(self._bus.serve(subjects.api(verb), self._handler(answer)))
            replay = self._handler(self._replay)
            await open.enter_async_context(self._bus.serve(subjects.ASK_REPLAY, replay))
            # The board has a connection of its own: the broker may read its request first.
            await self._bus._connection.client.flush()
            yield self

    def _handler(self, answer: Callable[[dict[str, Any]], object]) -> Callable[[LiveMessage], Any]:
        async def handle(message: LiveMessage) -> bytes:
            return encode(answer(json.loads(message.data)))

        return handle

    def _outline(self, query: dict[str, Any]) -> object:
        if not self.answering:
            raise InvalidRequest("The outline cannot be read now")
        return TransferOutline(
            id=query["id"],
            started_at=time.time() - self.waited_s,
            room_id="room-1",
            supervisor="Dana (billing)",
            destination="+•••••••••01",
            limits=LIMITS,
        )

    def _timeline(self, query: dict[str, Any]) -> object:
        requested = TimelineEntry(at=time.time(), event="transfer_requested", phases=["started"])
        return TransferTimeline(id=query["id"], entries=self.entries or [requested])

    def _report(self, query: dict[str, Any]) -> object:
        if self.commands is None:
            raise InvalidRequest("No record of it can be read")
        return TransferReport(
            transfer_id=query["id"],
            stage="returning",
            moments=Moments(asked_at=self.commands[0].sent_at),
            durations=Durations(),
            attempts=[],
            commands=self.commands,
            recordings=[],
            unconfirmed=[],
            records=1,
        )

    def _cancel(self, query: dict[str, Any]) -> object:
        if query["id"] == "ended":
            raise InvalidRequest("Transfer 'ended' has already ended", field="id")
        self.cancelled.append(query["id"])
        return CancelReply(query["id"])

    def _replay(self, query: dict[str, Any]) -> object:
        self.replayed.append(query["dead_letter"])
        return {"subject": "wx.1.t.do.gateway", "seq": 7}


@asynccontextmanager
async def board_on(bus: Bus, **options: Any) -> AsyncIterator[RunningBoard]:
    """Run a board on the broker of `bus`, at any free port."""
    chosen = BoardOptions(**{"token": TOKEN, "actions": True, **options})
    async with running_board(bus.settings, chosen) as running:
        yield running


def client_of(board: RunningBoard, **headers: str) -> httpx.AsyncClient:
    """Return an HTTP client that has the token."""
    known = {"authorization": f"Bearer {TOKEN}", **headers}
    return httpx.AsyncClient(base_url=board.address, headers=known, timeout=PATIENCE_S)


async def publish(bus: Bus, id: str, *names: str, first: int = 1, **data: Any) -> None:
    """Publish the phases of a transfer, in their order, as a coordinator does. `data` is that of the last."""
    for seq, name in enumerate(names, first):
        of_last = data if name == names[-1] else {}
        phase = PhaseChanged(WarmTransferPhase(name), of_last, time.time(), None, seq)
        await bus.publish(subjects.phase(id), encode(phase), msg_id=f"{id}:phase:{seq}")


class Events:
    """The messages of one event stream, as the page gets them."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()
        self.rows: dict[str, dict[str, Any]] = {}
        self.last: dict[str, Any] = {}
        self.messages = 0

    async def next(self) -> dict[str, Any]:
        """Return the next message, and apply it."""
        async for line in self._lines:
            if line.startswith("data: "):
                message = json.loads(line.removeprefix("data: "))
                self._apply(message)
                return message
        raise AssertionError("the stream has ended")

    async def until(self, holds: Callable[[Events], object]) -> None:
        """Return once `holds`."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds(self):
                await self.next()

    def _apply(self, message: dict[str, Any]) -> None:
        self.messages += 1
        if message.get("whole"):
            self.rows = {}
        self.rows |= {row["id"]: row for row in message.get("rows", [])}
        for id in message.get("removed", []):
            self.rows.pop(id, None)
        self.last |= message


@asynccontextmanager
async def watching(http: httpx.AsyncClient) -> AsyncIterator[Events]:
    """Watch the board."""
    async with http.stream("GET", "/api/events") as response:
        assert response.status_code == 200, await response.aread()
        yield Events(response)
