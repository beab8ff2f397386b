"""What the cloud tells of its own accord: to any gateway, again when none took it, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmxfer.actors.common.command_replies import wire_name
from warmxfer.actors.gateway.webhook_events import TransferEvent, to_event
from warmxfer.adapters.telephony import Notice
from warmxfer.bus import RetryableError, subjects
from warmxfer.schemas import encode

from .loop import spawn
from .simbus import SimBus

if TYPE_CHECKING:
    from .world import World

TRIP_S = (0.02, 0.4)
LATE_S = (2.0, 25.0)
AGAIN_S = 4.0
MAX_SENDINGS = 4
PUBLISH_TIMEOUT_S = 3.0


class Webhooks:
    """The sending side of the cloud, and the little of the gateway's door that is not HTTP."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0

    def send(self, notice: Notice) -> None:
        found = to_event(notice)
        if found is None:
            return
        strikes, between = self._world.faults.strikes, self._world.faults.between
        self._count += 1
        msg_id = f"hook-{self._count}"
        if strikes("webhook_lost", found.transfer_id):
            return
        late_s = between(*LATE_S) if strikes("webhook_late", found.transfer_id) else 0.0
        for _ in range(2 if strikes("webhook_twice", found.transfer_id) else 1):
            trip_s = self._world.chance.uniform(*TRIP_S)
            self._world.later(late_s + trip_s, self._deliver, found, msg_id, 1)

    def _deliver(self, found: TransferEvent, msg_id: str, sending: int) -> None:
        doors = [bus for bus in self._world.buses if bus.process.role == "gateway" and not bus.process.frozen]
        if doors:
            bus = self._world.chance.choice(doors)
            spawn(self._world.loop, bus.process, self._take(bus, found, msg_id, sending), f"hook {msg_id}")
        else:
            self._retry(found, msg_id, sending)

    async def _take(self, bus: SimBus, found: TransferEvent, msg_id: str, sending: int) -> None:
        self._world.trace.add("webhook", f"{found.transfer_id} {wire_name(found.event)}")
        try:
            await bus.publish(
                subjects.event(found.transfer_id),
                encode(found.event),
                msg_id=msg_id,
                deadline_s=PUBLISH_TIMEOUT_S,
            )
        except RetryableError:
            self._retry(found, msg_id, sending)

    def _retry(self, found: TransferEvent, msg_id: str, sending: int) -> None:
        if sending < MAX_SENDINGS:
            self._world.later(AGAIN_S * sending, self._deliver, found, msg_id, sending + 1)
