"""`brief_here`: runs the consultations of one session's transfers in the process of that session.

    async with brief_here(bus, session_name, RoomSettings(pipeline)):
        ...                                    # its transfers with `brief_by: "session"` are briefed here

It is for a session whose pipeline no other process can build. There is no work queue, so this file does what
the queue does for workers:

- A command arrives on a live subscription, or is read from the stream: a few times after the subscription
  began, after each reconnect, and after a command arrived that is not stored yet.
- Each command starts one consultation. It is retried for as long as its transfer is live.
- A process that restarts under the same session name continues the consultation of the process before it.

Invariants:

- A consultation starts from the stored command. A live message only triggers a read of the stream.
- All tasks start inside `brief_here`, and so in the context (contextvars) of its caller.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Final

import structlog

from warmxfer import tracing
from warmxfer.adapters.llm import ChatModel
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.bus import Bus, NewerVersionNeeded, RetryableError, Stored, Subscription, subjects
from warmxfer.bus.polling import Rereads
from warmxfer.bus.worker import is_cancelled
from warmxfer.schemas import (
    CommandFailed,
    FailureKind,
    JoinConsultation,
    WarmxferError,
    undecoded_transfer_id,
)

from ..common.command_replies import publish_reply, read_command
from ..common.liveness import CONFIRMATIONS, is_live
from ..common.log_check import LogCheck
from ..common.sent_by_log import FoundInLog
from ..common.unknown_commands import UnknownCommands
from ..runtime.log_setup import log_task_failure
from .consultation import LIVENESS_TIMEOUT_S, MAX_CONSULTATION_S, Consultation, ConsultationTask
from .reply.classifier import ReplyClassifier

ACTOR: Final = "session with in-session briefing"
MAX_CONSULTATIONS: Final = 8
"""A session has one transfer at a time, but earlier consultations may still be ending."""
MAX_HANDLED_IDS: Final = 64
"""Command ids kept, so that a repeated command starts nothing."""
STORE_POLL_PAUSE_S: Final = 0.02
STORE_POLLS: Final = 7
"""Reads of a command that arrived live. Each pause is twice the one before: 1.3 s in all."""
CANCELLED_RETRY_S: Final = 1.0
DRAIN_S: Final = 3.0
"""Time that running consultations get to end by themselves when the context closes."""
LEAVE_S: Final = 10.0
"""Time that cancelled consultations get to leave their rooms. Longer than any room client takes."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def brief_here(
    bus: Bus, session_name: str, room_settings: RoomSettings, model: ChatModel | None = None
) -> AsyncIterator[None]:
    """Run the session's consultations while the context is open.

    `model` classifies replies; without it, the chat model of the room client does. When the context closes,
    consultations get `DRAIN_S` to end; then they leave their rooms. Raises InvalidRequest for a session name
    that cannot be part of a subject.
    """
    briefings = _InSessionBriefings(bus, session_name, room_settings, ReplyClassifier(model))
    async with bus.subscribe(subjects.session_briefing(session_name)) as subscription:
        following = asyncio.create_task(
            briefings.follow(subscription), name=f"session-briefing-{session_name}"
        )
        following.add_done_callback(log_task_failure)
        briefings.rereads.start()
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await briefings.close()


class _InSessionBriefings:
    """Consultations of one session, by the commands on its subject."""

    def __init__(
        self, bus: Bus, session: str, room_settings: RoomSettings, classifier: ReplyClassifier
    ) -> None:
        self._bus = bus
        self._check = LogCheck(bus)
        self._session = session
        self._command_subject = subjects.session_briefing(session)
        self._room_settings = room_settings
        self._classifier = classifier
        self._running: set[asyncio.Task[None]] = set()
        self._handled_ids: deque[str] = deque(maxlen=MAX_HANDLED_IDS)
        self._unknown = UnknownCommands(ACTOR)
        self.rereads = Rereads(bus, self._read_newest, "session-briefing-reads")

    async def follow(self, subscription: Subscription) -> None:
        async for message in subscription:
            try:
                stored = await self._wait_stored(message.data)
                if stored is None or not await self._start_once(stored, received_live=True):
                    self.rereads.restart()
            except WarmxferError as error:
                log.warning("consultation_lookup_failed", why=str(error))
                self.rereads.restart()

    async def _read_newest(self) -> bool:
        """Start the consultation of the newest command. Returns False if that must be tried again."""
        try:
            stored = await self._bus.get_last(self._command_subject)
            return stored is None or await self._start_once(stored, received_live=False)
        except WarmxferError as error:
            log.warning("consultation_lookup_failed", why=str(error))
            return False

    async def close(self) -> None:
        """Wait `DRAIN_S` for running consultations, then cancel them."""
        self.rereads.stop()
        if not self._running:
            return
        _, unfinished = await asyncio.wait(self._running, timeout=DRAIN_S)
        for task in unfinished:
            task.cancel()
        if unfinished and (await asyncio.wait(unfinished, timeout=LEAVE_S))[1]:
            log.error("consultations_not_ended", count=len(self._running), timeout_s=LEAVE_S)

    # ── which commands ───────────────────────────────────────────────────────────────────────────

    async def _wait_stored(self, data: bytes) -> Stored | None:
        """Return the command `data` once it is stored.

        Returns None after `STORE_POLLS` reads. Then a later read has to find the command.
        """
        pause_s = STORE_POLL_PAUSE_S
        for _ in range(STORE_POLLS):
            stored = await self._bus.get_last(self._command_subject)
            if stored is not None and stored.data == data:
                return stored
            await asyncio.sleep(pause_s)
            pause_s *= 2
        return None

    async def _start_once(self, stored: Stored, *, received_live: bool) -> bool:
        """Start the consultation, once. A command found by reading may be old: its transfer must be live.

        Returns False if that could not be decided: no coordinator replied, or too many consultations run.
        """
        transfer_id = subjects.check_token(undecoded_transfer_id(stored.data) or "", "transfer_id")
        try:
            join = read_command(stored, JoinConsultation, ACTOR)
        except NewerVersionNeeded:
            if await self._check.find(transfer_id, stored.data, self._session) is not FoundInLog.SENT:
                return True
            if reply := self._unknown.reply_once(transfer_id, stored.data):
                await publish_reply(self._bus, transfer_id, reply, role="primary")
            return True
        if join.command_id in self._handled_ids:
            return True
        if len(self._running) >= MAX_CONSULTATIONS:
            return False
        found = await self._check.find_patiently(transfer_id, stored.data, self._session)
        if found is not FoundInLog.SENT:
            log.warning("consultation_not_started", transfer_id=transfer_id, log_says=found.name.lower())
            return found is not FoundInLog.UNKNOWN
        live = received_live or await self._is_live(transfer_id)
        if join.command_id in self._handled_ids:
            return True
        if live is None:
            return False
        self._handled_ids.append(join.command_id)
        if live:
            task = ConsultationTask.stored(transfer_id, join, stored.at, "primary", self._session)
            self._start(task, tracing.received(stored.headers))
        return True

    async def _is_live(self, transfer_id: str) -> bool | None:
        """Return whether the transfer is live; None if no coordinator replied.

        False needs `CONFIRMATIONS` replies in a row, because one coordinator may read stale state.
        """
        for _ in range(CONFIRMATIONS):
            live = await is_live(self._bus, transfer_id, LIVENESS_TIMEOUT_S)
            if live is not False:
                return live
        return False

    # ── one consultation ─────────────────────────────────────────────────────────────────────────

    def _start(self, task: ConsultationTask, sender: tracing.TraceParent | None) -> None:
        running = asyncio.create_task(
            self._run_in_span(task, sender), name=f"consultation-{task.transfer_id}"
        )
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        running.add_done_callback(log_task_failure)

    async def _run_in_span(self, task: ConsultationTask, sender: tracing.TraceParent | None) -> None:
        with tracing.handle("process briefing", sender):
            await self._run_with_retry(task)

    async def _run_with_retry(self, task: ConsultationTask) -> None:
        """Run the consultation until it ends, its transfer ends, or `MAX_CONSULTATION_S` is over."""
        now = asyncio.get_running_loop().time
        end_at = now() + MAX_CONSULTATION_S
        try:
            while now() < end_at:
                try:
                    # `MAX_CONSULTATIONS` is small, so joining needs no further limit.
                    await Consultation(
                        self._bus, self._check, task, self._room_settings, self._classifier, nullcontext()
                    ).run()
                    return
                except RetryableError as error:
                    log.warning("consultation_retried", transfer_id=task.transfer_id, why=str(error))
                    await asyncio.sleep(error.after_s)
                except asyncio.CancelledError:
                    if is_cancelled():
                        raise
                    # A component of the framework was cancelled, and this consultation was not.
                    log.warning("consultation_retried", transfer_id=task.transfer_id, why="CancelledError")
                    await asyncio.sleep(CANCELLED_RETRY_S)
                if await self._is_live(task.transfer_id) is False:
                    return
        except Exception as error:
            # There is no work queue and so no dead letter: reply to the coordinator here.
            detail = f"The consultation could not be run ({type(error).__name__})."
            reply = CommandFailed(command_id=task.join.command_id, failure=FailureKind.BROKEN, detail=detail)
            await publish_reply(self._bus, task.transfer_id, reply, role="primary")
            raise
