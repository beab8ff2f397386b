"""Webhooks of the fake cloud: what it reports about calls and their participants, in VideoSDK's form.

The benchmark's own process sends them, as a cloud would, so their cost is not the actors'. Receiving them is.
The sandbox (`sandbox/webhooks.py`) reports the same facts about the same effects.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from zlib import crc32

import httpx
import msgspec

from .calls import CALLER, Calls, Change, Place
from .ledger import Entry, Kind, Ledger

SENDERS = 16
"""Webhooks under way at a time. Those of one call are sent in order."""
MAX_PENDING = 20_000
"""Of one sender. More are lost."""
TIMEOUT_S = 5.0
REGISTERED = "*.webhook"

STATUSES: dict[Kind, tuple[tuple[str, str], ...]] = {
    "dial": (("call-started", "initiated"), ("call-ringing", "ringing")),
    "answer": (("call-answered", "answered"),),
    "yes": (),
    "move": (("switch-room-completed", "switch-room-completed"),),
    "end": (("call-hangup", "ended"),),
}
"""The types and statuses that a call reports about each kind of entry."""


def register(directory: Path, url: str) -> None:
    """Let the fake cloud in `directory` send its webhooks to `url` of this process."""
    (directory / REGISTERED.replace("*", f"{os.getpid()}")).write_text(url, encoding="utf-8")


def webhooks_of(entry: Entry, change: Change) -> Iterator[dict[str, object]]:
    """Yield the webhooks about one entry. Pure."""
    call = change.call
    statuses = STATUSES[entry.kind] + (STATUSES["answer"] if entry.answered else ())
    for kind, status in statuses:
        yield {
            "webhookType": kind,
            "data": {
                "callId": call.call_id,
                "status": status,
                "roomId": call.room_id,
                "participantId": call.participant_id,
                "type": "inbound" if call.call_id.startswith(CALLER) else "outbound",
            },
        }
    if change.left is not None:
        yield _room_webhook("participant-left", change.left, reason=change.reason)
    if change.entered is not None:
        yield _room_webhook("participant-joined", change.entered)


def _room_webhook(kind: str, place: Place, **details: str) -> dict[str, object]:
    data = {"meetingId": place.room_id, "participantId": place.participant_id, **details}
    return {"webhookType": kind, "data": data}


class WebhookSender:
    """`async with` reports each new entry of the ledger to every registered address, if it may `send`."""

    def __init__(self, directory: Path, *, send: bool = True) -> None:
        self._directory = directory
        self._send_any = send
        self._ledger = Ledger(directory, new_only=True)
        self._calls = Calls()
        self._queues = [asyncio.Queue[bytes](MAX_PENDING) for _ in range(SENDERS)]
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S)
        self.taken = 0
        self._failed: Counter[str] = Counter()

    async def __aenter__(self) -> WebhookSender:
        registered = self._directory.glob(REGISTERED) if self._send_any else ()
        self._urls = [path.read_text(encoding="utf-8") for path in registered]
        self._ledger.watch(self._report)
        self._tasks = [asyncio.create_task(self._send_all(queue)) for queue in self._queues]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ledger.stop_watching()
        self._ledger.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._client.aclose()

    def problems(self) -> list[str]:
        """Return what became of the webhooks that were not taken."""
        return [f"{count} webhooks were not taken: {cause}" for cause, count in self._failed.items()]

    async def delivered(self, limit_s: float) -> None:
        """Block until every webhook was taken or has failed. Raises `TimeoutError`."""
        async with asyncio.timeout(limit_s):
            for queue in self._queues:
                await queue.join()

    def _report(self) -> None:
        for entry in self._ledger.read():
            queue = self._queues[crc32(entry.call_id.encode()) % SENDERS]
            for webhook in webhooks_of(entry, self._calls.apply(entry)):
                if queue.full():
                    self._failed["too many are pending"] += 1
                else:
                    queue.put_nowait(msgspec.json.encode(webhook))

    async def _send_all(self, queue: asyncio.Queue[bytes]) -> None:
        while True:
            body = await queue.get()
            for url in self._urls:
                await self._send(url, body)
            queue.task_done()

    async def _send(self, url: str, body: bytes) -> None:
        try:
            status = (await self._client.post(url, content=body)).status_code
        except httpx.HTTPError as error:
            self._failed[type(error).__name__] += 1
            return
        if status == httpx.codes.OK:
            self.taken += 1
        else:
            self._failed[f"status {status}"] += 1
