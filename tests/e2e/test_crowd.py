"""Two processes of every role at once, and fifty transfers."""

from __future__ import annotations

import asyncio

from warmxfer.schemas import Outcome

from .stack_fixture import running_stack

TRANSFERS = 50
TWO_OF_EACH = {"coordinator": 2, "gateway": 2, "summarizer": 2, "briefing": 2}


async def test_two_of_every_role_move_fifty_transfers_once_each() -> None:
    async with running_stack(time_scale=0.1, counts=TWO_OF_EACH) as driver:
        callers = [*await driver.callers(TRANSFERS // 2), *await driver.callers(TRANSFERS // 2)]
        config = {"command_timeout_s": 30, "summary_timeout_s": 30}
        calls = await asyncio.gather(*(driver.begin(caller, **config) for caller in callers))
        results = await asyncio.gather(*(call.result() for call in calls))
        assert [result.outcome for result in results] == [Outcome.COMPLETE] * TRANSFERS
        for call in calls:
            report = await call.assert_clean_end()
            assert list(report["dials"].values()) == [1]
            assert report["switches"] == {"forward": 1, "back": 0}
            assert [phase.seq for phase in await call.phases()] == list(range(1, 12))
