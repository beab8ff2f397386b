"""The stream is deleted while a supervisor is briefed. No process is restarted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from warmxfer.bus import subjects
from warmxfer.cli.local_stack.stack import ROLES, ROOT
from warmxfer.schemas import Outcome, RetryableError, WarmTransferPhase, participant_ids

from .stack_fixture import Call, TransferDriver, plain_client, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOW_TO_SAY_YES = "+14155550123"
ENV = {
    "WARMXFER_ACK_WAIT_S": "1",
    "WARMXFER_HOLD_LEASE_S": "4",
    "WARMXFER_DEPLOYMENT": "e2e",
    "WARMXFER_RECONCILE_S": "1",
    "WARMXFER_HEALTH_PORT": "0",
    "WARMXFER_HEALTH_HOST": "127.0.0.1",
}
PATIENCE_S = 30.0
"""The promise is 10 s, and chaos (F5) measures it. Here the machine may be busy."""
CLEAN_S = 60.0
"""A lease, three scans of the gateway, two liveness queries of the agent, and a margin for a busy machine."""


def probe_urls(directory: Path) -> list[str]:
    """Return the `/readyz` address of each worker, by the logs of the processes."""
    logs = [log for role in ROLES for log in directory.glob(f"{role}-*.log")]
    lines = [line for log in logs for line in log.read_text().splitlines() if '"probe_listens"' in line]
    return [f"http://127.0.0.1:{json.loads(line)['port']}/readyz" for line in lines]


async def wait_ready(urls: list[str]) -> None:
    """Return when every worker is ready."""
    async with httpx.AsyncClient() as http, asyncio.timeout(PATIENCE_S):
        for url in urls:
            while (await http.get(url)).status_code != 200:
                await asyncio.sleep(0.1)


async def begin(driver: TransferDriver, **config: Any) -> Call:
    """Request a transfer of a new caller. Repeats it until there is a stream."""
    (caller,) = await driver.callers(1)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await driver.begin(caller, **config)
            except RetryableError:
                continue


async def until(holds: Callable[[dict[str, Any]], bool], call: Call) -> None:
    async with asyncio.timeout(CLEAN_S):
        while not holds(await call.report()):
            await asyncio.sleep(0.2)


async def test_a_lost_stream_leaves_no_caller_leg_or_agent_behind_and_new_transfers_complete() -> None:
    """Regression: without a restart no worker continued, and the legs stayed up.

    No process tries what it may not do, such as to read a stream by number.
    """
    async with running_stack(time_scale=0.1, env=ENV) as driver:
        workers = [process for role in ROLES for process in driver.stack.running(role)]
        urls = probe_urls(driver.stack.directory)
        assert len(urls) == len(ROLES)
        await wait_ready(urls)
        await driver.person(SLOW_TO_SAY_YES, script="ready", replyS=1_000)
        lost = await begin(driver, supervisor=SLOW_TO_SAY_YES, briefing_timeout_s=300)
        await lost.until(WarmTransferPhase.BRIEFING_STARTED)
        connection = await plain_client(driver.stack, ROOT)
        for stream in subjects.STREAMS:
            await connection.request(f"$JS.API.STREAM.DELETE.{stream}", timeout=5)
        await connection.close()
        new = await begin(driver)
        await asyncio.wait_for(new.until(WarmTransferPhase.CALLER_ON_HOLD), PATIENCE_S)
        assert (await new.result()).outcome is Outcome.COMPLETE
        await new.assert_clean_end()
        await wait_ready(urls)
        await until(lambda report: not report["callerHeld"] and report["supervisorLegsUp"] == 0, lost)
        agent = participant_ids.agent(lost.transfer.id)
        async with asyncio.timeout(CLEAN_S):
            while agent not in [e["participantId"] for e in await driver.stack.ledger(kind="left")]:
                await asyncio.sleep(0.2)
        assert [process for role in ROLES for process in driver.stack.running(role)] == workers
