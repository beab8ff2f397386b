"""The coordinator as an actor."""

from __future__ import annotations

from collections.abc import Callable

from warmxfer.bus import Bus, Worker, subjects
from warmxfer.bus.consumer_table import COORDINATOR

from .coordinator import Coordinator
from .inbound_events import why_unreadable
from .partition_sharing import PartitionSharing
from .settings import CoordinatorSettings
from .storage_guard import BYTES_PER_MB


async def run(bus: Bus, settings: CoordinatorSettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until cancelled; call `ready` once the coordinator serves."""
    coordinator = Coordinator(
        bus,
        max_transfers=settings.max_transfers,
        max_store_bytes=settings.max_store_mb * BYTES_PER_MB,
        archive_after_s=settings.archive_after_s,
    )
    async with PartitionSharing(bus) as sharing:
        worker = Worker(
            bus,
            COORDINATOR,
            coordinator.handle,
            jobs=settings.jobs,
            consumers=sharing.consumers,
            keyed=True,
            check=why_unreadable,
            on_dead_letter=coordinator.on_dead_letter,
            on_invalid_subject=coordinator.reject_invalid_id,
        )
        async with bus.serve(subjects.ASK_LIVENESS, coordinator.answer_liveness, queue=COORDINATOR), worker:
            ready()
            await sharing.run(worker.take_from)
