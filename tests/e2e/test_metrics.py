"""The metrics of real processes agree with the results and with the cloud's ledger. They name no person."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from warmxfer.cli.local_stack.stack import ROLES
from warmxfer.schemas import Outcome

from .stack_fixture import BUSY, DECLINES, READY, TransferDriver, running_stack
from .test_lost_stream import probe_urls, wait_ready

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENV = {"WARMXFER_ACK_WAIT_S": "1", "WARMXFER_HEALTH_PORT": "0", "WARMXFER_HEALTH_HOST": "127.0.0.1"}
SUPERVISORS = (READY, READY, DECLINES, BUSY)
PATIENCE_S = 30.0
DIAL = "POST /v2/sip/call"
SWITCH = "POST /v2/sip/call/switch-room"
PHONE = re.compile(r"\+?[0-9]{10,}")


async def scrape(directory: Path) -> tuple[list[Sample], str]:
    """Return the samples of all processes, and their texts."""
    samples: list[Sample] = []
    texts: list[str] = []
    async with httpx.AsyncClient() as http:
        for url in probe_urls(directory):
            response = await http.get(url.replace("/readyz", "/metrics"))
            assert response.status_code == 200
            texts.append(response.text)
            samples += [s for family in text_string_to_metric_families(response.text) for s in family.samples]
    return samples, "\n".join(texts)


def total(samples: list[Sample], name: str, **labels: str) -> float:
    """Return the sum of `name` over all processes and all labels that are not given."""
    return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())


async def test_the_metrics_agree_with_the_results_and_the_ledger() -> None:
    async with running_stack(time_scale=0.1, env=ENV) as driver:
        directory = driver.stack.directory
        urls = probe_urls(directory)
        assert len(urls) == len(ROLES)
        await wait_ready(urls)
        outcomes, ids = await run_all(driver)
        dialled = len(await driver.stack.ledger(kind="dial"))
        async with asyncio.timeout(PATIENCE_S):
            while True:
                samples, text = await scrape(directory)
                if total(samples, "warmxfer_transfers_total") == len(SUPERVISORS):
                    break
                await asyncio.sleep(0.2)
        for outcome in Outcome:
            assert total(samples, "warmxfer_transfers_total", outcome=outcome) == outcomes[outcome]
        assert total(samples, "warmxfer_transfer_phases_total", phase="started") == len(SUPERVISORS)
        assert total(samples, "warmxfer_time_to_human_seconds_count") == outcomes[Outcome.COMPLETE]
        assert total(samples, "warmxfer_hold_seconds_count") == len(SUPERVISORS)
        answered = total(samples, "warmxfer_provider_requests_total", operation=DIAL, ended="answered")
        assert answered == dialled > 0
        switched = total(samples, "warmxfer_provider_requests_total", operation=SWITCH, ended="answered")
        assert switched == len(await driver.stack.ledger(kind="switch")) > 0
        assert total(samples, "warmxfer_partitions_held") == 16
        assert total(samples, "warmxfer_ready") == len(ROLES)
        assert total(samples, "warmxfer_broker_connected") == len(ROLES)
        assert total(samples, "warmxfer_dead_letters_total") == 0
        assert total(samples, "warmxfer_messages_total", result="acknowledged") > 0
        labels = {value for each in samples for value in each.labels.values()}
        assert not [value for value in labels if PHONE.search(value)]
        assert not [id for id in ids if id in text]


async def run_all(driver: TransferDriver) -> tuple[Counter[Outcome], list[str]]:
    """Run a transfer to each of `SUPERVISORS`; return the outcomes, and ids that no metric may show."""
    callers = await driver.callers(len(SUPERVISORS))
    calls = [
        await driver.begin(caller, supervisor=supervisor)
        for caller, supervisor in zip(callers, SUPERVISORS, strict=True)
    ]
    outcomes = Counter([(await call.result()).outcome for call in calls])
    return outcomes, [id for call in calls for id in (call.transfer.id, call.caller.room_id)]
