"""A reported end is confirmed at the provider before it becomes an event: a webhook alone ends no transfer.

A leg that the provider still shows as up keeps its transfer. The provider's own record may be a moment behind
its webhook. So the record is read again for a minute, beside the answer to the webhook.

- Invariant: `CallerCallEnded`, `SupervisorCallEnded` and `ParticipantLeft` are published from a webhook only
  after the provider showed the leg as down, or out of the room.
- Invariant: a provider that does not answer, or does not know the call, confirms nothing. Leg checks and
  deadlines go on.

Test: `tests/actors/gateway/test_webhook_confirmation.py`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import Enum, auto

import structlog

from warmxfer.adapters.telephony import Provider, Rejected
from warmxfer.schemas import (
    CallerCallEnded,
    Event,
    ParticipantLeft,
    RetryableError,
    SupervisorCallEnded,
    participant_ids,
)

from ..runtime.log_setup import log_task_failure
from . import call_marks

FIRST_PAUSES_S = (0.0, 0.3, 0.7)
"""Pauses before the reads while the sender of the webhook waits for its answer."""
LATER_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses before the reads after it was answered."""
READ_TIMEOUT_S = 2.0
CLOSE_TIMEOUT_S = 2 * READ_TIMEOUT_S
GONE_S, MAX_GONE = 10.0, 1_024
"""How long, and of how many people, it is remembered that their leg is down: the room reports it too."""
STOPPED = "the gateway stops"
MAX_WAITING = 256
"""Reported ends that are read again. Beyond it, a leg check has to find the end."""

log = structlog.get_logger(__name__)


class Shown(Enum):
    """What the provider shows of a leg, or a participant, that is said to be gone."""

    GONE = auto()
    THERE = auto()
    UNKNOWN = auto()
    """It has no record of the call, or it did not answer. A webhook can name any call."""


class EndConfirmation:
    """Confirms reported ends, and publishes those that the provider confirms later."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._waiting: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._gone: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def confirm(self, transfer_id: str, event: Event, publish: Callable[[], Awaitable[None]]) -> bool:
        """Return whether the provider confirms `event`, or needs not. Otherwise go on reading.

        `publish` publishes the event. It is called here only if the provider confirms the event later.
        """
        if await self._read(transfer_id, event, FIRST_PAUSES_S) is Shown.GONE:
            return True
        if len(self._waiting) >= MAX_WAITING:
            log.warning("end_not_confirmed", transfer_id=transfer_id, waiting=MAX_WAITING)
            return False
        task = asyncio.create_task(self._publish_later(transfer_id, event, publish), name="end-confirmation")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        task.add_done_callback(log_task_failure)
        return False

    async def aclose(self) -> None:
        """Read each leg a last time. What is not confirmed then is logged: a leg check has to find it.

        The provider does not send a webhook again that was answered, and the next check may be minutes away.
        """
        self._stopping.set()
        if self._waiting:
            _, late = await asyncio.wait(self._waiting, timeout=CLOSE_TIMEOUT_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=READ_TIMEOUT_S)

    async def _publish_later(
        self, transfer_id: str, event: Event, publish: Callable[[], Awaitable[None]]
    ) -> None:
        about = {"transfer_id": transfer_id, "reported": type(event).__name__}
        try:
            shown = await self._read(transfer_id, event, LATER_PAUSES_S)
        except asyncio.CancelledError:
            log.warning("reported_end_unconfirmed", **about, cause=STOPPED)
            raise
        if shown is not Shown.GONE and self._stopping.is_set():
            log.warning("reported_end_unconfirmed", **about, cause=STOPPED)
            return
        if shown is Shown.THERE:
            log.warning("reported_end_contradicted", **about)
            return
        if shown is Shown.UNKNOWN:
            log.warning("reported_end_unconfirmed", **about, cause="the provider shows no such call")
            return
        try:
            await publish()
        except RetryableError as error:
            log.warning("confirmed_end_not_published", transfer_id=transfer_id, error=str(error))

    async def _read(self, transfer_id: str, event: Event, pauses_s: tuple[float, ...]) -> Shown:
        """Read after each pause until the provider shows that the leg is gone. Return what it showed last."""
        shown = Shown.UNKNOWN
        for pause_s in pauses_s:
            is_last = await self._stops_within(pause_s)
            if self._is_known_gone(transfer_id, event):
                return Shown.GONE
            try:
                shown = await self._read_once(transfer_id, event)
            except (RetryableError, Rejected) as error:
                log.info("end_lookup_failed", transfer_id=transfer_id, cause=type(error).__name__)
            if shown is Shown.GONE:
                self._remember_gone(transfer_id, event)
            if shown is Shown.GONE or is_last:
                return shown
        return shown

    async def _stops_within(self, pause_s: float) -> bool:
        """Wait for a pause, or until the gateway stops. Returns whether it stops."""
        try:
            async with asyncio.timeout(pause_s):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _read_once(self, transfer_id: str, event: Event) -> Shown:
        match event:
            case CallerCallEnded(call_id=call_id) | SupervisorCallEnded(call_id=call_id):
                record = await self._provider.look_up_call(call_id, within_s=READ_TIMEOUT_S)
                if record is None:
                    return Shown.UNKNOWN
                return Shown.THERE if record.up else Shown.GONE
            case ParticipantLeft(room_id=room_id, participant_id=participant_id):
                there = await self._is_in_room(transfer_id, room_id, participant_id)
                return Shown.THERE if there else Shown.GONE
            case _:
                return Shown.GONE

    def _is_known_gone(self, transfer_id: str, event: Event) -> bool:
        gone_at = self._gone.get((transfer_id, _role(event)))
        return gone_at is not None and asyncio.get_running_loop().time() < gone_at + GONE_S

    def _remember_gone(self, transfer_id: str, event: Event) -> None:
        """Remember a leg that is down. One that only left a room may join another."""
        if isinstance(event, CallerCallEnded | SupervisorCallEnded):
            self._gone[transfer_id, _role(event)] = asyncio.get_running_loop().time()
            if len(self._gone) > MAX_GONE:
                self._gone.popitem(last=False)

    async def _is_in_room(self, transfer_id: str, room_id: str, participant_id: str) -> bool:
        participant = participant_ids.parse(participant_id)
        if participant is not None and participant.role == "supervisor":
            key = call_marks.attempt_key(transfer_id, participant.attempt or 1)
            legs = await self._provider.find_calls(room_id, participant_id, key, within_s=READ_TIMEOUT_S)
            return any(leg.up and leg.room_id == room_id for leg in legs)
        leg = await self._provider.find_caller_call(room_id, within_s=READ_TIMEOUT_S)
        # The call record of a caller may name no participant.
        return leg is not None and leg.up and leg.participant_id in (None, participant_id)


def _role(event: Event) -> str:
    """Return whose leg or participant an event is about; empty for another event."""
    match event:
        case CallerCallEnded():
            return "caller"
        case SupervisorCallEnded():
            return "supervisor"
        case ParticipantLeft(participant_id=participant_id):
            participant = participant_ids.parse(participant_id)
            return "" if participant is None else participant.role
        case _:
            return ""
