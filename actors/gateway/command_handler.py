"""Carries out the commands of the gateway's queue.

`HANDLERS` maps each command type to its handler. A handler returns the reply, or None if the command has
expired, or raises `RetryableError` to be called again later. The reply is published before the command is
acknowledged.

Invariant: a command of `CHECKED` is carried out only if the log of its transfer has sent it and still wants
it. Test: `tests/actors/gateway/test_log_check.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from msgspec.structs import replace

from warmxfer.adapters.telephony import NotSent, RequestRate, Turns, Urgency, request_turns
from warmxfer.bus import Bus, Delivery
from warmxfer.schemas import (
    CheckLegs,
    CloseRoom,
    Command,
    CommandReply,
    CreateRoom,
    DialSupervisor,
    EndCall,
    FindCallerCall,
    InternalError,
    RecordParticipant,
    RescueCaller,
    RetryableError,
    ReturnCaller,
    SwitchCaller,
    WarmxferError,
)

from ..common.command_replies import command_rejected, publish_reply, read_command
from ..common.dead_letter_replies import reply_to_dead_letter
from ..common.log_check import LogCheck, NotSentByLog
from .context import CLEAN_UP_S, LOOK_UP_RESERVE_S, GatewayContext
from .handlers.dial import dial_supervisor, end_call
from .handlers.legs import check_legs, find_caller_call
from .handlers.record import record_participant
from .handlers.rescue import rescue_caller
from .handlers.return_caller import return_caller
from .handlers.rooms import close_room, create_room
from .handlers.switch import switch_caller
from .handlers.without_log import WITHOUT_LOG

ROLE = "gateway"

Handler = Callable[[GatewayContext, str, Any], Awaitable[CommandReply | None]]
log = structlog.get_logger(__name__)

HANDLERS: Mapping[type[Command], Handler] = {
    FindCallerCall: find_caller_call,
    CreateRoom: create_room,
    DialSupervisor: dial_supervisor,
    SwitchCaller: switch_caller,
    ReturnCaller: return_caller,
    RescueCaller: rescue_caller,
    EndCall: end_call,
    CheckLegs: check_legs,
    RecordParticipant: record_participant,
    CloseRoom: close_room,
}
COMMANDS = (*HANDLERS,)

CHECKED = (
    DialSupervisor,
    SwitchCaller,
    ReturnCaller,
    RescueCaller,
    EndCall,
    RecordParticipant,
    CloseRoom,
)
"""Commands that change a call or a room. The log of their transfer must hold them.

To create the room of the transfer itself needs no check: it is idempotent.
"""
WITHOUT_LOG_AFTER = 6
"""Deliveries of a clean-up command, over some seconds, after which a log that is not found counts as gone."""

URGENCY: Mapping[type[Command], Urgency] = {
    ReturnCaller: Urgency.CALLER,
    RescueCaller: Urgency.CALLER,
    SwitchCaller: Urgency.CLEAN_UP,
    EndCall: Urgency.CLEAN_UP,
    CloseRoom: Urgency.CLEAN_UP,
    CheckLegs: Urgency.RUNNING,
    RecordParticipant: Urgency.RUNNING,
    FindCallerCall: Urgency.NEW,
    CreateRoom: Urgency.NEW,
    DialSupervisor: Urgency.NEW,
}
"""Whose requests the provider gets first where its rate limit makes them wait."""

REQUEST_S = 1.0
"""Time that a request to the provider needs at least after it has waited for the rate limit."""
NOTED_WAIT_S = 0.5
"""Waits for the rate limit that a reply names."""


class CommandHandler:
    """Carries out each command of the gateway's queue and replies to it."""

    def __init__(self, bus: Bus, context: GatewayContext, rate: RequestRate, check: LogCheck) -> None:
        self._bus = bus
        self._context = context
        self._rate = rate
        self._check = check

    async def handle(self, delivery: Delivery) -> None:
        """Execute one command and publish its reply."""
        self._context.clock.observe(delivery.at)
        command = read_command(delivery, COMMANDS, ROLE)
        checked = isinstance(command, CHECKED) or (
            isinstance(command, CreateRoom) and command.key != delivery.transfer_id
        )
        with request_turns(self._rate, delivery.transfer_id, URGENCY[type(command)]) as turns:
            try:
                if checked and not await self._is_wanted(delivery, command):
                    return
                reply = await self._execute(HANDLERS[type(command)], delivery.transfer_id, command, turns)
            except WarmxferError:
                raise
            except Exception as error:
                raise InternalError(f"{type(command).__name__} failed with {type(error).__name__}") from error
        kind = type(reply).__name__
        log.info("command_handled", transfer_id=delivery.transfer_id, command=command.command_id, reply=kind)
        if reply is not None:
            if turns.waited_s >= NOTED_WAIT_S:
                reply = replace(reply, rate_wait_s=round(turns.waited_s, 1))
            await publish_reply(self._bus, delivery.transfer_id, reply, role=ROLE)

    async def _is_wanted(self, delivery: Delivery, command: Command) -> bool:
        """Return whether the log wants `command`. Clean-up whose log is gone is done here."""
        try:
            return await self._check.is_wanted(delivery, ROLE)
        except RetryableError:
            clean_up = WITHOUT_LOG.get(type(command))
            if delivery.delivery_count < WITHOUT_LOG_AFTER:
                raise  # One read that is behind refuses nothing, even after the deadline.
            if clean_up is None and not isinstance(command, ReturnCaller) and self._context.expired(command):
                raise NotSentByLog("The log did not hold the command until its deadline") from None
            if clean_up is None:
                raise
            if await self._check.exists(delivery.transfer_id):
                raise
        await clean_up(self._context, delivery.transfer_id, command)
        return False

    async def _execute(
        self, handler: Handler, transfer_id: str, command: Command, turns: Turns
    ) -> CommandReply | None:
        """Execute `command` once its first request has its turn, so that no effect waits after its claim."""
        urgent = URGENCY[type(command)] < Urgency.NEW
        reply_by = self._context.reply_deadline(command, at_least_s=CLEAN_UP_S if urgent else 0.0)
        try:
            await turns.reserve(reply_by - LOOK_UP_RESERVE_S - REQUEST_S)
        except NotSent as error:
            if not urgent:
                return command_rejected(command, error)
        return await handler(self._context, transfer_id, command)

    async def on_dead_letter(self, delivery: Delivery, cause: str) -> None:
        """Reply `CommandFailed` to a dead-lettered command."""
        await reply_to_dead_letter(self._bus, self._check, delivery, COMMANDS, cause, role=ROLE)
