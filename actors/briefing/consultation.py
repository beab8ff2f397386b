"""One consultation from the first knock to the goodbye: join, watch, brief, leave.

The law of this file: whoever holds the consultation is in the room, or is on the way back, or has said that
it is not. It ends in one of these ways:

    told to leave                    ConsultationLeft, done
    the door stays shut              CommandFailed(refused), and the order to leave is still answered
    the room closes, or we are out   the order to leave is still answered, done
    nobody else, and it is over      done; so too after a long time alone, and at the end of a bounded life
    another worker sits in our seat  Retry: the message is the other one's, and ours only should that one die
    the line is lost for good        Retry: anybody may take over
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

import structlog

from warmxfer.adapters import rooms
from warmxfer.bus import Bus
from warmxfer.schemas import (
    BriefSupervisor,
    InvalidRequest,
    JoinConsultation,
    LeaveConsultation,
    RetryableError,
)

from ..common.liveness import CONFIRMATIONS, is_live
from ..runtime.log_setup import log_task_failure
from .consult_commands import ConsultCommands
from .dialogue_runner import DialogueRunner, DialogueSignal
from .event_publisher import ConsultationEvents
from .history import ConsultationHistory
from .reply.classifier import ReplyClassifier

NAME: Final = "Warm Transfer Agent"

MIN_JOIN_S: Final = 5.0
"""A worker that takes over long after the command was due still gets this long for the door."""

JOIN_PAUSE_S: Final = 0.1
JOIN_PAUSE_MAX_S: Final = 1.0
LEAVE_WAIT_S: Final = 30.0
ALONE_S: Final = 600.0
LIVENESS_EVERY_S: Final = 10.0
LIVENESS_TIMEOUT_S: Final = 2.0
"""Who is alone in the room asks so often whether the transfer is still going on."""
MAX_LIFE_S: Final = 3_600.0
MAX_QUEUED_INPUTS: Final = 1_000
LOST_RETRY_S: Final = 0.2
REPLACED_RETRY_ACK_WAITS: Final = 2.0
"""The holder's own progress renews the message long before that."""

log = structlog.get_logger(__name__)

ConsultationInput = rooms.RoomEvent | BriefSupervisor | LeaveConsultation | DialogueSignal


@dataclass(frozen=True, slots=True)
class ConsultationTask:
    """The command, to be carried out once; `budget_s`: for the door."""

    transfer_id: str
    join: JoinConsultation
    seq: int
    budget_s: float

    @classmethod
    def stored(cls, transfer_id: str, join: JoinConsultation, seq: int, at: float) -> ConsultationTask:
        """`join` as the stream keeps it: under `seq`, since `at`."""
        return cls(transfer_id, join, seq, max(join.deadline_at - at, MIN_JOIN_S))


class Consultation:
    """Holds one consultation for its whole life; `hold` may be called once.

    What is read before the room's door, and each try at it, is done inside `door`, which lets through as many
    at a time as may enter.
    """

    def __init__(
        self,
        bus: Bus,
        task: ConsultationTask,
        voice: rooms.RoomSettings,
        judges: ReplyClassifier,
        door: AbstractAsyncContextManager[None],
    ) -> None:
        self._bus = bus
        self._task = task
        self._judges = judges
        self._door = door
        self._log = log.bind(transfer_id=task.transfer_id, room=task.join.room_id)
        self._reporter = ConsultationEvents(bus, task.transfer_id, task.join)
        room_id, participant_id = task.join.room_id, task.join.participant_id
        ticket = rooms.token_source(bus, room_id, participant_id)
        seat = rooms.JoinOptions(room_id, participant_id, NAME, ticket, task.join.supervisor_participant_id)
        self._voice = rooms.open_room_client(voice, seat)
        self._inbox: asyncio.Queue[ConsultationInput] = asyncio.Queue(MAX_QUEUED_INPUTS)
        self._others: set[str] = set()

    async def hold(self) -> None:
        """Returns when it is over; raises `Retry` when another worker shall hold it."""
        async with ConsultCommands(self._bus, self._task.transfer_id, self._task.join.fence) as orders:
            try:
                # Read before we enter: who comes while we do was never gone.
                async with self._door:
                    before = await self._reporter.load_history(self._task.seq)
                presence = await self._enter(orders)
                left = None
                if presence is not None:
                    left = await self._run_in_room(orders, presence, before)
            finally:
                await self._voice.leave()
            leave = left or await self._wait_for_leave(orders)
            if leave is not None:
                await self._reporter.left(leave.command_id)
        self._log.info("consultation_over", told_to_leave=leave is not None)

    # ── the door ─────────────────────────────────────────────────────────────────────────────────

    async def _enter(self, orders: ConsultCommands) -> rooms.RoomSnapshot | None:
        """The room, or None: we were told to leave, or failed and said so."""
        joining = asyncio.create_task(self._join_with_retry())
        try:
            await asyncio.wait((joining, orders.leave), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not joining.done():
                joining.cancel()
            await asyncio.gather(joining, return_exceptions=True)
        try:
            return None if orders.leave.done() else joining.result()
        except (RetryableError, InvalidRequest) as error:
            self._log.warning("consultation_not_joined", why=str(error))
            await self._reporter.failed(str(error))
            return None

    async def _join_with_retry(self) -> rooms.RoomSnapshot:
        """Try until the time for it is over; raises the last `Retry`, or `Refused` at once.

        The time runs from our first turn: how many others this worker has to enter for is not ours to pay.
        """
        now = asyncio.get_running_loop().time
        deadline, pause_s = math.inf, JOIN_PAUSE_S
        while True:
            async with self._door:
                deadline = min(deadline, now() + self._task.budget_s)
                try:
                    return await self._voice.join()
                except RetryableError as error:
                    if now() + pause_s >= deadline:
                        raise
                    self._log.info("consultation_join_waits", why=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, JOIN_PAUSE_MAX_S)

    async def _wait_for_leave(self, orders: ConsultCommands) -> LeaveConsultation | None:
        """Wait for the order to leave, which is answered though we are out already."""
        await asyncio.wait((orders.leave,), timeout=LEAVE_WAIT_S)
        return orders.leave.result() if orders.leave.done() else None

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    async def _run_in_room(
        self, orders: ConsultCommands, presence: rooms.RoomSnapshot, before: ConsultationHistory
    ) -> LeaveConsultation | None:
        """Be there until told to leave (then that order), or until the room is no more (then None)."""
        judges = self._judges.helped_by(self._voice.model)
        teller = DialogueRunner(self._voice, judges, self._reporter, self._task.join, self._note)
        pumps = (
            asyncio.create_task(_pump(self._seen(teller), self._inbox), name="consultation-events"),
            asyncio.create_task(_pump(_each(orders), self._inbox), name="consultation-orders"),
        )
        for pump in pumps:
            pump.add_done_callback(log_task_failure)
        try:
            await self._arrive(teller, presence, before)
            async with asyncio.timeout(MAX_LIFE_S):
                while True:
                    happened = await self._next()
                    if isinstance(happened, LeaveConsultation):
                        return happened
                    if isinstance(happened, rooms.Disconnected):
                        return self._closed(happened.reason)
                    await self._take(teller, happened)
        except TimeoutError:
            self._log.warning("consultation_abandoned", others=len(self._others))
            return None
        finally:
            teller.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _arrive(
        self, teller: DialogueRunner, presence: rooms.RoomSnapshot, before: ConsultationHistory
    ) -> None:
        past = await self._reporter.load_history(self._task.seq)
        if past.decided:
            teller.close()
        await self._reporter.joined(presence, before)
        self._log.info("consultation_joined", others=len(presence.participants), decided=past.decided)
        for participant in presence.participants:
            if participant.id == self._task.join.caller_participant_id:
                teller.caller_came()
            joined = rooms.ParticipantJoinedRoom(participant)
            self._count(joined)
            await teller.take(joined)

    async def _seen(self, teller: DialogueRunner) -> AsyncIterator[rooms.RoomEvent]:
        async for event in self._voice.events():
            match event:
                case rooms.ParticipantJoinedRoom(other) if other.id == self._task.join.caller_participant_id:
                    teller.caller_came()
                case _:
                    pass
            yield event

    async def _next(self) -> ConsultationInput:
        """What happens next; raises `TimeoutError` when we are alone, and for too long, or for nobody."""
        now = asyncio.get_running_loop().time
        since, over = now(), 0
        while True:
            try:
                async with asyncio.timeout(None if self._others else LIVENESS_EVERY_S):
                    return await self._inbox.get()
            except TimeoutError:
                live = await is_live(self._bus, self._task.transfer_id, LIVENESS_TIMEOUT_S)
                over = over + 1 if live is False else 0
                if over >= CONFIRMATIONS or now() - since >= ALONE_S:
                    raise

    async def _take(self, teller: DialogueRunner, happened: ConsultationInput) -> None:
        match happened:
            case rooms.ParticipantJoinedRoom() | rooms.ParticipantLeftRoom() | rooms.AudioStarted():
                self._count(happened)
                await self._reporter.room_event(happened)
        if not isinstance(happened, LeaveConsultation):
            await teller.take(happened)

    def _note(self, note: DialogueSignal) -> None:
        if self._inbox.full():
            self._log.warning("note_dropped", untaken=MAX_QUEUED_INPUTS)
            return
        self._inbox.put_nowait(note)

    def _count(self, event: rooms.RoomEvent) -> None:
        match event:
            case rooms.ParticipantJoinedRoom(other):
                self._others.add(other.id)
            case rooms.ParticipantLeftRoom(who):
                self._others.discard(who)
            case _:
                pass

    def _closed(self, reason: rooms.DisconnectReason) -> None:
        self._log.warning("consultation_closed", reason=reason.value)
        if reason is rooms.DisconnectReason.REPLACED:
            raise RetryableError(
                "Another worker took the seat",
                after_s=REPLACED_RETRY_ACK_WAITS * self._bus.settings.ack_wait_s,
            )
        if reason is rooms.DisconnectReason.LOST:
            raise RetryableError("The connection to the room was lost", after_s=LOST_RETRY_S)


async def _pump(source: AsyncIterator[ConsultationInput], inbox: asyncio.Queue[ConsultationInput]) -> None:
    async for happened in source:
        await inbox.put(happened)


async def _each(orders: ConsultCommands) -> AsyncIterator[ConsultationInput]:
    while True:
        yield await orders.next()
