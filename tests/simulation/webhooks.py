"""Notices that the cloud sends: to any gateway, again if no gateway accepted it, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmxfer.actors.common.command_replies import wire_name
from warmxfer.actors.gateway.webhook_events import TransferEvent, to_event
from warmxfer.adapters.telephony import Notice
from warmxfer.bus import Bus, RetryableError, subjects
from warmxfer.schemas import encode

from .loop import spawn

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

    def send(self, notice: Notice) -> None:
        event = to_event(notice)
        if event is None:
            return
        strikes, between = self._world.faults.strikes, self._world.faults.between
        self._sent += 1
        msg_id = f"hook-{self._sent}"
        if strikes("webhook_lost", event.transfer_id):
            return
        late_s = between(*LATE_S) if strikes("webhook_late", event.transfer_id) else 0.0
        for _ in range(2 if strikes("webhook_twice", event.transfer_id) else 1):
            trip_s = self._world.chance.uniform(*TRIP_S)
            self._world.later(late_s + trip_s, self._deliver, event, msg_id, 1)

    def _deliver(self, event: TransferEvent, msg_id: str, attempt: int) -> None:
        gateways = [
            each
            for each in self._world.processes.buses.items()
            if each[0].role == "gateway" and not each[0].frozen
        ]
        if gateways:
            process, bus = self._world.chance.choice(gateways)
            spawn(self._world.loop, process, self._publish(bus, event, msg_id, attempt), f"hook {msg_id}")
        else:
            self._retry(event, msg_id, attempt)

    async def _publish(self, bus: Bus, event: TransferEvent, msg_id: str, attempt: int) -> None:
        self._world.trace.add("webhook", f"{event.transfer_id} {wire_name(event.event)}")
        try:
            await bus.publish(
                subjects.event(event.transfer_id, "gateway"),
                encode(event.event),
                msg_id=msg_id,
                deadline_s=PUBLISH_TIMEOUT_S,
            )
        except RetryableError:
            self._retry(event, msg_id, attempt)

    def _retry(self, event: TransferEvent, msg_id: str, attempt: int) -> None:
        if attempt < MAX_ATTEMPTS:
            self._world.later(AGAIN_S * attempt, self._deliver, event, msg_id, attempt + 1)
