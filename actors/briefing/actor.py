"""Takes `JoinConsultation` off the work queue and holds each consultation until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from warmxfer.adapters.llm import open_model
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.bus import Bus, Delivery, Worker
from warmxfer.schemas import JoinConsultation

from ..common.command_replies import read_command, reply_to_dead_letter
from .consultation import Consultation, ConsultationTask
from .reply.classifier import ReplyClassifier
from .settings import BriefingSettings

DRAIN_S: Final = 1.0
"""A consultation does not end because its worker does: it is given back soon, and held by another."""
MAX_CONCURRENT_JOINS: Final = 16
"""Rooms that one worker enters at the same time. One that took over hundreds found each too slow to open, and
came again and again to all of them."""

log = structlog.get_logger(__name__)


class BriefingActor:
    """Holds consultations, in rooms that are entered as `voice` says."""

    def __init__(self, bus: Bus, voice: RoomSettings, classifier: ReplyClassifier) -> None:
        self._bus = bus
        self._voice = voice
        self._classifier = classifier
        self._join_limit = asyncio.Semaphore(MAX_CONCURRENT_JOINS)

    async def handle(self, delivery: Delivery) -> None:
        """One delivery of the work queue; returns when the consultation is over."""
        command = read_command(delivery, JoinConsultation, "briefing agent")
        task = ConsultationTask.stored(delivery.transfer_id, command, delivery.seq, delivery.at)
        await Consultation(self._bus, task, self._voice, self._classifier, self._join_limit).run()

    async def on_dead_letter(self, delivery: Delivery, cause: str) -> None:
        """A delivery that became a dead letter: tell whoever waits for the answer."""
        await reply_to_dead_letter(self._bus, delivery, JoinConsultation, cause)


async def run(bus: Bus, settings: BriefingSettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until cancelled; `ready` is called once it does."""
    model = open_model(settings.model)
    actor = BriefingActor(bus, settings.voice, ReplyClassifier(model))
    worker = Worker(
        bus,
        "briefing",
        actor.handle,
        jobs=settings.jobs,
        progress=True,
        on_dead_letter=actor.on_dead_letter,
        drain_s=DRAIN_S,
    )
    try:
        async with worker:
            log.info(
                "briefing_serves", jobs=settings.jobs, voice=settings.voice.kind, model=model is not None
            )
            ready()
            await asyncio.Event().wait()
    finally:
        if model is not None:
            await model.aclose()
