"""The gateway as an actor: the only process that calls the telephony provider and holds its secret.

`HANDLERS` maps each command type to its handler. A handler returns the reply, or None if the command has
expired, or raises `RetryableError` to be called again later. The reply is published before the command is
acknowledged.

Invariant: a command of `CHECKED` is carried out only if the log of its transfer has sent it and still wants
it. Test: `tests/actors/gateway/test_log_check.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from warmxfer.adapters.telephony import (
    NotSent,
    OutcomeUnknown,
    Provider,
    Rejected,
    RequestRate,
    Turns,
    Urgency,
    request_turns,
)
from warmxfer.bus import BrokerClock, Bus, DeadLetter, Delivery, NewerVersionNeeded, Worker
from warmxfer.schemas import (
    CheckLegs,
    CloseRoom,
    Command,
    CommandFailed,
    CommandReply,
    CreateRoom,
    DecodeError,
    DialSupervisor,
    EndCall,
    FailureKind,
    FindCallerCall,
    InternalError,
    NewerMessage,
    RecordParticipant,
    RescueCaller,
    RetryableError,
    ReturnCaller,
    SwitchCaller,
    WarmxferError,
    decode_as,
    decode_command,
)
from warmxfer.schemas.fields import Id

from ..common.capacity import CapacityAnnouncer, CapacityFollower, RoleCapacity, new_instance
from ..common.command_replies import (
    MAX_DETAIL_CHARS,
    command_rejected,
    publish_event,
    publish_reply,
    why_unreadable,
)
from ..common.log_check import LogCheck, NotSentByLog
from ..common.sent_by_log import Held
from . import webhook_server
from .at_most_once import EffectClaims
from .context import CLEAN_UP_S, LOOK_UP_RESERVE_S, GatewayContext
from .dial_counters import DialCounters
from .handlers.dial import dial_supervisor, end_call
from .handlers.legs import check_legs, find_caller_call
from .handlers.record import record_participant
from .handlers.rescue import rescue_caller
from .handlers.return_caller import return_caller
from .handlers.rooms import close_room, create_room
from .handlers.switch import switch_caller
from .handlers.without_log import WITHOUT_LOG
from .orphan_calls import OrphanCallReaper
from .rate_sharing import LiveGateways
from .room_tokens import serve_room_tokens
from .settings import GatewaySettings
from .webhook_health import WebhookHealth
from .webhooks import Webhooks, path_of

ROLE = "gateway"

Handler = Callable[[GatewayContext, str, Any], Awaitable[CommandReply | None]]
OnReady = Callable[[str | None], None]
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


class CommandId(msgspec.Struct):
    """The part of an undecodable command that a reply needs."""

    command_id: Id


class Gateway:
    """Handler of every command on the gateway queue."""

    def __init__(self, bus: Bus, context: GatewayContext, rate: RequestRate, check: LogCheck) -> None:
        self._bus = bus
        self._context = context
        self._rate = rate
        self._check = check

    async def handle(self, delivery: Delivery) -> None:
        """Execute one command and publish its reply."""
        self._context.clock.observe(delivery.at)
        try:
            command = decode_command(delivery.data)
        except NewerMessage as error:
            raise NewerVersionNeeded(f"This {ROLE} does not know the command: {error}") from error
        except DecodeError as error:
            raise DeadLetter("The message is not a command") from error
        handler = HANDLERS.get(type(command))
        if handler is None:
            raise DeadLetter(f"{type(command).__name__} is not a command for the {ROLE}")
        checked = isinstance(command, CHECKED) or (
            isinstance(command, CreateRoom) and command.key != delivery.transfer_id
        )
        if checked and not await self._is_wanted(delivery, command):
            return
        with request_turns(self._rate, delivery.transfer_id, URGENCY[type(command)]) as turns:
            try:
                reply = await self._execute(handler, delivery.transfer_id, command, turns)
            except WarmxferError:
                raise
            except Exception as error:
                raise InternalError(f"{type(command).__name__} failed with {type(error).__name__}") from error
        kind = type(reply).__name__
        log.info("command_handled", transfer_id=delivery.transfer_id, command=command.command_id, reply=kind)
        if reply is not None:
            if turns.waited_s >= NOTED_WAIT_S:
                reply = replace(reply, rate_wait_s=round(turns.waited_s, 1))
            await publish_reply(self._bus, delivery.transfer_id, reply, role="gateway")

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
        """Reply `CommandFailed` to a dead-lettered command, if its log has sent it."""
        if await self._check.find(delivery.transfer_id, delivery.data) is not Held.SENT:
            log.warning("dead_letter_not_replied_to", transfer_id=delivery.transfer_id, seq=delivery.seq)
            return
        try:
            broken = decode_as(CommandId, delivery.data)
        except DecodeError:
            log.warning("dead_letter_without_command_id", transfer_id=delivery.transfer_id)
            return
        detail = cause[:MAX_DETAIL_CHARS]
        reply = CommandFailed(command_id=broken.command_id, failure=FailureKind.BROKEN, detail=detail)
        await publish_reply(self._bus, delivery.transfer_id, reply, role="gateway")


async def run(bus: Bus, settings: GatewaySettings, *, ready: OnReady | None = None) -> None:
    """Serve until cancelled.

    Calls `ready(url)` once commands and webhooks are served. `url` is the address of the webhooks, or None if
    webhooks are off. The process is unready while no connection to the provider can be opened, and while the
    provider refuses the credentials.
    """
    async with AsyncExitStack() as stack:
        rate = RequestRate(settings.provider_rate)
        stack.enter_context(request_turns(rate, "", Urgency.BACKGROUND))
        stack.callback(bus.readiness.add_note("provider", rate.why_slow))
        webhooks = WebhookHealth()
        provider, url = await _open(bus, settings, webhooks, stack)
        stack.callback(bus.readiness.add("provider", lambda: _why_unusable(provider)))
        clock = BrokerClock()
        effects = EffectClaims(bus, clock, timeout_s=provider.timeout_s, settle_s=settings.settle_s)
        publish = partial(publish_event, bus, role="gateway")
        check = LogCheck(bus)
        gateway = Gateway(
            bus,
            GatewayContext(
                provider,
                settings.policy,
                clock,
                effects,
                publish,
                DialCounters(bus, clock, settings.limits),
                webhooks,
                settings.deployment,
            ),
            rate,
            check,
        )
        for responder in serve_room_tokens(bus, provider, check):
            await stack.enter_async_context(responder)
        instance = new_instance()
        gateways = LiveGateways(instance)

        def capacity() -> RoleCapacity:
            wait_s = round(rate.wait_s(Urgency.NEW), 1)
            per_s = round(rate.per_s, 6)
            return RoleCapacity(instance, settings.jobs, worker.in_flight, wait_s=wait_s, rate_per_s=per_s)

        def on_capacity(_: str, heard: RoleCapacity) -> None:
            rate.share_with(gateways.heard(heard, asyncio.get_running_loop().time()))

        announcer = CapacityAnnouncer(bus, ROLE, capacity)
        rate.on_change = announcer.changed
        worker = Worker(
            bus,
            ROLE,
            gateway.handle,
            jobs=settings.jobs,
            progress=True,
            check=lambda delivery: why_unreadable(delivery, tuple(HANDLERS), ROLE),
            on_dead_letter=gateway.on_dead_letter,
            on_in_flight_change=announcer.changed,
        )
        await stack.enter_async_context(worker)
        await stack.enter_async_context(CapacityFollower(bus, on_capacity, ROLE))
        await stack.enter_async_context(announcer)
        await _check_credentials(provider)
        await _register_webhooks(provider)
        if ready is not None:
            ready(url)
        if settings.deployment is None:
            await asyncio.Event().wait()
        else:
            await OrphanCallReaper(bus, provider, settings.deployment, settings.reconcile_s).run()


def _why_unusable(provider: Provider) -> str | None:
    if not provider.can_connect():
        return "no connection to the provider can be opened"
    return provider.credentials_refused()


async def _open(
    bus: Bus, settings: GatewaySettings, health: WebhookHealth, stack: AsyncExitStack
) -> tuple[Provider, str | None]:
    """Open the provider; return it with the address of the webhooks, or None if webhooks are off."""
    config = settings.provider
    if settings.webhook_port is None:
        provider = config.open(settings.webhook_url, settings.webhook_key)
        stack.push_async_callback(provider.aclose)
        return provider, None
    bound = webhook_server.bind(settings.webhook_host, settings.webhook_port)
    stack.callback(bound.close)
    url = webhook_server.address_of(bound) + path_of(config.name)
    provider = config.open(settings.webhook_url or (url if config.local else None), settings.webhook_key)
    stack.push_async_callback(provider.aclose)
    webhooks = Webhooks(bus, provider, health)
    stack.push_async_callback(webhooks.aclose)
    await stack.enter_async_context(webhook_server.serving_webhooks(webhooks.app, bound))
    log.info("webhooks_served", url=url, signed=settings.webhook_key is not None)
    if settings.webhook_key is None:
        log.warning("webhooks_unsigned", remedy="set WARMXFER_WEBHOOK_PUBLIC_KEY to a PEM, or to fetch")
    return provider, url


async def _check_credentials(provider: Provider) -> None:
    """Make one authenticated query, so that wrong credentials show at the start and not in the first call."""
    try:
        await provider.check_credentials()
    except (RetryableError, Rejected) as error:
        if provider.credentials_refused():
            log.error("provider_refused_credentials", cause=str(error))
        else:
            log.warning("provider_credentials_not_checked", cause=str(error))


async def _register_webhooks(provider: Provider) -> None:
    """Register the webhooks at the provider; log a failure.

    Webhooks are optional: without them the gateway sees changes some seconds later, by polling.
    """
    try:
        await provider.register_webhooks()
    except (RetryableError, Rejected, OutcomeUnknown) as error:
        log.warning("webhooks_not_registered", cause=str(error))
