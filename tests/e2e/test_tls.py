"""Finding 2 on the running product: whole transfers by TLS, and what someone on the network gets.

The stack of this file has mutual TLS to the broker, and HTTPS to the cloud and the model.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.testkit.certificates import HOST, Authority
from tests.testkit.recorder import Recorder, recording_proxy, recording_server
from warmxfer.actors.runtime.exit_codes import INVALID
from warmxfer.schemas import Outcome

from .programs import output_of
from .stack_fixture import READY, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLAIN = b'INFO {"server_id":"X","version":"2.15.1","max_payload":1048576,"auth_required":true}\r\n'


async def run_actor(driver: TransferDriver, role: str, **env: str) -> tuple[int | None, str]:
    """Run an actor of the stack until it ends. Returns its exit code and what it wrote."""
    return await output_of(driver.stack.actor_env(role) | env, "warmxfer.actors", role)


def at(wire: Recorder) -> dict[str, str]:
    """Return the address of a broker behind `wire`."""
    return {"NATS_URL": f"tls://{HOST}:{wire.port}"}


def secrets_of(driver: TransferDriver, role: str) -> tuple[str, ...]:
    return driver.stack.actor_env(role)["NATS_PASSWORD"], driver.stack.secret, role, "CONNECT"


async def test_a_transfer_completes_with_every_connection_encrypted(driver: TransferDriver) -> None:
    assert driver.stack.nats_url.startswith("tls://")
    assert driver.stack.sandbox_url.startswith("https://")
    (caller,) = await driver.callers(1)
    await driver.conversation(caller)
    call = await driver.begin(caller, READY)
    result = await call.result()
    assert result.outcome is Outcome.COMPLETE
    assert "4417" in (result.summary or ""), "the model wrote it, by HTTPS"
    await call.assert_clean_end()


@pytest.mark.parametrize("role", ["gateway", "coordinator"])
async def test_an_actor_gives_a_server_without_tls_not_one_byte(driver: TransferDriver, role: str) -> None:
    """An attacker in the middle answers in plain text. The actor says so and ends."""
    async with recording_server(PLAIN) as wire:
        code, output = await run_actor(driver, role, **at(wire))
        assert code == INVALID
        assert "offers no TLS, and tls:// or a TLS variable asks for it" in output
        assert wire.connections == 1
        assert bytes(wire.sent) == b""
        assert driver.stack.secret not in output


async def test_an_actor_gives_a_stranger_in_the_middle_no_secret(
    driver: TransferDriver, tmp_path: Path
) -> None:
    """The attacker has a certificate for the right name, of another authority."""
    other = Authority(tmp_path, "other")
    port = int(driver.stack.nats_url.rpartition(":")[2])
    async with recording_proxy(port) as wire:
        code, output = await run_actor(driver, "gateway", **at(wire), NATS_CA=other.ca)
        assert code == INVALID
        assert f"has a certificate of an unknown authority, and NATS_CA is '{other.ca}'" in output
        assert not wire.holds(*secrets_of(driver, "gateway"))


async def test_what_an_actor_sends_to_the_broker_cannot_be_read(driver: TransferDriver) -> None:
    port = int(driver.stack.nats_url.rpartition(":")[2])
    async with recording_proxy(port) as wire:
        running = await driver.stack.start("gateway", env=at(wire))
        try:
            assert wire.sent
            assert not wire.holds(*secrets_of(driver, "gateway"))
        finally:
            await running.stop()


async def test_an_actor_without_a_certificate_sends_nothing(driver: TransferDriver) -> None:
    port = int(driver.stack.nats_url.rpartition(":")[2])
    async with recording_proxy(port) as wire:
        code, output = await run_actor(driver, "gateway", **at(wire), NATS_CERT="", NATS_KEY="")
        assert code == INVALID
        assert "NATS_CERT is not set, and the NATS server at" in output
        assert bytes(wire.sent) == b""


async def test_a_cloud_of_an_unknown_authority_gets_no_secret(driver: TransferDriver, tmp_path: Path) -> None:
    """The process of the gateway does not become ready, and says why."""
    other = Authority(tmp_path, "other")
    port = int(driver.stack.sandbox_url.rpartition(":")[2])
    async with recording_proxy(port) as wire:
        env = driver.stack.actor_env("gateway") | {
            "SSL_CERT_FILE": other.ca,
            "VIDEOSDK_BASE_URL": f"https://{HOST}:{wire.port}",
        }
        _, output = await output_of(env, "warmxfer.cli", "doctor", "--json")
        findings = [json.loads(line) for line in output.splitlines()]
        (cloud,) = [each["sentence"] for each in findings if each.get("about") == "cloud"]
        assert "(its certificate is of an unknown authority); give the file" in cloud
        assert wire.connections > 0
        assert not wire.holds(driver.stack.secret, "eyJ", "uthorization")


async def test_no_test_here_starts_a_stack_or_a_broker_that_ignores_the_variable() -> None:
    """`WARMXFER_TEST_TLS=yes pytest tests/e2e` runs everything with TLS."""
    taken = {"LocalStack": "certificates", "EmbeddedServer": "tls"}
    calls = [
        (path.name, node)
        for path in Path(__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in taken
    ]
    assert len(calls) >= 3
    for name, call in calls:
        assert isinstance(call.func, ast.Name)
        given = {keyword.arg for keyword in call.keywords}
        assert taken[call.func.id] in given, f"{name}:{call.lineno} starts one without certificates_in()"
