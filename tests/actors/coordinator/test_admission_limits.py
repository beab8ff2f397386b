"""What keeps a transfer from starting: places, starts, lag and the provider's rate."""

from __future__ import annotations

import msgspec
import pytest

from warmxfer.actors.common.capacity import LIVE_S, RoleCapacity
from warmxfer.actors.coordinator import admission_limits
from warmxfer.actors.coordinator.admission_limits import (
    BRIEFING,
    FIRST_PER_S,
    GATEWAY,
    LAG_EXPIRES_S,
    RATE_WINDOW_S,
    START_EXPIRES_S,
    STARTING_AT_ONCE,
    Hindrance,
    StartLimits,
    StartRate,
)
from warmxfer.actors.coordinator.briefing_places import HANDOVER_S, HeldPlaces
from warmxfer.actors.coordinator.state_machine import Stage, Transfer
from warmxfer.bus.partition import PARTITIONS, partition_of
from warmxfer.schemas import DialSupervisor

from .state_machine.transfer_builder import TransferBuilder

ALL = frozenset(range(PARTITIONS))
ENDED = (Stage.COMPLETED, Stage.CANCELLED, Stage.FAILED, Stage.GUARDING)


def capacity(instance: str = "a", places: int = 10, taken: int = 0, **fields: float | bool) -> RoleCapacity:
    return RoleCapacity(instance, places, taken, **fields)  # pyright: ignore[reportArgumentType]


def limits_with(*briefings: RoleCapacity) -> StartLimits:
    limits = StartLimits()
    for each in briefings:
        limits.heard(BRIEFING, each, 0.0)
    return limits


def state_of(id: str, stage: Stage, **config: str) -> Transfer:
    return msgspec.structs.replace(TransferBuilder(**config).until(stage).state, id=id)


def start(limits: StartLimits, *ids: str, now: float = 0.0) -> None:
    for id in ids:
        limits.start(id, needs_briefing=True, now=now)


def limit_of(limits: StartLimits, now: float = 0.0, *, needs_briefing: bool = True) -> str | None:
    found = limits.hindrance(needs_briefing=needs_briefing, now=now)
    return found and found.limit


def startable(limits: StartLimits, now: float = 0.0) -> int:
    """Return how many transfers start one after the other until one has to wait."""
    count = 0
    while limit_of(limits, now) is None:
        start(limits, f"more-{count}", now=now)
        count += 1
    return count


# ── places of the briefing agents ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("briefings", "free"),
    [
        ([capacity(places=10)], 10),
        ([capacity(places=10, taken=4)], 6),
        ([capacity(places=10, taken=10)], 0),
        ([capacity(places=10, taken=12)], 0),
        ([capacity("a", 10, 4), capacity("b", 5, 5)], 6),
        ([capacity("a", 10, 4), capacity("a", 10, 9)], 1),
        ([capacity("a", 10, 4), capacity("a", 20, 4)], 16),
        ([capacity("a", 10), capacity("b", 10), capacity("b", 10, live=False)], 10),
        ([], STARTING_AT_ONCE),
        ([capacity("a", 10), capacity("a", 10, live=False)], STARTING_AT_ONCE),
        ([capacity("a", 50)], 50),
    ],
)
def test_as_many_start_as_places_are_free(briefings: list[RoleCapacity], free: int) -> None:
    assert startable(limits_with(*briefings)) == free


def test_the_sentence_names_places_and_remedy() -> None:
    found = limits_with(capacity(places=3, taken=3)).hindrance(needs_briefing=True, now=0.0)
    assert found == Hindrance(
        "briefings",
        "3 of 3 places of the briefing agents are taken",
        "start more briefing agents, or raise WARMXFER_BRIEFING_JOBS",
    )


def test_the_sentence_says_that_free_places_belong_to_other_coordinators() -> None:
    limits = limits_with(capacity(places=100))
    limits.take_partitions(frozenset(), 0.0)
    found = limits.hindrance(needs_briefing=True, now=0.0)
    assert found is not None
    assert found.reason == (
        "0 of 100 places of the briefing agents are taken, the others belong to other coordinators"
    )


def test_a_transfer_briefed_by_its_session_needs_no_place() -> None:
    assert limit_of(limits_with(capacity(places=1, taken=1)), needs_briefing=False) is None


def test_a_silent_briefing_agent_sets_no_limit() -> None:
    limits = limits_with(capacity(places=1, taken=1))
    assert limit_of(limits, LIVE_S) == "briefings"
    assert limit_of(limits, LIVE_S + 0.01) is None


@pytest.mark.parametrize("stage", [each for each in Stage if each is not Stage.NEW])
def test_a_transfer_takes_its_place_until_the_agent_has_left(stage: Stage) -> None:
    limits = limits_with(capacity(places=1))
    start(limits, "t1")
    freed = limits.record(state_of("t1", stage), 0.0)
    holds = stage not in ENDED
    assert limit_of(limits) == ("briefings" if holds else None)
    assert freed or holds


@pytest.mark.parametrize("stage", [Stage.HANDING_OVER, Stage.UNWINDING])
def test_the_reply_of_an_agent_that_leaves_frees_its_place(stage: Stage) -> None:
    """The agent speaks to its end before it leaves."""
    limits, builder = limits_with(capacity(places=1)), TransferBuilder()
    start(limits, builder.until(stage).state.id)
    limits.record(builder.state, 0.0)
    assert limit_of(limits) == "briefings"
    builder.reply("leave_consultation")
    assert limits.record(builder.state, 0.0)
    assert limit_of(limits) is None


def test_a_coordinator_that_starts_listens_before_it_takes_agents_for_absent() -> None:
    limits = StartLimits()
    limits.listen(0.0)
    assert limit_of(limits, admission_limits.LISTEN_S - 0.01) == "briefings"
    assert limit_of(limits, needs_briefing=False) is None
    assert limit_of(limits, admission_limits.LISTEN_S) is None
    limits.heard(BRIEFING, capacity(places=1), 0.0)
    assert limit_of(limits, 0.1) is None


@pytest.mark.parametrize("taken", [0, 3])
def test_places_that_another_coordinator_holds_are_taken(taken: int) -> None:
    limits = StartLimits()
    limits.heard_coordinator("other", HeldPlaces(3, borrowed=3), 0.0)
    limits.heard(BRIEFING, capacity(places=5, taken=taken), 0.0)
    assert startable(limits) == 2


def test_a_coordinator_announces_the_places_that_it_holds() -> None:
    limits = limits_with(capacity(places=5))
    start(limits, "t1", "t2")
    assert limits.held_places(0.0) == HeldPlaces(2)


def test_own_transfers_that_joined_are_not_counted_twice() -> None:
    """An agent announces a job as taken that this coordinator knows as its own transfer."""
    limits = StartLimits()
    start(limits, "t1")
    limits.record(state_of("t1", Stage.BRIEFING), 0.0)
    limits.heard(BRIEFING, capacity(places=3, taken=1), 0.0)
    assert startable(limits) == 2


def test_transfers_of_other_coordinators_count_by_the_jobs_that_they_take() -> None:
    limits = StartLimits()
    start(limits, "t1")
    limits.record(state_of("t1", Stage.BRIEFING), 0.0)
    limits.heard(BRIEFING, capacity(places=8, taken=6), 0.0)
    assert startable(limits) == 2


def test_a_coordinator_that_gives_partitions_up_forgets_their_transfers() -> None:
    limits = limits_with(capacity(places=32))
    start(limits, "t1")
    limits.take_partitions(ALL - {partition_of("t1")}, 0.0)
    assert not limits.is_starting("t1")
    assert limits.held_places(0.0) == HeldPlaces(handed=1)
    assert limits.held_places(HANDOVER_S) == HeldPlaces()


def test_a_transfer_that_another_coordinator_continued_is_forgotten() -> None:
    limits = limits_with(capacity(places=1))
    start(limits, "t1")
    limits.drop("t1")
    assert limit_of(limits) is None


# ── starts ───────────────────────────────────────────────────────────────────────────────────────


def test_only_so_many_transfers_start_at_the_same_time() -> None:
    limits = StartLimits()
    start(limits, *(f"t{n}" for n in range(STARTING_AT_ONCE)))
    assert limit_of(limits) == "starts"
    assert limits.record(state_of("t7", Stage.BRIEFING), 0.0)
    assert limit_of(limits) is None


def test_a_transfer_starts_until_its_dial_is_answered() -> None:
    limits, builder = StartLimits(), TransferBuilder()
    start(limits, "t1")
    builder.until(Stage.RINGING)
    assert builder.state.awaits(DialSupervisor)
    limits.record(builder.state, 0.0)
    assert limits.is_starting("t1")
    builder.reply("dial_supervisor")
    limits.record(builder.state, 0.0)
    assert not limits.is_starting("t1")


def test_a_start_of_which_nothing_is_heard_expires() -> None:
    limits = StartLimits()
    start(limits, *(f"t{n}" for n in range(STARTING_AT_ONCE)))
    assert limit_of(limits, START_EXPIRES_S - 0.01) == "starts"
    assert limit_of(limits, START_EXPIRES_S) is None


# ── lag ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("lags_s", "limit"),
    [([0.2] * 20, None), ([1.5], "events"), ([0.1] * 9 + [3.0], None)],
)
def test_events_that_wait_long_hold_requests_back(lags_s: list[float], limit: str | None) -> None:
    limits = StartLimits()
    for lag_s in lags_s:
        limits.observe_lag(lag_s, 0.0)
    assert limit_of(limits) == limit


def test_a_lag_expires_when_no_event_comes() -> None:
    limits = StartLimits()
    limits.observe_lag(5.0, 0.0)
    assert limit_of(limits, LAG_EXPIRES_S) == "events"
    assert limit_of(limits, LAG_EXPIRES_S + 0.01) is None


# ── the provider ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("gateways", "limit"),
    [
        ([capacity(wait_s=1.9)], None),
        ([capacity(wait_s=2.1)], "provider"),
        ([capacity("a", wait_s=9.0), capacity("b", wait_s=0.0)], None),
    ],
)
def test_requests_wait_while_every_gateway_waits_for_the_provider(
    gateways: list[RoleCapacity], limit: str | None
) -> None:
    limits = StartLimits()
    for each in gateways:
        limits.heard(GATEWAY, each, 0.0)
    assert limit_of(limits) == limit


@pytest.mark.parametrize(
    ("rates", "starts"),
    [([10.0], 10), ([5.0, 5.0], 10), ([0.1], 1), ([0.0], STARTING_AT_ONCE), ([10.0, 0.0], STARTING_AT_ONCE)],
)
def test_as_many_start_as_the_providers_rate_carries_in_seconds(rates: list[float], starts: int) -> None:
    limits = StartLimits()
    for number, rate in enumerate(rates):
        limits.heard(GATEWAY, capacity(str(number), rate_per_s=rate), 0.0)
    assert startable(limits) == starts


# ── the rate of starts ───────────────────────────────────────────────────────────────────────────


def test_the_rate_is_assumed_at_first_and_measured_then() -> None:
    rate = StartRate()
    rate.begin(10.0)
    for n in range(20):
        rate.note(10.0 + n / 20)
    assert rate.per_s(10.0) == rate.per_s(12.9) == FIRST_PER_S
    assert rate.per_s(10.0 + RATE_WINDOW_S) == pytest.approx(21 / RATE_WINDOW_S)
    assert rate.per_s(20.0) == pytest.approx(1 / RATE_WINDOW_S)
