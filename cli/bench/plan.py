"""How large each row is: in the full run, and in the quick one, which shows that all works."""

from __future__ import annotations

from msgspec import Struct


class Plan(Struct, frozen=True, kw_only=True):
    """Sizes of all scenarios. `repeats`: interleaved runs of which the median counts."""

    repeats: int = 5
    sync_intervals: tuple[str, ...] = ("2m", "always")
    bus_operations: int = 2_000
    one_at_a_time: int = 200
    in_flight: tuple[int, ...] = (10, 50, 100, 200)
    transfers: int = 600
    """Transfers of one run at saturation."""
    processes: tuple[int, ...] = (1, 2, 4)
    coordinators: tuple[int, ...] = (1, 2, 4)
    coordinator_transfers: int = 200
    bursts: tuple[int, ...] = (1_000, 5_000)
    waiting: tuple[int, ...] = (1_000, 10_000, 50_000)
    finished: int = 1_000
    idle_s: float = 30.0
    history: tuple[int, ...] = (500, 5_000, 100_000)
    history_many: int = 300
    """Transfers of one measured run between the ended ones, many at a time."""
    history_alone: int = 60
    """The same, one at a time."""
    recovery: int = 500
    starts: int = 5
    beside: int = 20
    """Transfers of each program that is put beside warmxfer."""
    whole_commands: bool = True
    """Whether `up` and `demo` are measured."""
    upstream: bool = True
    """Whether VideoSDK's runner is measured."""


FULL = Plan()
QUICK = Plan(
    repeats=1,
    sync_intervals=("2m",),
    bus_operations=200,
    one_at_a_time=30,
    in_flight=(50,),
    transfers=120,
    processes=(1, 2),
    coordinators=(1, 2),
    coordinator_transfers=40,
    bursts=(200,),
    waiting=(200,),
    finished=50,
    idle_s=3.0,
    history=(100, 300),
    history_many=100,
    history_alone=20,
    recovery=40,
    starts=1,
    beside=3,
    whole_commands=False,
    upstream=False,
)
