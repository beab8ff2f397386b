"""The coordinator as an actor."""

from __future__ import annotations

from collections.abc import Callable, Collection

from warmxfer.bus import Bus, Worker, subjects
from warmxfer.bus.consumer_table import COORDINATOR
from warmxfer.bus.worker import Together

from ..common.capacity import CapacityFollower, new_instance
from .api import Api
from .coordinator import Coordinator
from .dead_letter_replay import REPLAY_DEADLINE_S, DeadLetterReplay
from .erasure import Erasure
from .folding import TOGETHER_MAX
from .partition_sharing import PartitionSharing
from .settings import CoordinatorSettings
from .storage_guard import BYTES_PER_MB
from .transfer_metrics import transfer_gauges


async def run(bus: Bus, settings: CoordinatorSettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until cancelled; call `ready` once the coordinator serves."""
    instance = new_instance()
    coordinator = Coordinator(
        bus,
        max_transfers=settings.max_transfers,
        max_store_bytes=settings.max_store_mb * BYTES_PER_MB,
        archive_after_s=settings.archive_after_s,
        archive_without=settings.archive_without,
        archive_overwrites=settings.archive_overwrites,
        max_wait_s=settings.max_wait_s,
        policy=settings.policy,
        instance=instance,
    )
    admission = coordinator.admission
    async with PartitionSharing(bus, instance, admission) as sharing:
        admission.on_places_changed = sharing.places_changed
        bus.on_reconnect(admission.listen)
        await admission.listen()
        worker = Worker(
            bus,
            COORDINATOR,
            coordinator.handle,
            jobs=settings.jobs,
            consumers=sharing.consumers,
            keyed=True,
            together=Together(coordinator.handle_together, TOGETHER_MAX),
            # Transfers that run come before requests: their callers are on hold.
            after_others=lambda delivery: delivery.kind == "request",
            check=coordinator.check,
            on_dead_letter=coordinator.on_dead_letter,
            on_invalid_subject=coordinator.reject_invalid_id,
            makes_spans=False,
        )

        async def take_from(consumers: Collection[str]) -> None:
            admission.take_partitions(sharing.partitions)
            await worker.take_from(consumers)

        admission.take_partitions(sharing.partitions)
        replay = DeadLetterReplay(bus, coordinator.handle)
        async with (
            bus.serve(subjects.ASK_LIVENESS, coordinator.answer_liveness, queue=COORDINATOR),
            bus.serve(subjects.ASK_REPLAY, replay.answer, COORDINATOR, deadline_s=REPLAY_DEADLINE_S),
            bus.serve(subjects.ASK_ERASE, Erasure(bus).answer, queue=COORDINATOR),
            Api(bus, settings.policy),
            CapacityFollower(bus, admission.heard),
            transfer_gauges(lambda: coordinator.running(sharing.partitions), lambda: len(sharing.partitions)),
            worker,
        ):
            ready()
            try:
                await sharing.run(take_from)
            finally:
                admission.close()
