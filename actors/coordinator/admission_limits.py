"""What keeps a transfer from starting now, as one coordinator knows it. Pure.

    briefings   each place of the briefing agents is taken
    starts      many transfers are between their request and the reply to their dial
    events      events wait for this coordinator
    provider    requests to the provider wait for its rate limit

A coordinator knows its own transfers exactly. It knows the processes of other roles by their announcements
(`actors/common/capacity.py`). Which places of the briefing agents it may take is in `briefing_places.py`. Of
the provider's rate it takes its share, which is its share of the partitions.

Invariants (`test_admission_limits.py`):

- What is not known is no limit: without an announcement of a role, requests start as if it had free places.
  A coordinator that starts, or was cut off, first listens for `LISTEN_S`.
- An estimate that is wrong ends by itself. A start counts for `START_EXPIRES_S`, an announcement for
  `LIVE_S`, a measured delay for `LAG_EXPIRES_S`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from warmxfer.bus.partition import PARTITIONS, partition_of
from warmxfer.schemas import DialSupervisor, JoinConsultation, LeaveConsultation

from ..common.capacity import ANNOUNCE_EVERY_S, LIVE_S, RoleCapacity
from .briefing_places import SETTLE_S, START_EXPIRES_S, BriefingPlaces, HeldPlaces
from .state_machine import PreparationTask, Stage, Transfer

BRIEFING, GATEWAY = "briefing", "gateway"
MORE_AGENTS = "start more briefing agents, or raise WARMXFER_BRIEFING_JOBS"
MAX_PROCESSES = 4_096
STARTING_AT_ONCE = 200
"""Transfers of one coordinator between their request and the reply to their dial. More of them would only
wait for each other, each with its caller on hold."""
LISTEN_S = ANNOUNCE_EVERY_S + 0.25
"""In this time each live process of another role announces itself."""
WISH_WAIT_S = LISTEN_S + 2 * SETTLE_S + 0.3
"""In this time a wish for a free place of another coordinator is granted, also after one wish before it. The
coordinator may have listened first."""
PROVIDER_CALLS_PER_START = 3
"""The caller's call is found, a room is created, the supervisor is dialled."""
PROVIDER_WORK_S = 3.0
"""Requests to the provider that starting transfers may need, in seconds of its rate."""
MAX_PROVIDER_WAIT_S = 2.0
MAX_LAG_S = 1.0
"""Events that wait for longer delay what runs. Commands of one transfer have 10 s, unless set."""
LAG_EXPIRES_S = 1.0
LAG_WEIGHT = 0.2
RATE_WINDOW_S = 3.0
FIRST_PER_S = 100.0
"""Starts a second that are assumed until requests have waited for `RATE_WINDOW_S`. All places may have been
taken at the same moment. Then none is free before the first of those transfers needs none any more.
"""

STARTING = frozenset({Stage.NEW, Stage.PREPARING})
BRIEFED = STARTING | {Stage.RINGING, Stage.BRIEFING, Stage.SWITCHING, Stage.ARRIVING, Stage.RETURNING}
"""Stages in which a briefing agent holds a place for the transfer. It also does while it is to leave."""


class Hindrance(NamedTuple):
    """What keeps a request waiting: one word, a sentence without its end, and what helps."""

    limit: str
    reason: str
    remedy: str
    is_brief: bool = False
    """It ends by itself within seconds, whatever the rate at which others start."""
    least_wait_s: float = 0.0
    """It may end in this time without any change. A request's own time ends no earlier."""


class StartLimits:
    """The limits of the coordinator `instance`. `now` is the loop's time."""

    def __init__(self, instance: str = "", on_places_changed: Callable[[], None] = lambda: None) -> None:
        self._share = 1.0
        self._places = BriefingPlaces(instance, on_places_changed)
        self._listens_until = float("-inf")
        self._starting: dict[str, float] = {}
        """Transfers that are being started, and when each counts no more."""
        self._heard: dict[tuple[str, str], tuple[RoleCapacity, float]] = {}
        self._lag_s = 0.0
        self._lag_at = float("-inf")

    # ── what is observed ─────────────────────────────────────────────────────────────────────────

    def heard(self, role: str, capacity: RoleCapacity, now: float) -> None:
        """Note the announcement of one process."""
        key = (role, capacity.instance)
        if not capacity.live:
            self._heard.pop(key, None)
        elif key in self._heard or len(self._heard) < MAX_PROCESSES:
            self._heard[key] = capacity, now
        if role == BRIEFING:
            self._places.observe_taken(sum(each.taken for each in self._live(BRIEFING, now)), now)

    def heard_coordinator(self, instance: str, places: HeldPlaces | None, now: float) -> bool:
        """Note what another coordinator announces; None: it stops. Returns whether that changes anything."""
        return self._places.hear(instance, places, now)

    def listen(self, now: float) -> None:
        """Note that announcements may have been missed until now."""
        self._listens_until = now + LISTEN_S

    def observe_lag(self, lag_s: float, now: float) -> None:
        """Note for how long an event waited for this coordinator."""
        known_s = self._lag_s if now - self._lag_at <= LAG_EXPIRES_S else lag_s
        self._lag_s, self._lag_at = known_s + LAG_WEIGHT * (lag_s - known_s), now

    def take_partitions(self, partitions: AbstractSet[int], now: float) -> None:
        """Note which partitions this coordinator takes. Starts of others count no more."""
        self._share = len(partitions) / PARTITIONS
        self._starting = {id: at for id, at in self._starting.items() if partition_of(id) in partitions}
        self._places.take_partitions(partitions, now)

    def start(self, id: str, *, needs_briefing: bool, now: float) -> None:
        """Note that transfer `id` starts."""
        self._starting[id] = now + START_EXPIRES_S
        if needs_briefing:
            self._places.hold(id, now)

    def is_starting(self, id: str) -> bool:
        return id in self._starting

    def record(self, state: Transfer, now: float) -> bool:
        """Note the newest state of a transfer. Returns whether it made room for another start."""
        freed = False
        if state.id in self._starting and not (
            state.stage in STARTING or state.awaits(DialSupervisor, JoinConsultation)
        ):
            del self._starting[state.id]
            freed = True
        if needs_briefing(state) and (state.stage in BRIEFED or state.awaits(LeaveConsultation)):
            self._places.keep(state.id, now, joined=PreparationTask.JOIN in state.begun)
        elif self._places.free(state.id):
            freed = True
        return freed

    def drop(self, id: str) -> None:
        """Forget a transfer that another coordinator has continued."""
        self._starting.pop(id, None)
        self._places.free(id)

    # ── what follows ─────────────────────────────────────────────────────────────────────────────

    def hindrance(self, *, needs_briefing: bool, now: float) -> Hindrance | None:
        """Return what keeps a transfer from starting now, or None."""
        unknown = self._unknown_places(now) if needs_briefing else None
        # A place of another coordinator is wished for only if the transfer could start with it.
        found = unknown or self._start_hindrance(now)
        return found if found or not needs_briefing else self._briefing_hindrance(now)

    def held_places(self, now: float) -> HeldPlaces:
        """Return what this coordinator announces to the others."""
        return self._places.announced(sum(each.places for each in self._live(BRIEFING, now)), now)

    def _unknown_places(self, now: float) -> Hindrance | None:
        """Return that this coordinator still listens which places there are, or None."""
        if now >= self._listens_until or self._live(BRIEFING, now):
            return None
        reason = "No briefing agent has announced itself yet"
        return Hindrance("briefings", reason, MORE_AGENTS, is_brief=True, least_wait_s=LISTEN_S)

    def _briefing_hindrance(self, now: float) -> Hindrance | None:
        live = self._live(BRIEFING, now)
        places = sum(each.places for each in live)
        if not live or self._places.request_place(places, now):
            return None
        taken = self._places.taken(places)
        reason = f"{taken} of {places} places of the briefing agents are taken"
        if taken == places:
            return Hindrance("briefings", reason, MORE_AGENTS)
        reason += ", the others belong to other coordinators"
        return Hindrance("briefings", reason, MORE_AGENTS, least_wait_s=WISH_WAIT_S)

    def _start_hindrance(self, now: float) -> Hindrance | None:
        while self._starting and (oldest := next(iter(self._starting.items())))[1] <= now:
            del self._starting[oldest[0]]
        more = "start more coordinators"
        if now - self._lag_at <= LAG_EXPIRES_S and self._lag_s > MAX_LAG_S:
            return Hindrance("events", f"Events wait {self._lag_s:.1f} s for this coordinator", more)
        gateways = self._live(GATEWAY, now)
        slower = "raise WARMXFER_PROVIDER_RATE if the provider allows more"
        wait_s = min((each.wait_s for each in gateways), default=0.0)
        if wait_s > MAX_PROVIDER_WAIT_S:
            return Hindrance(
                "provider", f"Requests to the provider wait {wait_s:.0f} s for its rate limit", slower
            )
        if len(self._starting) >= STARTING_AT_ONCE:
            return Hindrance("starts", f"{len(self._starting)} transfers are being started", more)
        if gateways and all(each.rate_per_s > 0 for each in gateways):
            rate_per_s = sum(each.rate_per_s for each in gateways)
            allowed = rate_per_s * self._share * PROVIDER_WORK_S / PROVIDER_CALLS_PER_START
            if len(self._starting) >= max(1, math.floor(allowed)):
                return Hindrance("provider", f"The provider takes {rate_per_s:g} requests a second", slower)
        return None

    def _live(self, role: str, now: float) -> list[RoleCapacity]:
        """Return the announcements of the processes of `role` that are live."""
        dead = [key for key, (_, at) in self._heard.items() if now - at > LIVE_S]
        for key in dead:
            del self._heard[key]
        return [capacity for (each, _), (capacity, _) in self._heard.items() if each == role]


class StartRate:
    """How many transfers a second start while requests wait, by the last `RATE_WINDOW_S`.

    The start that is awaited counts as one: without any start the rate is low, not unknown.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self._starts: deque[float] = deque()

    def begin(self, now: float) -> None:
        """Note that requests wait from now on."""
        self._began = now
        self._starts.clear()

    def note(self, now: float) -> None:
        """Note one start."""
        self._starts.append(now)

    def per_s(self, now: float) -> float:
        """Return the starts a second."""
        if now - self._began < RATE_WINDOW_S:
            return FIRST_PER_S
        while self._starts and self._starts[0] < now - RATE_WINDOW_S:
            self._starts.popleft()
        return (len(self._starts) + 1) / RATE_WINDOW_S


def needs_briefing(state: Transfer) -> bool:
    """Return whether a worker of the role `briefing` briefs the supervisor of this transfer."""
    return state.request is not None and state.request.config.brief_by != "session"
