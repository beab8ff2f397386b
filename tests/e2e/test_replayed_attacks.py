"""Findings 4, 7 and 11 of the attack, tried again on running processes: what the attacker sees.

The others are in `attacks/`, `test_forged.py`, `test_tls.py` and `test_dial_policy.py` (docs/security.md).
"""

from __future__ import annotations

import asyncio
import json

import pytest

from warmxfer.actors.runtime.exit_codes import INVALID
from warmxfer.bus import Bus, subjects
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.schemas import Outcome

from .programs import output_of
from .stack_fixture import RESULT_TIMEOUT_S, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = "sip:" * 14_000


async def test_a_long_command_id_delays_no_transfer(driver: TransferDriver) -> None:
    """Finding 4: two such messages froze both gateways for 30 s and more, and a transfer ended."""
    (caller,) = await driver.callers(1)
    command = {"type": "end_call", "command_id": LONG, "deadline_at": 1e12, "call_id": LONG}
    async with await Bus.connect(driver.stack.settings(ROOT), name="attacker") as bus:
        for place in range(2):
            await bus.publish(subjects.work_queue(f"frozen-{place}", "gateway"), json.dumps(command).encode())
        call = await driver.begin(caller)
        assert (await call.result()).outcome is Outcome.COMPLETE
        async with asyncio.timeout(RESULT_TIMEOUT_S):
            while (letter := await bus.get_last(subjects.dead_letter("frozen-0"))) is None:
                await asyncio.sleep(0.1)
    cause = json.loads(letter.data)["cause"]
    assert cause
    assert len(cause) < 1_000, "the attacker's text is not repeated"
    await call.assert_clean_end()


SECRETS = {
    "NATS_URL": "nats://u:s3cretpw@127.0.0.1:1",
    "NATS_PASSWORD": "an0ther-password",
    "VIDEOSDK_BASE_URL": "https://user:pw123@api.example.com/",
    "WARMXFER_WEBHOOK_PORT": "0",
    "WARMXFER_WEBHOOK_URL": "user:pw456@gateway.example.com",
    "WARMXFER_WEBHOOK_PUBLIC_KEY": "fetch",
}


@pytest.mark.parametrize("left_out", [(), ("VIDEOSDK_BASE_URL",)])
@pytest.mark.parametrize("command", [("warmxfer.cli", "doctor"), ("warmxfer.actors", "gateway")])
async def test_no_program_prints_a_password_of_an_address(
    driver: TransferDriver, command: tuple[str, ...], left_out: tuple[str, ...]
) -> None:
    """Finding 7: doctor printed the password in NATS_URL and in VIDEOSDK_BASE_URL."""
    env = {name: value for name, value in SECRETS.items() if name not in left_out}
    code, output = await output_of(driver.stack.actor_env("gateway") | env, *command)
    assert code not in (0, None)
    assert output.strip()
    for secret in ("s3cretpw", "an0ther-password", "pw123", "pw456", driver.stack.secret):
        assert secret not in output


@pytest.mark.parametrize(
    "url", ["u:s3cretpw@127.0.0.1:1", "nats://u:an@s3cretpw@127.0.0.1:1", "nats://u:s3cretpw/x@127.0.0.1:1"]
)
async def test_no_spelling_of_a_login_is_printed(driver: TransferDriver, url: str) -> None:
    """Siblings of finding 7: no scheme, an @ or a slash in it; `config` prints before it refuses."""
    for command in (
        ("warmxfer.cli", "doctor"),
        ("warmxfer.cli", "config", "gateway"),
        ("warmxfer.cli", "config", "gateway", "--json"),
        ("warmxfer.cli", "list"),
    ):
        env = driver.stack.actor_env("gateway") | {"NATS_URL": url, "VIDEOSDK_BASE_URL": f"http://{url}"}
        _, output = await output_of(env, *command)
        assert output.strip()
        assert "s3cretpw" not in output, command


@pytest.mark.parametrize("role", ["summarizer", "briefing"])
async def test_a_model_in_plain_http_elsewhere_gets_nothing(driver: TransferDriver, role: str) -> None:
    """Finding 11: the key and the conversation would be readable on the way."""
    env = {
        "WARMXFER_LLM_BASE_URL": "http://model.example.com/v1",
        "WARMXFER_LLM_API_KEY": "the-key-of-the-model",
        "WARMXFER_LLM_MODEL": "small",
    }
    code, output = await output_of(driver.stack.actor_env(role) | env, "warmxfer.actors", role)
    assert code == INVALID
    assert "would send WARMXFER_LLM_API_KEY and the conversation in clear text; use https://host/v1" in output
    assert "the-key-of-the-model" not in output
