"""Notices that the cloud sends: to any gateway, again if no gateway accepted it, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmxfer.actors.common.command_replies import wire_name
from warmxfer.actors.gateway.webhook_events import to_event
from warmxfer.actors.gateway.webhook_health import WebhookHealth
from warmxfer.adapters.telephony import CallEndedNotice, CallUpNotice, Notice
from warmxfer.bus import Bus, RetryableError, subjects
from warmxfer.schemas import encode

from .loop import CURRENT, Process, spawn

if TYPE_CHECKING:
    from .world import World

TRIP_S = (0.02, 0.4)
LATE_S = (2.0, 25.0)
AGAIN_S = 4.0
MAX_ATTEMPTS = 4
PUBLISH_TIMEOUT_S = 3.0


class Webhooks:
    """The cloud's sender, and the part of the gateway's webhook endpoint that is not HTTP."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sent = 0
        self._health: dict[Process, WebhookHealth] = {}

    def open_health(self) -> WebhookHealth:
        """Return what a gateway process that starts now remembers of its webhooks."""
        process = CURRENT.get()
        assert process is not None
        health = self._health[process] = WebhookHealth()
        return health

    def send(self, notice: Notice) -> None:
        event = to_event(notice)
        if event is None and not isinstance(notice, CallUpNotice | CallEndedNotice):
            return
        transfer_id = event.transfer_id if event is not None else self._transfer_of(notice)
        strikes, between = self._world.faults.strikes, self._world.faults.between
        self._sent += 1
        msg_id = f"hook-{self._sent}"
        if strikes("webhook_lost", transfer_id):
            return
        late_s = between(*LATE_S) if strikes("webhook_late", transfer_id) else 0.0
        for _ in range(2 if strikes("webhook_twice", transfer_id) else 1):
            trip_s = self._world.chance.uniform(*TRIP_S)
            self._world.later(late_s + trip_s, self._deliver, notice, msg_id, 1)

    def _transfer_of(self, notice: Notice) -> str | None:
        """Return the transfer whose call it is, or None for the call of a caller, which names none."""
        assert isinstance(notice, CallUpNotice | CallEndedNotice)
        return self._world.cloud.calls[notice.call_id].transfer_id or None

    def _deliver(self, notice: Notice, msg_id: str, attempt: int) -> None:
        gateways = [
            each
            for each in self._world.processes.buses.items()
            if each[0].role == "gateway" and not each[0].frozen and each[0] in self._health
        ]
        if gateways:
            process, bus = self._world.chance.choice(gateways)
            handling = self._handle(bus, self._health[process], notice, msg_id, attempt)
            spawn(self._world.loop, process, handling, f"hook {msg_id}")
        else:
            self._retry(notice, msg_id, attempt)

    async def _handle(
        self, bus: Bus, health: WebhookHealth, notice: Notice, msg_id: str, attempt: int
    ) -> None:
        event = to_event(notice, health.transfer_of)
        if event is not None:
            self._world.trace.add("webhook", f"{event.transfer_id} {wire_name(event.event)}")
            try:
                await bus.publish(
                    subjects.event(event.transfer_id),
                    encode(event.event),
                    msg_id=msg_id,
                    deadline_s=PUBLISH_TIMEOUT_S,
                )
            except RetryableError:
                self._retry(notice, msg_id, attempt)
                return
        if isinstance(notice, CallUpNotice | CallEndedNotice):
            health.webhook_received(notice.call_id, up=isinstance(notice, CallUpNotice))

    def _retry(self, notice: Notice, msg_id: str, attempt: int) -> None:
        if attempt < MAX_ATTEMPTS:
            self._world.later(AGAIN_S * attempt, self._deliver, notice, msg_id, attempt + 1)
