"""At most once outlives retention: nothing of a live transfer can expire.

Without the minimum in `bus/settings.py` the second test fails; without `why_too_long` in `admission.py` the
last one: the transfer starts, and its dial's claim may expire before its end.
"""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec
import pytest

from warmxfer.actors.coordinator.admission import why_too_long
from warmxfer.actors.coordinator.state_machine import Applied, Transfer, step, timeouts
from warmxfer.bus import Bus, subjects
from warmxfer.bus.settings import MIN_MAX_AGE_S
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    AudioStreamEnabled,
    DeadlinePassed,
    Outcome,
    ParticipantJoined,
    SIPDestination,
    SupervisorReady,
    TransferRequested,
    WarmTransferConfig,
    WarmTransferRequest,
)

from .coordinator_fixture import request, running_coordinators, until_stored
from .fake_actors import FakeActors, answers

START = 1_781_532_000.0
DESTINATION = SIPDestination("rule", "+14155550101", "+14155550199")
LONGEST = WarmTransferConfig(
    DESTINATION,
    summary_timeout_s=60.0,
    supervisor_join_timeout_s=3_600.0,
    briefing_timeout_s=3_600.0,
    caller_arrival_timeout_s=60.0,
    command_timeout_s=60.0,
    pacing="sequential",
    record=True,
)
CONFIGS = [LONGEST, msgspec.structs.replace(LONGEST, pacing="overlap"), WarmTransferConfig(DESTINATION)]
MAX_STEPS = 5_000
PEOPLE = (AudioStreamEnabled, SupervisorReady, ParticipantJoined)


def last_moment(config: WarmTransferConfig, silent_after: int) -> float:
    """Play a transfer whose actors and people act in the last moment, `silent_after` times.

    Returns the seconds until no timer is set.
    """
    started = TransferRequested(transfer_id="t", request=WarmTransferRequest("room-a", config))
    state: Transfer | None = None
    waiting: deque[AnyEvent] = deque([started])
    now, replies = START, 0
    for _ in range(MAX_STEPS):
        if state is None or not (due_at := state.timer_due_at):
            event: AnyEvent | None = waiting.popleft() if waiting else None
        elif waiting and replies < silent_after and not _waits_longer(state, waiting[0]):
            event, now, replies = waiting.popleft(), max(now, due_at - 0.5), replies + 1
        else:
            event, now = DeadlinePassed(due_at=due_at), max(now, due_at)
        if event is None:
            return now - START
        applied = step(state, event, now)
        if isinstance(applied, Applied):
            state = applied.state
            for output in applied.outbox:
                waiting += answers(output) if isinstance(output, AnyCommand) else ()
    raise AssertionError("the transfer did not come to rest")


def _waits_longer(state: Transfer, event: AnyEvent) -> bool:
    """Return whether a person acts later than at the next timer, which is a leg check."""
    due_at = state.timer_due_at or 0.0
    return isinstance(event, PEOPLE) and state.stage_due_at is not None and due_at < state.stage_due_at


@pytest.mark.parametrize("config", CONFIGS, ids=["longest", "longest, overlap", "default"])
def test_no_transfer_lasts_longer_than_the_bound(config: WarmTransferConfig) -> None:
    lasted = [last_moment(config, silent_after) for silent_after in range(40)]
    assert max(lasted) <= timeouts.longest_s(config)
    assert max(lasted) > config.supervisor_join_timeout_s + config.briefing_timeout_s - 1.0


def test_the_shortest_retention_that_the_settings_allow_is_longer_than_any_transfer() -> None:
    assert timeouts.longest_s(LONGEST) <= MIN_MAX_AGE_S


def test_a_request_whose_waits_do_not_fit_is_named() -> None:
    assert why_too_long(None, LONGEST) is None
    assert why_too_long(MIN_MAX_AGE_S, LONGEST) is None
    default = WarmTransferConfig(DESTINATION)
    assert why_too_long(timeouts.longest_s(default), default) is None
    sentence = why_too_long(3_600.0, msgspec.structs.replace(default, briefing_timeout_s=1_800.0))
    assert sentence is not None
    assert sentence.startswith("config.briefing_timeout_s is 1800, with which a transfer may take ")
    assert sentence.endswith(
        "and the stream keeps messages for 3600 s; lower it, or raise WARMXFER_MAX_AGE_S."
    )


async def test_a_request_that_may_outlive_the_stream_is_refused(fresh_bus: Bus) -> None:
    """The stream was changed by hand; an ensure of today's settings would raise its age again."""
    api = fresh_bus._connection.api
    config = (await api("STREAM.INFO.WARMXFER_EVENTS"))["config"]
    await api("STREAM.UPDATE.WARMXFER_EVENTS", {**config, "max_age": 3_600 * 10**9})
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-long")
        result = await asyncio.wait_for(actors.run_transfer(request("room-a")), 20)
        await until_stored(fresh_bus, subjects.result("t-long"))
    assert result.outcome is Outcome.INVALID_REQUEST
    assert "the stream keeps messages for 3600 s" in (result.detail or "")
    assert actors.command_names == []
