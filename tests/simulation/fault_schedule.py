"""Faults by the clock: outages, broken connections, lost room clients, poison, crashes and stalls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from warmxfer.bus import subjects

from .faults import PER_MINUTE

if TYPE_CHECKING:
    from .world import World

OUTAGE_S = (0.5, 25.0)
LONG_OUTAGES_S = {"outage_30_s": 30.0, "outage_60_s": 60.0}
"""Longer than a session's lease. Timers due in an outage all fire when it ends."""
UNREACHABLE_S = 75.0
"""Longer than any stage of a transfer waits for the cloud, and than all attempts of one return."""
LEADERLESS_S = (0.0, 6.0)
RESET_AT_ONCE = 0.3
"""Share of the connections that a reset breaks."""
POISON = b'{"type": "no_such_thing"}'


class FaultSchedule:
    """Starts faults at random times until the faults are stopped."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.broker_down = False
        self.reachable = asyncio.Event()
        """Set while the broker is reachable."""
        self.reachable.set()
        self._lasts_until = self._unreachable_until = 0.0
        self.outages: list[list[float]] = []
        """Begin and end of each outage."""
        self.poison: list[tuple[str, int]] = []
        """Transfer id and stream number of each unreadable message."""
        self.poisoned: set[str] = set()
        """The subjects of these messages."""

    @property
    def is_long_outage(self) -> bool:
        """Whether a long outage is under way, which must not be cut short."""
        return self._world.loop.time() < self._lasts_until

    @property
    def cloud_unreachable(self) -> bool:
        """Whether the cloud replies to no request."""
        return self._world.loop.time() < self._unreachable_until

    def start(self) -> None:
        for fault in PER_MINUTE:
            self._schedule(fault)

    def end_outage(self) -> None:
        """Make the broker reachable again. Idempotent."""
        if self.broker_down:
            self._world.trace.add("fault", "outage ends")
            self.broker_down = False
            self.reachable.set()
            self.outages[-1].append(self._world.now)
            self._world.streams.wake()

    def _schedule(self, fault: str) -> None:
        wait_s = self._world.faults.wait_s(fault)
        if wait_s is not None:
            self._world.later(wait_s, self._strike, fault)

    def _strike(self, fault: str) -> None:
        if self._world.faults.stopped:
            return
        match fault:
            case "outage":
                self._start_outage(fault, self._world.faults.between(*OUTAGE_S))
            case "outage_30_s" | "outage_60_s":
                self._start_outage(fault, LONG_OUTAGES_S[fault])
            case "cloud_unreachable":
                self._make_cloud_unreachable()
            case "reset":
                self._reset()
            case "leader_lost":
                self._lose_leader()
            case "consumer_lost":
                self._lose_consumer()
            case "room_client_lost":
                self._lose_room_client()
            case "poison":
                self._poison()
            case _:
                self._world.processes.crash_or_stall(fault)
        self._schedule(fault)

    def _make_cloud_unreachable(self) -> None:
        if not self.cloud_unreachable:
            self._world.faults.record("cloud_unreachable")
            self._unreachable_until = self._world.loop.time() + UNREACHABLE_S
            self._lasts_until = max(self._lasts_until, self._unreachable_until)

    def _start_outage(self, fault: str, length_s: float) -> None:
        if self.broker_down:
            return
        self._world.faults.record(fault)
        if fault in LONG_OUTAGES_S:
            self._lasts_until = max(self._lasts_until, self._world.loop.time() + length_s)
        self.broker_down = True
        self.reachable.clear()
        self.outages.append([self._world.now])
        for client in self._world.clients:
            client.disconnect()
        self._world.later(length_s, self.end_outage)

    def _reset(self) -> None:
        """Break some connections; they come back at once."""
        if self.broker_down:
            return
        self._world.faults.record("reset")
        for client in self._world.clients:
            if client.up and self._world.chance.random() < RESET_AT_ONCE:
                client.disconnect()

    def _lose_leader(self) -> None:
        """Let a consumer change its leader: every pull ends, and for a while there is no leader."""
        consumers = list(self._world.streams.consumers.values())
        if consumers:
            self._world.faults.record("leader_lost")
            self._world.chance.choice(consumers).lose_leader(self._world.faults.between(*LEADERLESS_S))

    def _lose_consumer(self) -> None:
        """Delete a consumer, as an operator may."""
        names = list(self._world.streams.consumers)
        if names:
            name = self._world.chance.choice(names)
            self._world.faults.record("consumer_lost")
            self._world.trace.add("fault", f"consumer {name} is deleted")
            self._world.streams.delete_consumer(name)

    def _lose_room_client(self) -> None:
        joined_room_clients = [each for each in self._world.room_clients if not each.process.frozen]
        if joined_room_clients:
            self._world.faults.record("room_client_lost")
            self._world.chance.choice(joined_room_clients).lose()

    def _poison(self) -> None:
        """Store an unreadable message for a running transfer."""
        running = self._world.running()
        if not running or self.broker_down:
            return
        id = self._world.chance.choice(running)
        self._world.faults.record("poison", id)
        subject = self._world.chance.choice(
            (subjects.event(id, "gateway"), subjects.cancel(id), subjects.work_queue(id, "gateway"))
        )
        _, seq, _ = self._world.streams.store(subject, POISON, self._world.token())
        self.poisoned.add(subject)
        self.poison.append((id, seq))
