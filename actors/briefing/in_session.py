"""`brief_here`: holds the consultations of one session's transfers in the process of that session.

    async with brief_here(bus, session_name, VoiceSettings(pipeline)):
        ...                                    # its transfers with `brief_by: "session"` are briefed here

For whoever has a pipeline that no other process can make. What a work queue does for the workers is done by
hand: a command is heard live, and looked for at growing pauses; it is held once, and tried again for as long
as its transfer lives. A process that comes up again under the same name goes on where the one before was.

The law of this file: a command is acted on as it is stored. Hearing one says only that it is time to look.
All tasks begin inside `brief_here`, and so in the context (contextvars) of the one who called it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Final

import structlog

from warmxfer.adapters.llm import ChatModel
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.bus import Bus, RetryableError, Stored, Subscription, subjects
from warmxfer.bus.polling import poll_ticks
from warmxfer.schemas import CommandFailed, FailureKind, JoinConsultation, WarmxferError

from ..common.command_replies import publish_reply, read_command
from ..common.liveness import CONFIRMATIONS, is_live
from ..runtime.log_setup import log_task_failure
from .consultation import LIVENESS_TIMEOUT_S, MAX_LIFE_S, Consultation, ConsultationTask
from .reply.classifier import ReplyClassifier

MAX_CONSULTATIONS: Final = 8
"""A session has one transfer at a time; those before it may still be taking their leave."""
MAX_KNOWN: Final = 64
STORE_PAUSE_S: Final = 0.02
STORE_LOOKS: Final = 7
"""Looks for a command that was heard, each pause twice the one before: 1.3 s in all."""
DRAIN_S: Final = 3.0
LEAVE_S: Final = 10.0
"""Longer than a voice takes to leave."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def brief_here(
    bus: Bus, session_name: str, voice: RoomSettings, model: ChatModel | None = None
) -> AsyncIterator[None]:
    """Serve the session's consultations while the context is open; `model` judges in place of the voice's.

    On leaving, a consultation has `DRAIN_S` to come to its end; then its room is left. Raises `Refused` for
    a name that no subject can hold.
    """
    host = _InSessionBriefings(
        bus, subjects.any_session_briefing(session_name), voice, ReplyClassifier(model)
    )
    async with bus.subscribe(subjects.any_session_briefing(session_name)) as heard:
        serving = (
            asyncio.create_task(host.follow(heard), name=f"hosting-{session_name}"),
            asyncio.create_task(host.poll(), name=f"hosting-looked-at-{session_name}"),
        )
        for task in serving:
            task.add_done_callback(log_task_failure)
        try:
            yield
        finally:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
            await host.close()


class _InSessionBriefings:
    """`filter` is where the commands are. Held is what is not over yet; known, what is not to begin again."""

    def __init__(self, bus: Bus, filter: str, voice: RoomSettings, judges: ReplyClassifier) -> None:
        self._bus = bus
        self._filter = filter
        self._voice = voice
        self._judges = judges
        self._held: set[asyncio.Task[None]] = set()
        self._known: deque[str] = deque(maxlen=MAX_KNOWN)

    async def follow(self, heard: Subscription) -> None:
        async for message in heard:
            try:
                stored = await self._stored(message.subject)
                if stored is not None:
                    await self._take(stored, is_news=True)
            except WarmxferError as error:
                log.warning("consultation_not_looked_up", why=str(error))

    async def poll(self) -> None:
        async with aclosing(poll_ticks(self._bus)) as again:
            async for _ in again:
                try:
                    stored = await self._bus.get_last(self._filter)
                    if stored is not None:
                        await self._take(stored, is_news=False)
                except WarmxferError as error:
                    log.warning("consultation_not_looked_up", why=str(error))

    async def close(self) -> None:
        """Let what is held come to its end, then end it."""
        if not self._held:
            return
        _, late = await asyncio.wait(self._held, timeout=DRAIN_S)
        for task in late:
            task.cancel()
        if late and (await asyncio.wait(late, timeout=LEAVE_S))[1]:
            log.error("consultations_left_behind", count=len(self._held), timeout_s=LEAVE_S)

    # ── which commands ───────────────────────────────────────────────────────────────────────────

    async def _stored(self, subject: str) -> Stored | None:
        """What was heard on `subject`, once it is stored; `look` finds what takes longer."""
        pause_s = STORE_PAUSE_S
        for _ in range(STORE_LOOKS):
            if (stored := await self._bus.get_last(subject)) is not None:
                return stored
            await asyncio.sleep(pause_s)
            pause_s *= 2
        return None

    async def _take(self, stored: Stored, *, is_news: bool) -> None:
        """Begin the consultation, once; what was found and not heard may be long over."""
        join = read_command(stored, JoinConsultation, "session that briefs")
        transfer_id = subjects.parse(stored.subject).id
        if join.command_id in self._known or len(self._held) >= MAX_CONSULTATIONS:
            return
        live = is_news or await self._is_live(transfer_id)
        if live is None or join.command_id in self._known:
            return
        self._known.append(join.command_id)
        if live:
            self._begin(ConsultationTask.stored(transfer_id, join, stored.seq, stored.at))

    async def _is_live(self, transfer_id: str) -> bool | None:
        """Whether the transfer goes on; None: nobody could say."""
        for _ in range(CONFIRMATIONS):
            live = await is_live(self._bus, transfer_id, LIVENESS_TIMEOUT_S)
            if live is not False:
                return live
        return False

    # ── one consultation ─────────────────────────────────────────────────────────────────────────

    def _begin(self, task: ConsultationTask) -> None:
        holding = asyncio.create_task(self._hold(task), name=f"consultation-{task.transfer_id}")
        self._held.add(holding)
        holding.add_done_callback(self._held.discard)
        holding.add_done_callback(log_task_failure)

    async def _hold(self, task: ConsultationTask) -> None:
        """Until it is over, or the transfer is; a bounded life, however often it has to begin again."""
        now = asyncio.get_running_loop().time
        end = now() + MAX_LIFE_S
        try:
            while now() < end:
                try:
                    # No more than `MAX_HELD` enter at once: their door needs no keeper.
                    await Consultation(self._bus, task, self._voice, self._judges, nullcontext()).hold()
                    return
                except RetryableError as error:
                    log.warning("consultation_again", transfer_id=task.transfer_id, why=str(error))
                    await asyncio.sleep(error.after_s)
                if await self._is_live(task.transfer_id) is False:
                    return
        except Exception as error:
            # No dead letter tells whoever waits for the answer: so it is told here.
            detail = f"The consultation could not be held ({type(error).__name__})."
            failed = CommandFailed(command_id=task.join.command_id, failure=FailureKind.BROKEN, detail=detail)
            await publish_reply(self._bus, task.transfer_id, failed)
            raise
