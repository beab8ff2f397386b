"""How large each row is: in the full run, and in the quick one, which shows that all works."""

from __future__ import annotations

from msgspec import Struct

from .stack import StackSettings

ACK_WAIT_S = 2.0
"""Where workers are killed."""


class Plan(Struct, frozen=True, kw_only=True):
    """Sizes of all scenarios. `repeats`: interleaved runs; each row has their median."""

    repeats: int = 5
    shared_stack: StackSettings | None = None
    """The stack of all scenarios that need no other; None: each has its own."""
    sync_intervals: tuple[str, ...] = ("2m", "always")
    bus_operations: int = 2_000
    one_at_a_time: int = 200
    in_flight: tuple[int, ...] = (10, 50, 100, 200)
    transfers: int = 600
    """Transfers of one run at saturation."""
    processes: tuple[int, ...] = (1, 2, 4)
    coordinators: tuple[int, ...] = (1, 2, 4)
    coordinator_transfers: int = 200
    cluster: bool = True
    """Whether coordinators are measured beside a cluster of three brokers too."""
    bursts: tuple[int, ...] = (1_000, 5_000)
    waiting: tuple[int, ...] = (1_000, 10_000, 50_000)
    waiting_elsewhere: int = 1_000
    """Transfers that wait in a briefing, and without webhooks; 0: those rows are left out."""
    waiting_warm_up: int = 200
    """Transfers that end before others wait, so that no first use counts as memory of the waiting ones."""
    finished: int = 1_000
    """Waiting transfers that are answered at the end."""
    settle_s: float = 15.0
    """Pause before a measurement of what waits: the broker drops what it has cached for 10 s."""
    idle_s: float = 30.0
    history: tuple[int, ...] = (500, 5_000, 100_000)
    history_many: int = 300
    """Transfers of one measured run between the ended ones, many at a time."""
    history_alone: int = 60
    """The same, one at a time."""
    history_archived: bool = True
    """Whether a measurement waits until all ended transfers have left the working streams."""
    history_settle_s: float = 300.0
    """Pause before the broker's memory is read. It holds the message ids of the last 120 s, and its runtime
    returns free memory within minutes: 228 MB after 5,000 transfers, 105 MB after 240 s, 71 MB after 300 s.
    """
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
    shared_stack=StackSettings(briefing_jobs=300, ack_wait_s=ACK_WAIT_S, spare_sessions=700, webhooks=True),
    sync_intervals=("2m",),
    bus_operations=200,
    one_at_a_time=20,
    in_flight=(50,),
    transfers=100,
    processes=(1,),
    coordinators=(1, 2),
    coordinator_transfers=30,
    cluster=False,
    bursts=(100,),
    waiting=(150,),
    waiting_elsewhere=0,
    waiting_warm_up=1,
    finished=150,
    settle_s=1.0,
    idle_s=3.0,
    history=(400, 500),
    history_many=50,
    history_alone=5,
    history_archived=False,
    history_settle_s=1.0,
    recovery=40,
    starts=1,
    beside=3,
    whole_commands=False,
    upstream=False,
)
