"""The benchmark's driver still does whole transfers, and notices one that is not whole."""

import os

import pytest

from tests.benchmarks import sandbox_bench as bench
from warmxfer.sandbox import Settings

from .client import running


async def test_the_driver_does_whole_transfers_at_time_scale_zero() -> None:
    settings = Settings(bench.API_KEY, bench.SECRET, time_scale=0.0, sign_webhooks=False)
    async with running(settings) as sandbox, bench.open_driver(sandbox.base_url) as driver:
        batch = await bench.run_batch(driver, os.getpid(), transfers=6, in_flight=3)
        await bench.check_ledger(driver, 6)
        with pytest.raises(AssertionError, match="6 dial for 7 transfers"):
            await bench.check_ledger(driver, 7)
    assert (batch.transfers, batch.rate > 0) == (6, True)


async def test_a_webhook_that_does_not_come_fails_the_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "WAIT_S", 1.0)
    settings = Settings(bench.API_KEY, bench.SECRET, time_scale=0.0, sign_webhooks=False)
    async with running(settings) as sandbox, bench.open_driver(sandbox.base_url) as driver:
        await sandbox.fault({"webhook": "call-update"}, "drop")
        with pytest.raises(AssertionError, match="only these webhooks came"):
            await driver.transfer()
