"""The transfer coordinator: folds every event of a transfer through the machine, one record each.

coordinator.py  one trigger in, one record written, its outbox sent
triggers.py     what an arriving message means
outbox.py       where each piece of an outbox goes
claims.py       one caller, one transfer
charge.py       whether anybody is in charge of a transfer
admission.py    not more transfers at once than allowed
memory.py       a hint that saves reads
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from warmxfer.bus import Bus, Worker, subjects

from .coordinator import Coordinator
from .settings import CoordinatorSettings

__all__ = ["Coordinator", "CoordinatorSettings", "run"]


async def run(bus: Bus, settings: CoordinatorSettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until cancelled; `ready` is called once it does."""
    coordinator = Coordinator(bus, max_transfers=settings.max_transfers)
    worker = Worker(
        bus,
        "coordinator",
        coordinator.handle,
        jobs=settings.jobs,
        keyed=True,
        on_dead_letter=coordinator.on_dead_letter,
        on_invalid_subject=coordinator.reject_invalid_id,
    )
    async with bus.serve(subjects.ASK_LIVENESS, coordinator.answer_liveness, queue="coordinator"), worker:
        ready()
        await asyncio.Event().wait()
