"""One consultation: join the room, watch it, brief the supervisor, leave.

Invariant: the agent of a running consultation is in the room, or joining it, or has published that it is
outside. A consultation ends in one of these ways:

    LeaveConsultation received           publishes ConsultationLeft
    join refused, or not done in time    publishes CommandFailed; still replies to LeaveConsultation
    room closed, or agent removed        still replies to LeaveConsultation
    transfer not live, or lost           ends, after replying to LeaveConsultation if it comes
    agent alone for `MAX_ALONE_S`        the same
    `MAX_CONSULTATION_S` over            the same
    another worker joined with our id    raises RetryableError; redelivered only if that worker dies
    connection to the room lost          raises RetryableError; any worker may continue
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import structlog
from msgspec import structs

from warmxfer.adapters import rooms
from warmxfer.bus import Bus
from warmxfer.bus.small_queue import SmallQueue
from warmxfer.schemas import (
    BriefSupervisor,
    InvalidRequest,
    JoinConsultation,
    LeaveConsultation,
    RetryableError,
)

from ..common.liveness import is_live
from ..common.liveness_watch import watching_end
from ..common.log_check import LogCheck
from ..runtime.log_setup import log_task_failure
from .consult_commands import ConsultCommands
from .dialogue_runner import DialogueRunner, DialogueSignal
from .event_publisher import ConsultationEvents
from .history import ConsultationHistory
from .reply.classifier import ReplyClassifier
from .reply.rules import prepare_in_thread

DISPLAY_NAME: Final = "Warm Transfer Agent"
"""Name of the agent in the room's list of participants."""

MIN_JOIN_S: Final = 5.0
"""Minimum time to join. A worker may get the command long after its deadline, as on a takeover."""

JOIN_PAUSE_S: Final = 0.1
JOIN_PAUSE_MAX_S: Final = 1.0
LEAVE_WAIT_S: Final = 30.0
"""How long an agent outside the room waits for LeaveConsultation, to reply to it."""
MAX_ALONE_S: Final = 600.0
"""Longest time alone in the room without any input, even if the transfer is live."""
LIVENESS_INTERVAL_S: Final = 10.0
"""How often an agent in the room asks whether its transfer is live. It leaves after two negative replies."""
LIVENESS_TIMEOUT_S: Final = 2.0
LIVENESS_QUERIES: Final = 3
"""Queries after a reconnect until a coordinator replies."""
MAX_CONSULTATION_S: Final = 3_600.0
"""Longest consultation, so that an agent cannot stay in a room for ever."""
MAX_QUEUED_INPUTS: Final = 1_000
JOIN_CANCEL_S: Final = 2.0
LOST_RETRY_S: Final = 0.2
REPLACED_RETRY_ACK_WAITS: Final = 2.0
"""Delay before redelivery, in ack waits of the bus, after another worker has joined with our id.

The other worker reports progress for the same message long before that, so only its death brings it back.
"""

log = structlog.get_logger(__name__)


class TransferOver(Enum):
    """The coordinators said that the transfer is over, or that its log is lost."""

    OVER = auto()


ConsultationInput = rooms.RoomEvent | BriefSupervisor | LeaveConsultation | DialogueSignal | TransferOver


@dataclass(frozen=True, slots=True)
class ConsultationTask:
    """One JoinConsultation, stored at `at`; `budget_s` is the time to join.

    `role` is the actor whose process runs it, and which says its events. `session` is the session in whose
    process it runs; None in a briefing worker. `is_first`: the command was delivered for the first time, so
    no other worker has begun the consultation, as far as the broker knows.
    """

    transfer_id: str
    join: JoinConsultation
    at: float
    role: str
    budget_s: float
    session: str | None = None
    is_first: bool = False

    @classmethod
    def stored(
        cls,
        transfer_id: str,
        join: JoinConsultation,
        at: float,
        role: str,
        session: str | None = None,
        *,
        is_first: bool = False,
    ) -> ConsultationTask:
        """Return the task for `join`, which the stream stored at time `at`."""
        budget_s = max(join.deadline_at - at, MIN_JOIN_S)
        return cls(transfer_id, join, at, role, budget_s, session, is_first)


class Consultation:
    """One consultation, from joining to leaving. Call `run` once.

    Reading the history and each attempt to join happen inside `join_limit`. It limits how many rooms one
    process joins at a time.
    """

    def __init__(
        self,
        bus: Bus,
        check: LogCheck,
        task: ConsultationTask,
        room_settings: rooms.RoomSettings,
        classifier: ReplyClassifier,
        join_limit: AbstractAsyncContextManager[None],
    ) -> None:
        self._bus = bus
        self._check = check
        self._task = task
        self._classifier = classifier
        self._join_limit = join_limit
        self._log = log.bind(transfer_id=task.transfer_id, room=task.join.room_id)
        self._events = ConsultationEvents(bus, task.transfer_id, task.join, task.role)
        room_id, participant_id = task.join.room_id, task.join.participant_id
        tokens = rooms.token_source(bus, room_id, participant_id, session=task.session)
        options = rooms.JoinOptions(
            room_id, participant_id, DISPLAY_NAME, tokens, task.join.supervisor_participant_id
        )
        self._room = rooms.open_room_client(room_settings, options)
        self._inputs = SmallQueue[ConsultationInput](MAX_QUEUED_INPUTS)
        self._other_participants: set[str] = set()
        self._own_tasks: set[asyncio.Task[None]] = set()
        self._reconnected = False
        self._republishing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Run the consultation to its end.

        Raises RetryableError if another worker must continue it.
        """
        async with ConsultCommands(
            self._bus,
            self._check,
            self._task.transfer_id,
            self._task.join.fence,
            self._task.role,
            is_first=self._task.is_first,
        ) as commands:
            try:
                await prepare_in_thread()
                # Read before joining: a participant who arrives during the join must not count as left.
                async with self._join_limit:
                    history_before_join = await self._events.load_history(self._task.at)
                snapshot = await self._join(commands)
                leave = None
                if snapshot is not None:
                    leave = await self._run_in_room(commands, snapshot, history_before_join)
            finally:
                await self._room.leave()
            leave = leave or await self._wait_for_leave(commands)
            if leave is not None:
                await self._events.publish_left(leave.command_id)
        self._log.info("consultation_ended", leave_received=leave is not None)

    # ── joining ──────────────────────────────────────────────────────────────────────────────────

    async def _join(self, commands: ConsultCommands) -> rooms.RoomSnapshot | None:
        """Join the room, and return what is in it.

        Returns None if LeaveConsultation arrived first, or if joining failed. A failure is published.
        """
        join_task = asyncio.create_task(self._join_with_retry())
        try:
            await asyncio.wait((join_task, commands.leave), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not join_task.done():
                join_task.cancel()
                # A framework that ignores its cancellation must not keep the agent from leaving.
                await asyncio.wait((join_task,), timeout=JOIN_CANCEL_S)
        try:
            return None if commands.leave.done() else join_task.result()
        except (RetryableError, InvalidRequest) as error:
            self._log.warning("consultation_join_failed", why=str(error))
            await self._events.publish_failed(str(error))
            return None

    async def _join_with_retry(self) -> rooms.RoomSnapshot:
        """Retry the join until `budget_s` is over.

        Raises the last RetryableError then, and InvalidRequest at once. The time starts when `join_limit`
        first lets this consultation through, so waiting behind other rooms does not count.
        """
        now = asyncio.get_running_loop().time
        deadline, pause_s = math.inf, JOIN_PAUSE_S
        while True:
            async with self._join_limit:
                deadline = min(deadline, now() + self._task.budget_s)
                try:
                    return await self._room.join()
                except RetryableError as error:
                    if now() + pause_s >= deadline:
                        raise
                    self._log.info("consultation_join_retried", why=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, JOIN_PAUSE_MAX_S)

    async def _wait_for_leave(self, commands: ConsultCommands) -> LeaveConsultation | None:
        """Wait up to `LEAVE_WAIT_S` for LeaveConsultation: it needs a reply although the agent has left."""
        await asyncio.wait((commands.leave,), timeout=LEAVE_WAIT_S)
        return commands.leave.result() if commands.leave.done() else None

    # ── in the room ──────────────────────────────────────────────────────────────────────────────

    async def _run_in_room(
        self,
        commands: ConsultCommands,
        snapshot: rooms.RoomSnapshot,
        history_before_join: ConsultationHistory,
    ) -> LeaveConsultation | None:
        """Handle inputs until LeaveConsultation, and return it; None if the consultation ends before."""
        classifier = self._classifier.with_fallback_model(self._room.model)
        dialogue = DialogueRunner(self._room, classifier, self._events, self._task.join, self._enqueue_signal)
        reader = asyncio.create_task(self._read_room(dialogue), name="consultation-events")
        reader.add_done_callback(log_task_failure)
        unregister = self._bus.on_reconnect(self._on_reconnect)
        commands.forward_to(self._enqueue)
        try:
            with watching_end(
                self._bus,
                self._task.transfer_id,
                LIVENESS_INTERVAL_S,
                LIVENESS_TIMEOUT_S,
                on_over=lambda: self._enqueue(TransferOver.OVER),
                on_new_stage=commands.read_again,
            ):
                return await self._handle_inputs(dialogue, snapshot, history_before_join)
        finally:
            dialogue.close()
            unregister()
            for task in (reader, *self._own_tasks):
                task.cancel()
            await asyncio.gather(reader, *self._own_tasks, return_exceptions=True)

    async def _handle_inputs(
        self,
        dialogue: DialogueRunner,
        snapshot: rooms.RoomSnapshot,
        history_before_join: ConsultationHistory,
    ) -> LeaveConsultation | None:
        try:
            await self._publish_snapshot(dialogue, snapshot, history_before_join)
            async with asyncio.timeout(MAX_CONSULTATION_S):
                while True:
                    received = await self._next_input()
                    if isinstance(received, LeaveConsultation):
                        await dialogue.finish_speaking(received.notice, received.finish_s)
                        return received
                    if isinstance(received, rooms.Disconnected):
                        return self._handle_disconnect(received.reason)
                    if isinstance(received, TransferOver):
                        self._log.warning("consultation_transfer_over", others=len(self._other_participants))
                        return None
                    await self._handle(dialogue, received)
        except TimeoutError:
            self._log.warning("consultation_abandoned", others=len(self._other_participants))
            return None

    async def _publish_snapshot(
        self, dialogue: DialogueRunner, snapshot: rooms.RoomSnapshot, history_before_join: ConsultationHistory
    ) -> None:
        history = history_before_join
        # No other worker is in the room if none was told to join and none has published anything.
        if not (self._task.is_first and self._events.none_stored):
            history = await self._events.load_history(self._task.at)
        if history.decided:
            dialogue.close()
        await self._events.publish_joined(snapshot, history_before_join)
        self._log.info("consultation_joined", others=len(snapshot.participants), decided=history.decided)
        for participant in snapshot.participants:
            if participant.id == self._task.join.caller_participant_id:
                dialogue.caller_joined()
            joined = rooms.ParticipantJoinedRoom(participant)
            self._track_presence(joined)
            await dialogue.handle(joined)

    async def _read_room(self, dialogue: DialogueRunner) -> None:
        """Put what happens in the room into the queue of inputs, until the client of the room ends."""
        async for event in self._room.events():
            match event:
                case rooms.ParticipantJoinedRoom(participant) if (
                    participant.id == self._task.join.caller_participant_id
                ):
                    dialogue.caller_joined()
                case _:
                    pass
            await self._inputs.put(event)

    async def _next_input(self) -> ConsultationInput:
        """Return the next input. Raises TimeoutError if the agent is alone for `MAX_ALONE_S`."""
        if self._other_participants or self._inputs:
            received = await self._inputs.get()
        else:
            async with asyncio.timeout(MAX_ALONE_S):
                received = await self._inputs.get()
        return self._with_audio(received) if isinstance(received, rooms.ParticipantJoinedRoom) else received

    def _with_audio(self, joined: rooms.ParticipantJoinedRoom) -> rooms.ParticipantJoinedRoom:
        """Return `joined` with the audio that the next input reports, if that has arrived too."""
        participant = joined.participant
        if self._inputs.first != rooms.AudioStarted(participant.id):
            return joined
        self._inputs.get_nowait()
        return rooms.ParticipantJoinedRoom(structs.replace(participant, audible=True))

    def _enqueue(self, received: BriefSupervisor | LeaveConsultation | TransferOver) -> None:
        """Put a command, or the end of the transfer, into the queue. Nothing is dropped if it is full."""
        if self._inputs.full:
            self._start(self._inputs.put(received))
        else:
            self._inputs.put_nowait(received)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` as a task that ends with the consultation."""
        task = asyncio.create_task(work)
        self._own_tasks.add(task)
        task.add_done_callback(self._own_tasks.discard)
        task.add_done_callback(log_task_failure)
        return task

    async def _on_reconnect(self) -> None:
        self._reconnected = True
        if self._republishing is None or self._republishing.done():
            self._republishing = self._start(self._publish_again())

    async def _publish_again(self) -> None:
        """After a reconnect, publish again what the stream has lost of a transfer that is live."""
        while self._reconnected:
            self._reconnected = False
            try:
                if await self._live_after_reconnect():
                    await self._events.publish_again()
            except RetryableError as error:
                self._log.warning("events_not_published_again", why=str(error))

    async def _live_after_reconnect(self) -> bool:
        """Return whether the transfer is live. The coordinators reconnect at the same time, so ask again."""
        for _ in range(LIVENESS_QUERIES):
            live = await is_live(self._bus, self._task.transfer_id, LIVENESS_TIMEOUT_S)
            if live is not None:
                return live
            await asyncio.sleep(LIVENESS_TIMEOUT_S)
        return False

    async def _handle(self, dialogue: DialogueRunner, received: ConsultationInput) -> None:
        match received:
            case rooms.ParticipantJoinedRoom() | rooms.ParticipantLeftRoom() | rooms.AudioStarted():
                self._track_presence(received)
                await self._events.publish_room_event(received)
        if not isinstance(received, LeaveConsultation | TransferOver):
            await dialogue.handle(received)

    def _enqueue_signal(self, signal: DialogueSignal) -> None:
        if self._inputs.full:
            self._log.warning("dialogue_signal_dropped", queued=MAX_QUEUED_INPUTS)
            return
        self._inputs.put_nowait(signal)

    def _track_presence(self, event: rooms.RoomEvent) -> None:
        match event:
            case rooms.ParticipantJoinedRoom(participant):
                self._other_participants.add(participant.id)
            case rooms.ParticipantLeftRoom(participant_id):
                self._other_participants.discard(participant_id)
            case _:
                pass

    def _handle_disconnect(self, reason: rooms.DisconnectReason) -> None:
        self._log.warning("consultation_disconnected", reason=reason.value)
        if reason is rooms.DisconnectReason.REPLACED:
            raise RetryableError(
                "Another worker joined the room with the same participant id",
                after_s=REPLACED_RETRY_ACK_WAITS * self._bus.settings.ack_wait_s,
            )
        if reason is rooms.DisconnectReason.LOST:
            raise RetryableError("The connection to the room was lost", after_s=LOST_RETRY_S)
