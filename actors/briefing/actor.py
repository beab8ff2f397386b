"""Worker of the queue `briefing`: runs one consultation for each `JoinConsultation`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from warmxfer.adapters.llm import open_model
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.bus import Bus, Delivery, Worker
from warmxfer.schemas import JoinConsultation

from ..common.capacity import CapacityAnnouncer, RoleCapacity, new_instance
from ..common.command_replies import read_command, why_unreadable
from ..common.dead_letter_replies import reply_to_dead_letter
from ..common.log_check import LogCheck
from .consultation import Consultation, ConsultationTask
from .reply.classifier import ReplyClassifier
from .settings import BriefingSettings

DRAIN_S: Final = 1.0
"""Time that running consultations get when the worker stops.

Short, because the broker then redelivers each command and another worker continues the consultation.
"""
MAX_CONCURRENT_JOINS: Final = 16
"""Rooms that one worker joins at the same time.

Without a limit, a worker that took over hundreds of rooms joined none in time, and retried all of them.
"""

log = structlog.get_logger(__name__)


class BriefingActor:
    """Handler of `JoinConsultation`; `voice` says how to join a room."""

    def __init__(self, bus: Bus, voice: RoomSettings, classifier: ReplyClassifier) -> None:
        self._bus = bus
        self._voice = voice
        self._classifier = classifier
        self._check = LogCheck(bus)
        self._join_limit = asyncio.Semaphore(MAX_CONCURRENT_JOINS)

    async def handle(self, delivery: Delivery) -> None:
        """Run the consultation of one delivery; returns when the consultation has ended."""
        command = read_command(delivery, JoinConsultation, "briefing agent")
        if not await self._check.is_wanted(delivery, "briefing"):
            return
        is_first = delivery.delivery_count == 1
        task = ConsultationTask.stored(
            delivery.transfer_id, command, delivery.at, "briefing", is_first=is_first
        )
        await Consultation(
            self._bus, self._check, task, self._voice, self._classifier, self._join_limit
        ).run()

    async def on_dead_letter(self, delivery: Delivery, cause: str) -> None:
        """Reply CommandFailed for a delivery that became a dead letter."""
        await reply_to_dead_letter(
            self._bus, self._check, delivery, (JoinConsultation,), cause, role="briefing"
        )


async def run(bus: Bus, settings: BriefingSettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Handle commands until cancelled; calls `ready` once the worker is running."""
    model = open_model(settings.model)
    actor = BriefingActor(bus, settings.voice, ReplyClassifier(model))
    instance = new_instance()

    def capacity() -> RoleCapacity:
        return RoleCapacity(instance, settings.jobs, worker.in_flight)

    announcer = CapacityAnnouncer(bus, "briefing", capacity)
    worker = Worker(
        bus,
        "briefing",
        actor.handle,
        jobs=settings.jobs,
        progress=True,
        check=lambda delivery: why_unreadable(delivery, (JoinConsultation,), "briefing agent"),
        on_dead_letter=actor.on_dead_letter,
        on_in_flight_change=announcer.changed,
        drain_s=DRAIN_S,
    )
    try:
        async with worker, announcer:
            log.info(
                "briefing_serves", jobs=settings.jobs, voice=settings.voice.kind, model=model is not None
            )
            ready()
            await asyncio.Event().wait()
    finally:
        if model is not None:
            await model.aclose()
