"""Applies hold, release and leave commands to one session. No other module acts on the session.

- Invariant: one command at a time, under one lock.
- Invariant: every command is replied to, also if it ends the session. A repeated command gets the newest
  reply of its transfer.
- Invariant: a hold ends by a command, by its lease or with the session, and in no other way.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import aclosing

import structlog

from warmxfer.bus import Bus
from warmxfer.client.phase_stream import follow_phases
from warmxfer.schemas import (
    AudioStreamEnabled,
    CallerHeld,
    CallerReleased,
    CommandFailed,
    CommandReply,
    Event,
    FailureKind,
    HoldCaller,
    LeaveCall,
    Outcome,
    ParticipantLeft,
    ReleaseCaller,
    ToPrimary,
    WarmTransferPhase,
    apology_for,
)
from warmxfer.schemas.fields import provider_id

from ..common.command_replies import wire_name
from .caller_hold import CallerHold, HoldFailed
from .event_queue import EventQueue
from .fencing import FencingTokens, Freshness
from .hold_lease import wait_until_expired
from .named_tasks import NamedTasks
from .session import Done, Session, guarded_call

MAX_REASON_CHARS = 500
ON_PHASE_TIMEOUT_S = 5.0
STAY_WITHOUT_COORDINATOR_S = 600.0
"""How long the AI session stays after its lease expired without a reply from a coordinator."""
POLL_INTERVAL_S, SEE_TIMEOUT_S = 0.25, 1.0
UNCOMMANDED_RELEASE_LINE = apology_for(Outcome.BROKEN)
HELD_BY_OTHER_TRANSFER = "The caller of this session is held by another transfer."
SESSION_ENDED = "The session has ended, so it holds no caller."

log = structlog.get_logger(__name__)


class SessionController:
    """Holds the caller of one session for one transfer at a time."""

    def __init__(
        self, bus: Bus, session: Session, events: EventQueue, tasks: NamedTasks, lease_s: float
    ) -> None:
        self._bus = bus
        self._session = session
        self._hold = CallerHold(session, tasks)
        self._events = events
        self._tasks = tasks
        self._lease_s = lease_s
        self._fences = FencingTokens()
        self._lock = asyncio.Lock()
        self._instance_id = secrets.token_hex(4)
        self._room_events = 0
        self.holding_transfer: str | None = None
        """The transfer that holds the caller."""
        self.returning_transfer: str | None = None
        """The transfer whose caller was moved and may return. The AI session stays in the room for them."""
        self._caller_known = False
        """Whether the framework reported the caller's id. Only then a missing id means that they left."""
        self.active_transfer: str | None = None
        """The transfer that is notified of room events."""
        self._briefed_transfer: str | None = None
        """The transfer whose briefing is over. `ParticipantLeft` is not published for it any more: a caller
        who is moved also leaves this room.
        """
        self.own_lines = self._hold.own_lines
        """What the session was told to speak."""
        self._guarding_transfer: str | None = None
        """The transfer that is complete and in its bridge guard. A new transfer may take the caller over."""
        self.on_new_stage: Callable[[], None] = lambda: None
        """Called when a transfer that holds the caller has another stage: a command may have been missed."""
        self.ended = asyncio.Event()
        """Set when the session has left the call or has closed by itself."""

    async def apply(self, transfer_id: str, command: ToPrimary) -> None:
        """Apply `command` if it is new, and reply to it unless it is outdated."""
        async with self._lock:
            freshness = self._fences.check(transfer_id, command)
            if freshness is Freshness.OLD:
                log.info("command_outdated", transfer_id=transfer_id, command_id=command.command_id)
            elif freshness is Freshness.REPEAT:
                if reply := self._fences.reply_to(transfer_id):
                    self._publish(transfer_id, reply)
            elif isinstance(command, HoldCaller) and not self._bus.connected:
                # No release could arrive now. The poll after the reconnect decides about this command again.
                log.warning("hold_postponed", transfer_id=transfer_id, command_id=command.command_id)
            else:
                self._fences.advance(transfer_id, command)
                await self._act(transfer_id, command)

    async def skip(self, transfer_id: str, command: ToPrimary) -> None:
        """Mark `command` and all older commands of the transfer as applied, without applying them."""
        async with self._lock:
            if self._fences.check(transfer_id, command) is Freshness.NEW:
                self._fences.advance(transfer_id, command)

    def is_new(self, transfer_id: str, command: ToPrimary) -> bool:
        """Return whether `apply` would apply `command`."""
        return self._fences.check(transfer_id, command) is Freshness.NEW

    async def close(self) -> None:
        """End the session: release a held caller and notify the transfer that holds them."""
        async with self._lock:
            self._stop_waiting()
            if transfer_id := self._clear_holder():
                await self._hold.release()
                self._reply(transfer_id, CallerReleased(command_id=None, cause="session_closed"))
        self._tasks.cancel("lease")

    def participant_left(self, participant_id: str, reason: str) -> None:
        """Notify the active transfer, if there is one whose briefing is not over."""
        if self.active_transfer is not None and self.active_transfer == self._briefed_transfer:
            return
        if provider_id(participant_id) is None:
            return  # None of warmxfer's participants: it gives no id that is as long.
        left = ParticipantLeft(
            room_id=self._session.room_id, participant_id=participant_id, reason=reason[:MAX_REASON_CHARS]
        )
        self._publish_room_event(left)

    def audio_enabled(self, participant_id: str) -> None:
        """Notify the active transfer, if there is one."""
        if provider_id(participant_id) is None:
            return
        enabled = AudioStreamEnabled(room_id=self._session.room_id, participant_id=participant_id)
        self._publish_room_event(enabled)

    # ── one command at a time ────────────────────────────────────────────────────────────────────────

    async def _act(self, transfer_id: str, command: ToPrimary) -> None:
        if isinstance(command, HoldCaller):
            self._end_guard_of_other(transfer_id)
        other_transfer = (self.holding_transfer or self.returning_transfer) not in (None, transfer_id)
        if not other_transfer:
            self._stop_waiting()
        match command:
            case ReleaseCaller() if other_transfer:
                self._reply(transfer_id, CallerReleased(command_id=command.command_id))
            case _ if other_transfer:
                self._reply(transfer_id, _refused(command, HELD_BY_OTHER_TRANSFER))
            case HoldCaller() if self.ended.is_set():
                self._reply(transfer_id, _refused(command, SESSION_ENDED))
            case HoldCaller():
                await self._hold_caller(transfer_id, command)
            case ReleaseCaller():
                await self._release_caller(transfer_id, command)
            case LeaveCall():
                await self._leave_call()

    def _end_guard_of_other(self, transfer_id: str) -> None:
        """Let a new transfer take the caller over from a complete one, which is notified."""
        guarded = self._guarding_transfer
        if (
            guarded is None
            or transfer_id == guarded
            or (self.holding_transfer or self.returning_transfer) != guarded
        ):
            return
        self._tasks.cancel("lease")
        self._stop_waiting()
        self.holding_transfer = self._guarding_transfer = None
        self._fences.retire(guarded)
        self._publish(guarded, CallerReleased(command_id=None, cause="new_transfer"))

    async def _hold_caller(self, transfer_id: str, command: HoldCaller) -> None:
        try:
            await self._hold.enter()
        except HoldFailed as error:
            self._reply(transfer_id, _refused(command, str(error)))
            return
        self.holding_transfer = self.active_transfer = transfer_id
        caller = await self._see_caller()
        caller_id = provider_id(caller.value) if caller else None
        self._caller_known = caller_id is not None
        self._reply(transfer_id, CallerHeld(command_id=command.command_id, caller_participant_id=caller_id))
        self._hold.say(command.line, interruptible=False)
        self._tasks.start("lease", self._watch_lease(transfer_id))
        self._tasks.start("phases", self._relay_phases(transfer_id))

    async def _release_caller(self, transfer_id: str, command: ReleaseCaller) -> None:
        self._tasks.cancel("lease")
        self.holding_transfer = None
        await self._hold.release(stay=command.stay_s > 0)
        self._reply(transfer_id, CallerReleased(command_id=command.command_id))
        if command.stay_s > 0:
            self._wait_for_caller(transfer_id, command.stay_s, command.line)
        if command.line and not (command.stay_s > 0 and self._caller_known):
            self._hold.say(command.line, interruptible=True)

    async def _leave_call(self) -> None:
        self._tasks.cancel("lease")
        self.holding_transfer = None
        await self._hold.leave()
        # No reply: the transfer is over, and no coordinator waits for one.
        self.ended.set()

    async def _release_without_command(self, *, transfer_over: bool) -> None:
        """Release the caller after the lease expired, and wait for them if they were moved.

        Unless `transfer_over`, the AI session stays even if the caller is present. Once the broker is
        reachable again, the transfer may still move the caller and return them.
        """
        async with self._lock:
            if (transfer_id := self._clear_holder()) is None:
                return
            caller = await self._see_caller()
            caller_absent = self._caller_known and caller is not None and caller.value is None
            stays = caller_absent or caller is None or not transfer_over
            await self._hold.release(stay=stays)
            self._reply(transfer_id, CallerReleased(command_id=None, cause="bus_silent"))
            if not caller_absent:
                self._hold.say(UNCOMMANDED_RELEASE_LINE, interruptible=True)
            if stays:
                line = UNCOMMANDED_RELEASE_LINE if caller_absent else None
                self._wait_for_caller(
                    transfer_id, STAY_WITHOUT_COORDINATOR_S, line, full_time=not transfer_over
                )

    def _clear_holder(self) -> str | None:
        transfer_id, self.holding_transfer = self.holding_transfer, None
        return transfer_id

    # ── after the caller was moved ───────────────────────────────────────────────────────────────────

    def _wait_for_caller(
        self, transfer_id: str, stay_s: float, line: str | None, *, full_time: bool = False
    ) -> None:
        self.returning_transfer = transfer_id
        self._tasks.start("stay", self._stay_for_caller(stay_s, line, full_time))

    def _stop_waiting(self) -> None:
        self.returning_transfer = None
        self._tasks.cancel("stay")

    async def _stay_for_caller(self, stay_s: float, line: str | None, full_time: bool) -> None:
        """Wait until the caller returns or `stay_s` is over, then restore auto-end.

        A caller who returns hears `line`. `full_time`: stay for all of `stay_s` even if the caller returned,
        because the transfer may move them again.
        """
        deadline_at = asyncio.get_running_loop().time() + stay_s
        returned = await self._wait_for_return(deadline_at)
        log.info("wait_for_caller_ended", room_id=self._session.room_id, returned=returned)
        if line and returned:
            self._hold.say(line, interruptible=True)
        if full_time:
            await asyncio.sleep(deadline_at - asyncio.get_running_loop().time())
        async with self._lock:
            self.returning_transfer = None
            await self._hold.restore_auto_end()

    async def _wait_for_return(self, deadline_at: float) -> bool:
        """Block until the caller is in the room. Returns False at `deadline_at` of the loop's clock."""
        while asyncio.get_running_loop().time() < deadline_at:
            caller = await self._see_caller(log_failure=False)
            if caller is not None and caller.value is not None:
                return True
            await asyncio.sleep(POLL_INTERVAL_S)
        return False

    # ── while a transfer runs ────────────────────────────────────────────────────────────────────────

    async def _watch_lease(self, transfer_id: str) -> None:
        transfer_over = await wait_until_expired(
            self._bus, transfer_id, self._lease_s, lambda: self.on_new_stage()
        )
        log.error(
            "caller_released_without_command",
            transfer_id=transfer_id,
            lease_s=self._lease_s,
            transfer_over=transfer_over,
        )
        await self._release_without_command(transfer_over=transfer_over)

    async def _relay_phases(self, transfer_id: str) -> None:
        async with aclosing(follow_phases(self._bus, transfer_id)) as phases:
            async for phase in phases:
                if phase.phase is WarmTransferPhase.BRIEFING_COMPLETE:
                    self._briefed_transfer = transfer_id
                if phase.phase is WarmTransferPhase.TRANSFER_COMPLETE:
                    self._guarding_transfer = transfer_id
                if phase.phase.final and self.active_transfer == transfer_id:
                    self.active_transfer = None
                await guarded_call(
                    "on_phase", lambda phase=phase: self._session.on_phase(phase), ON_PHASE_TIMEOUT_S
                )

    async def _see_caller(self, *, log_failure: bool = True) -> Done[str | None] | None:
        """Return the caller's id as the framework has it. Returns None if the framework raises."""

        async def ask() -> str | None:
            return self._session.caller_participant_id

        return await guarded_call("caller_participant_id", ask, SEE_TIMEOUT_S, log_failure=log_failure)

    # ── published events ─────────────────────────────────────────────────────────────────────────────

    def _reply(self, transfer_id: str, event: Event) -> None:
        self._fences.record_reply(transfer_id, event)
        self._publish(transfer_id, event)

    def _publish(self, transfer_id: str, event: Event) -> None:
        command_id = event.command_id if isinstance(event, CommandReply | CallerReleased) else None
        cause = event.cause if isinstance(event, CallerReleased) else ""
        self._events.enqueue(
            transfer_id, event, f"{command_id or f'{transfer_id}:{cause}'}:{wire_name(event)}"
        )

    def _publish_room_event(self, event: Event) -> None:
        if self.active_transfer is not None:
            self._room_events += 1
            msg_id = f"{self.active_transfer}:{wire_name(event)}:{self._instance_id}:{self._room_events}"
            self._events.enqueue(self.active_transfer, event, msg_id)


def _refused(command: ToPrimary, detail: str) -> CommandFailed:
    return CommandFailed(command_id=command.command_id, failure=FailureKind.REFUSED, detail=detail)
