"""Wrong credentials of the provider show before the first call: in `doctor`, in the log, and in the probe."""

from __future__ import annotations

import json

import httpx
import pytest

from warmxfer.actors.runtime.exit_codes import INVALID

from .programs import output_of
from .stack_fixture import TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRONG = {"VIDEOSDK_SECRET": "another-secret-of-at-least-thirty-two-bytes"}
PROBE = {"WARMXFER_HEALTH_PORT": "0", "WARMXFER_HEALTH_HOST": "127.0.0.1"}
REMEDY = "check VIDEOSDK_API_KEY and VIDEOSDK_SECRET"


async def requests_of(driver: TransferDriver) -> int:
    """Return how many requests the cloud has received."""
    return (await driver.stack.state())["requests"]


async def test_doctor_makes_one_authenticated_call_and_says_that_it_was_refused(
    driver: TransferDriver,
) -> None:
    env = driver.stack.actor_env("gateway") | driver.stack.bus_env("operator") | WRONG
    while True:
        before = await requests_of(driver)
        code, output = await output_of(env, "warmxfer.cli", "doctor", "--json")
        if await requests_of(driver) == before + 1:
            break  # Beside other requests, of a transfer that is cleaned up, it cannot be counted.
    lines = map(json.loads, output.splitlines())
    # With TLS asyncio logs a line of its own at the end of a connection.
    findings = {each["about"]: each for each in lines if "about" in each}
    assert findings["provider"]["state"] == "ok", "the variables are set"
    assert findings["cloud"]["state"] == "wrong"
    assert findings["cloud"]["sentence"].startswith("GET /v2/sip/call answered 401: ")
    assert findings["cloud"]["sentence"].endswith(f"; {REMEDY}.")
    assert code == INVALID
    assert WRONG["VIDEOSDK_SECRET"] not in output


async def test_a_gateway_says_at_its_start_that_it_was_refused_and_is_not_ready(
    driver: TransferDriver,
) -> None:
    for env, status in ((WRONG, 503), ({}, 200)):
        gateway = await driver.stack.start("gateway", env={**env, **PROBE})
        try:
            lines = [json.loads(line) for line in gateway.log_path.read_text().splitlines()]
            by_event = {line["event"]: line for line in lines}
            async with httpx.AsyncClient() as http:
                answer = await http.get(f"http://127.0.0.1:{by_event['probe_listens']['port']}/readyz")
            assert answer.status_code == status
            assert ("provider: " in answer.text and REMEDY in answer.text) == bool(env)
            assert ("provider_refused_credentials" in by_event) == bool(env)
            if env:
                assert REMEDY in by_event["provider_refused_credentials"]["cause"]
                assert WRONG["VIDEOSDK_SECRET"] not in gateway.log_path.read_text()
        finally:
            await gateway.stop()
