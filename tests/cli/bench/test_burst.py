"""A burst beside few places: each request is complete or refused in its time, and no session gives up.

Real processes on loopback, with a cloud that answers at once. The burst is small enough for a busy machine.

Admission estimates the free places, so it may let in a few requests too many. They end as `briefing_absent`,
with their callers back at the AI.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from warmxfer.cli.bench.load import Load
from warmxfer.cli.bench.machine import UsageMeter
from warmxfer.cli.bench.scenarios.burst import RELEASED_BY_LEASE
from warmxfer.cli.bench.stack import BenchStack, StackSettings
from warmxfer.schemas import Outcome

REQUESTS = 300
SPAN_S = 0.1
BRIEFING_JOBS = 5
LIMIT_S = 100.0
MAX_TOO_MANY = REQUESTS // 4
"""Without the announcements of free places, two thirds of the requests are let in and find no agent."""


@pytest.mark.parametrize("coordinators", [1, 2])
async def test_each_request_of_a_burst_is_complete_or_refused(coordinators: int) -> None:
    settings = StackSettings(briefing_jobs=BRIEFING_JOBS, counts={"coordinator": coordinators})
    async with BenchStack(settings) as stack, Load(stack, "burst-", REQUESTS) as load:
        meter = UsageMeter(stack.pids())
        ids = await load.request_all(range(REQUESTS), within_s=SPAN_S)
        assert await load.wait(ids, LIMIT_S), "a request was neither completed nor refused"
        sample = await load.sample(meter, 0.0, may_refuse=True)
        complete = load.complete()
        too_many = REQUESTS - len(complete) - sample.refused
        assert too_many <= MAX_TOO_MANY
        assert len(sample.problems) == (too_many > 0), sample.problems
        assert len(complete) > BRIEFING_JOBS, "a place that becomes free is taken again"
        assert stack.logged(RELEASED_BY_LEASE) == 0
        async with asyncio.timeout(LIMIT_S):
            while stack.logged("transfer_ended") != REQUESTS:
                await asyncio.sleep(0.1)
        results = [await stack.client.transfer(id).result(5) for id in ids if id not in complete]
        outcomes = Counter(each.outcome for each in results)
        assert outcomes == +Counter({Outcome.TOO_BUSY: sample.refused, Outcome.BRIEFING_ABSENT: too_many})
        for result in [each for each in results if each.outcome is Outcome.TOO_BUSY][:20]:
            assert float(str(result.evidence["retry_after_s"])) >= 5
            assert result.evidence["limit"] in ("briefings", "starts", "events")
            assert "ask again in" in (result.detail or "")
