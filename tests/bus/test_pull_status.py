"""What a pull consumer does after each answer of the broker, as nats-server 2.15 words them."""

from __future__ import annotations

import pytest

from warmxfer.bus.pull_status import PAUSE_MAX_S, PAUSE_MIN_S, PullStep, next_pause, step_after


@pytest.mark.parametrize(
    ("status", "description", "step"),
    [
        ("100", "Idle Heartbeat", PullStep.CONTINUE),
        ("408", "Request Timeout", PullStep.PULL),
        ("404", "No Messages", PullStep.ENSURE),
        ("409", "Consumer Deleted", PullStep.ENSURE),
        ("409", "Consumer is push based", PullStep.ENSURE),
        ("409", "Leadership Change", PullStep.RESTART),
        ("409", "Server Shutdown", PullStep.RESTART),
        ("409", "Exceeded MaxWaiting", PullStep.RESTART),
        ("503", "\nNats-Subject: $JS.API.CONSUMER.MSG.NEXT.WARMXFER.gateway", PullStep.ENSURE),
        ("503", "", PullStep.ENSURE),
        ("400", "Bad Request", PullStep.RESTART),
        ("423", "Nats-Wrong-Pin-Id", PullStep.RESTART),
        ("", "", PullStep.RESTART),
    ],
)
def test_each_answer_has_one_step(status: str, description: str, step: PullStep) -> None:
    assert step_after(status, description) is step


def test_pauses_grow_to_a_limit_within_which_work_goes_on() -> None:
    pauses = [PAUSE_MIN_S]
    while pauses[-1] < PAUSE_MAX_S:
        pauses.append(next_pause(pauses[-1]))
        assert len(pauses) < 10
    assert pauses == sorted(set(pauses))
    assert next_pause(PAUSE_MIN_S) == 2 * PAUSE_MIN_S
    assert next_pause(PAUSE_MAX_S) == PAUSE_MAX_S < 10
