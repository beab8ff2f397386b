"""The SIP gateway: the only one who speaks with the telephony provider, and the only holder of its secret.

One handler a command, in a table. A handler returns its answer, None when nobody waits for one any more,
or raises `Retry` to be asked again later; what it returns is published before the command is acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import msgspec
import structlog

from warmxfer.actors.answering import publish_answer, publish_fact
from warmxfer.actors.providers import Doubtful, NotDone, Provider
from warmxfer.bus import BrokerClock, Bus, Delivery, Park, Worker
from warmxfer.schemas import (
    Answer,
    Broken,
    CheckLegs,
    CloseRoom,
    Command,
    CommandFailed,
    CreateRoom,
    DialSupervisor,
    EndCall,
    Fault,
    FindCallerCall,
    RecordParticipant,
    Retry,
    ReturnCaller,
    SwitchCaller,
    Undecodable,
    WarmTransferError,
    decode_as,
    decode_command,
)

from . import server
from .desk import Desk
from .dialling import dial_supervisor, end_call
from .effects import Effects
from .looking import check_legs, close_room, create_room, find_caller_call
from .reconciling import Reconciler
from .recording import record_participant
from .returning import return_caller
from .settings import GatewaySettings
from .switching import switch_caller
from .tokens import serve_tokens
from .webhooks import Webhooks, path_of

ROLE = "gateway"

Handler = Callable[[Desk, str, Any], Awaitable[Answer | None]]
Ready = Callable[[str | None], None]
log = structlog.get_logger(__name__)

HANDLERS: Mapping[type[Command], Handler] = {
    FindCallerCall: find_caller_call,
    CreateRoom: create_room,
    DialSupervisor: dial_supervisor,
    SwitchCaller: switch_caller,
    ReturnCaller: return_caller,
    EndCall: end_call,
    CheckLegs: check_legs,
    RecordParticipant: record_participant,
    CloseRoom: close_room,
}


class _Named(msgspec.Struct):
    """As much of a broken command as is needed to say that it is broken."""

    command_id: str


class Gateway:
    """Takes commands off the bus, one `handle` each."""

    def __init__(self, bus: Bus, desk: Desk) -> None:
        self._bus = bus
        self._desk = desk

    async def handle(self, delivery: Delivery) -> None:
        """Carry out one command and publish its answer."""
        self._desk.clock.saw(delivery.at)
        try:
            command = decode_command(delivery.data)
        except Undecodable as error:
            raise Park("The message is no command") from error
        handler = HANDLERS.get(type(command))
        if handler is None:
            raise Park(f"{type(command).__name__} is no command for the {ROLE}")
        try:
            answer = await handler(self._desk, delivery.transfer_id, command)
        except WarmTransferError:
            raise
        except Exception as error:
            raise Broken(f"{type(command).__name__} met {type(error).__name__}") from error
        kind = type(answer).__name__
        log.info("command_handled", transfer_id=delivery.transfer_id, command=command.command_id, answer=kind)
        if answer is not None:
            await publish_answer(self._bus, delivery.transfer_id, answer)

    async def on_dead(self, delivery: Delivery, cause: str) -> None:
        """A command was given up: whoever waits for its answer is told, if it has a name at all."""
        try:
            named = decode_as(_Named, delivery.data)
        except Undecodable:
            log.warning("dead_command_without_a_name", transfer_id=delivery.transfer_id)
            return
        answer = CommandFailed(command_id=named.command_id, fault=Fault.BROKEN, detail=cause[:500])
        await publish_answer(self._bus, delivery.transfer_id, answer)


async def run(bus: Bus, settings: GatewaySettings, *, ready: Ready | None = None) -> None:
    """Serve until cancelled. `ready(url)` is called once everything is served, with the address of the
    webhooks: None when none are taken."""
    async with AsyncExitStack() as stack:
        provider, url = await _open(bus, settings, stack)
        clock = BrokerClock()
        effects = Effects(bus, clock, timeout_s=provider.timeout_s, settle_s=settings.settle_s)
        tell = partial(publish_fact, bus)
        gateway = Gateway(bus, Desk(provider, settings.policy, clock, effects, tell, settings.house))
        await stack.enter_async_context(serve_tokens(bus, provider))
        worker = Worker(bus, ROLE, gateway.handle, jobs=settings.jobs, progress=True, on_dead=gateway.on_dead)
        await stack.enter_async_context(worker)
        await _take_notices(provider)
        if ready is not None:
            ready(url)
        if settings.house is None:
            await asyncio.Event().wait()
        else:
            await Reconciler(bus, provider, settings.house, settings.reconcile_s).run()


async def _open(bus: Bus, settings: GatewaySettings, stack: AsyncExitStack) -> tuple[Provider, str | None]:
    """The provider, and the address of its webhooks when they are to be taken."""
    chosen = settings.provider
    if settings.webhook_port is None:
        provider = chosen.open(settings.webhook_url, settings.webhook_key)
        stack.push_async_callback(provider.aclose)
        return provider, None
    bound = server.bind(settings.webhook_host, settings.webhook_port)
    stack.callback(bound.close)
    url = server.address_of(bound) + path_of(chosen.name)
    provider = chosen.open(settings.webhook_url or (url if chosen.local else None), settings.webhook_key)
    stack.push_async_callback(provider.aclose)
    await stack.enter_async_context(server.serving(Webhooks(bus, provider).app, bound))
    log.info("webhooks_taken", url=url, signed=settings.webhook_key is not None)
    if settings.webhook_key is None:
        log.warning("webhooks_unsigned", remedy="set WARMXFER_WEBHOOK_PUBLIC_KEY to a PEM, or to fetch")
    return provider, url


async def _take_notices(provider: Provider) -> None:
    """Ask to be told about calls. Without it everything still works, by looking, seconds later."""
    try:
        await provider.take_notices()
    except (Retry, NotDone, Doubtful) as error:
        log.warning("webhooks_not_registered", cause=str(error))
