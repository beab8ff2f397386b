"""The gateway as an actor: the only process that calls the telephony provider and holds its secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog

from warmxfer.adapters.telephony import (
    OutcomeUnknown,
    Provider,
    Rejected,
    RequestRate,
    Urgency,
    request_turns,
)
from warmxfer.bus import BrokerClock, Bus, Worker
from warmxfer.schemas import RetryableError

from ..common.capacity import CapacityAnnouncer, CapacityFollower, RoleCapacity, new_instance
from ..common.command_replies import publish_event, why_unreadable
from ..common.log_check import LogCheck
from . import webhook_server
from .at_most_once import EffectClaims
from .command_handler import COMMANDS, ROLE, CommandHandler
from .context import GatewayContext
from .dial_counters import DialCounters
from .orphan_calls import OrphanCallReaper
from .rate_sharing import LiveGateways
from .room_tokens import serve_room_tokens
from .settings import GatewaySettings
from .webhook_health import WebhookHealth
from .webhooks import Webhooks, path_of

OnReady = Callable[[str | None], None]
log = structlog.get_logger(__name__)


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
        check = LogCheck(bus)
        handler = CommandHandler(bus, _context(bus, settings, provider, webhooks), rate, check)
        for responder in serve_room_tokens(bus, provider, check):
            await stack.enter_async_context(responder)
        await _serve_commands(bus, handler, rate, settings.jobs, stack)
        await _check_credentials(provider)
        await _register_webhooks(provider)
        if ready is not None:
            ready(url)
        if settings.deployment is None:
            await asyncio.Event().wait()
        else:
            await OrphanCallReaper(bus, provider, settings.deployment, settings.reconcile_s).run()


def _context(
    bus: Bus, settings: GatewaySettings, provider: Provider, health: WebhookHealth
) -> GatewayContext:
    """Return what the handlers of commands share."""
    clock = BrokerClock()
    return GatewayContext(
        provider,
        settings.policy,
        clock,
        EffectClaims(bus, clock, timeout_s=provider.timeout_s, settle_s=settings.settle_s),
        partial(publish_event, bus, role=ROLE),
        DialCounters(bus, clock, settings.limits),
        health,
        settings.deployment,
    )


async def _serve_commands(
    bus: Bus, handler: CommandHandler, rate: RequestRate, jobs: int, stack: AsyncExitStack
) -> None:
    """Take commands from the queue, publish how many more fit, and share the rate of the provider."""
    instance = new_instance()
    gateways = LiveGateways(instance)

    def capacity() -> RoleCapacity:
        wait_s = round(rate.wait_s(Urgency.NEW), 1)
        return RoleCapacity(instance, jobs, worker.in_flight, wait_s=wait_s, rate_per_s=round(rate.per_s, 6))

    def on_capacity(_: str, heard: RoleCapacity) -> None:
        rate.share_with(gateways.heard(heard, asyncio.get_running_loop().time()))

    announcer = CapacityAnnouncer(bus, ROLE, capacity)
    rate.on_change = announcer.changed
    worker = Worker(
        bus,
        ROLE,
        handler.handle,
        jobs=jobs,
        progress=True,
        check=lambda delivery: why_unreadable(delivery, COMMANDS, ROLE),
        on_dead_letter=handler.on_dead_letter,
        on_in_flight_change=announcer.changed,
    )
    await stack.enter_async_context(worker)
    await stack.enter_async_context(CapacityFollower(bus, on_capacity, ROLE))
    await stack.enter_async_context(announcer)


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
