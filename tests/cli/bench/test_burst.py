"""A burst beside few places: each request is complete or refused in its time, and no session gives up.

Real processes on loopback, with a cloud that answers at once. The burst is small enough for a busy machine.
"""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.cli.bench.load import Load
from warmxfer.cli.bench.machine import UsageMeter
from warmxfer.cli.bench.scenarios.burst import RELEASED_BY_LEASE
from warmxfer.cli.bench.stack import BenchStack, StackSettings
from warmxfer.schemas import Outcome

SPAN_S = 0.1
BRIEFING_JOBS = 5
LIMIT_S = 100.0
LONG_S = 12.0
"""Longer than an agent may take to join. A request let in without a free place would find none in time."""


@pytest.mark.parametrize("coordinators", [1, 2])
@pytest.mark.parametrize(("requests", "hello_after_s"), [(300, 0.0), (60, LONG_S)], ids=["short", "long"])
async def test_each_request_of_a_burst_is_complete_or_refused(
    coordinators: int, requests: int, hello_after_s: float
) -> None:
    settings = StackSettings(
        briefing_jobs=BRIEFING_JOBS, hello_after_s=hello_after_s, counts={"coordinator": coordinators}
    )
    async with BenchStack(settings) as stack, Load(stack, "burst-", requests) as load:
        meter = UsageMeter(stack.pids())
        ids = await load.request_all(range(requests), within_s=SPAN_S)
        assert await load.wait(ids, LIMIT_S), "a request was neither completed nor refused"
        sample = await load.sample(meter, 0.0, may_refuse=True)
        assert sample.problems == ()
        complete = load.complete()
        assert len(complete) + sample.refused == requests
        assert len(complete) > BRIEFING_JOBS or hello_after_s, "a place that becomes free is taken again"
        assert len(complete) >= BRIEFING_JOBS
        assert stack.logged(RELEASED_BY_LEASE) == 0
        async with asyncio.timeout(LIMIT_S):  # A coordinator publishes a result before it logs the end.
            while stack.logged("transfer_ended") != requests:
                await asyncio.sleep(0.1)
        for id in [id for id in ids if id not in complete][:20]:
            result = await stack.client.transfer(id).result(5)
            assert result.outcome is Outcome.TOO_BUSY
            assert float(str(result.evidence["retry_after_s"])) >= 5
            assert result.evidence["limit"] in ("briefings", "starts", "events")
            assert "ask again in" in (result.detail or "")
