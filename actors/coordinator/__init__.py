"""The transfer coordinator: applies every event of a transfer to the state machine, one log record each.

coordinator.py       load, step, append, publish
inbound_events.py    message on a subject -> event
event_writers.py     which actor may publish which event
outbox.py            outputs of a record -> messages on subjects
request_owner.py     one request per transfer id
caller_lock.py       one transfer per caller
liveness.py          replies whether a transfer is live
admission.py         decides which requests start, wait or are refused
admission_limits.py  what keeps a transfer from starting now; pure
briefing_places.py   which places of the briefing agents a coordinator may take; pure
start_queue.py       requests that wait for their start
storage_guard.py     leaves running transfers room in a broker that is nearly full
record_cache.py      cache of newest records
state_machine/       the state machine; pure
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .actor import run
    from .coordinator import Coordinator
    from .settings import CoordinatorSettings

__all__ = ["Coordinator", "CoordinatorSettings", "run"]


def __getattr__(name: str) -> Any:
    """Import the actor when it is used first. `warmxfer show` needs the report only."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import actor, coordinator, settings

    exported = {"Coordinator": coordinator.Coordinator, "CoordinatorSettings": settings.CoordinatorSettings}
    return (exported | {"run": actor.run})[name]
