"""LocalStack starts everything, replaces an actor, leaves nothing behind and passes on no credentials."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.testkit.denied_lines import denied_lines
from tests.testkit.processes import all_pids, command_line
from tests.testkit.store_search import files_with
from warmxfer.actors.common.capacity import RoleCapacity
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, subjects
from warmxfer.bus.store_files import readable_streams
from warmxfer.bus.subject_table import COORDINATOR, LOCAL, USERS
from warmxfer.cli.doctor import examine
from warmxfer.cli.local_stack.stack import ROLES, LocalStack
from warmxfer.schemas import InvalidRequest, decode_as

READY = "+14155550101"


async def test_a_stack_replaces_an_actor_and_leaves_no_process_and_no_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIDEOSDK_SECRET", "the real one")
    monkeypatch.setenv("NATS_CREDS", "/real/creds")
    async with LocalStack(time_scale=0.05) as stack:
        processes = [process for role in ROLES for process in stack.running(role)]
        assert len(processes) == len(ROLES)
        caller = await stack.call()
        primary = await stack.start("primary", rooms=[caller.room_id])

        gateway, summarizer = stack.actor_env("gateway"), stack.actor_env("summarizer")
        assert gateway["VIDEOSDK_SECRET"] != "the real one"
        assert gateway["VIDEOSDK_BASE_URL"] == stack.sandbox_url
        assert "VIDEOSDK_SECRET" not in summarizer
        assert "NATS_CREDS" not in gateway

        await stack.kill("gateway")
        assert stack.running("gateway") == []
        await stack.start("gateway")

        destination = {"routing_rule_id": "r", "sip_call_to": READY, "sip_call_from": "+14155550100"}
        async with stack.client() as client:
            transfer = await client.request(
                {"room_id": caller.room_id, "config": {"destination": destination}}
            )
            assert (await transfer.result(60.0)).success
        report = await stack.report(caller, transfer.id)
        assert (report["dials"], report["switches"]["forward"]) == ({f"{transfer.id}-1": 1}, 1)
        assert await primary.wait() == 0, "its call has ended"
        directory = stack.directory
        assert {path.name.split("-")[0] for path in directory.glob("*.log")} == {*ROLES, "primary", "sandbox"}
        pids = [process.pid for process in processes]
    assert not directory.exists()
    assert not set(map(str, pids)) & set(os.listdir("/proc"))


async def test_a_terminal_beside_the_stack_sees_every_process() -> None:
    """Before, the broker denied the actors their answer to that user: doctor saw the coordinators only."""
    async with LocalStack(time_scale=0.05) as stack:
        found = {each.about: each for each in await examine(stack.bus_env(LOCAL))}
        assert {role: found[role].sentence for role in ROLES} == dict.fromkeys(
            ROLES, "1 process running, 0 active, 0 queued."
        )
        assert denied_lines(stack.directory) == []


async def test_two_gateways_share_the_providers_rate() -> None:
    """Before, the broker denied a gateway the announcements of the others, and each took the whole rate."""
    rate = {"WARMXFER_PROVIDER_RATE": "10"}
    counts = {**dict.fromkeys(ROLES, 0), "coordinator": 1, "gateway": 2}
    async with LocalStack(counts=counts, env=rate, root_password="root") as stack:
        shares: dict[str, float] = {}
        async with (
            await Bus.connect(stack.settings(COORDINATOR), name="test") as bus,
            bus.subscribe(subjects.capacity("gateway")) as announced,
            asyncio.timeout(20),
        ):
            async for message in announced:
                capacity = decode_as(RoleCapacity, message.data)
                shares[capacity.instance] = capacity.rate_per_s
                if sorted(shares.values()) == [5.0, 5.0]:
                    break
        assert denied_lines(stack.directory) == []


@pytest.mark.parametrize(("time_scale", "limit_s"), [(0.2, 60.0), (1.0, 60.0), (10.0, 600.0)])
def test_slow_people_have_more_time(time_scale: float, limit_s: float) -> None:
    """Regression: `demo --pace 10` ended with "TimeoutError; please report it"."""
    assert LocalStack(time_scale=time_scale).slower(60.0) == limit_s


async def test_a_given_directory_is_kept(tmp_path: Path) -> None:
    async with LocalStack(counts=dict.fromkeys(ROLES, 0), directory=tmp_path / "stack") as stack:
        assert stack.nats.running
    assert (tmp_path / "stack" / "stream").is_dir()


async def test_a_stack_that_cannot_start_stops_the_processes_that_did(tmp_path: Path) -> None:
    coordinator_only = {role: int(role == "coordinator") for role in ROLES}
    before = set(all_pids())
    with pytest.raises(InvalidRequest, match="did not start: warmxfer: WARMXFER_COORDINATOR_JOBS is 'x'"):
        async with LocalStack(
            counts=coordinator_only, directory=tmp_path, env={"WARMXFER_COORDINATOR_JOBS": "x"}
        ):
            raise AssertionError("started")
    assert [pid for pid in set(all_pids()) - before if str(tmp_path) in command_line(pid)] == []


async def test_no_secret_is_in_an_argument_of_a_process(tmp_path: Path) -> None:
    """Each user of a machine may read the arguments of all its processes."""
    key = "a-key-of-the-store-for-this-test"
    async with LocalStack(directory=tmp_path / "stack", store_key=key) as stack:
        caller = await stack.call()
        await stack.start("primary", rooms=[caller.room_id])
        secrets = [stack.secret, key, *(stack.settings(user).password for user in (*USERS, LOCAL))]
        arguments = [command_line(pid) for pid in all_pids()]
        own = [text for text in arguments if "warmxfer" in text]
        assert sum("warmxfer.actors" in text for text in own) >= len(ROLES) + 1
        assert any("warmxfer.sandbox" in text for text in own)
        assert any("nats-server" in text for text in arguments)
        assert not [text for text in arguments for secret in secrets if secret and secret in text]


def test_no_command_takes_a_secret_as_an_option() -> None:
    from warmxfer.cli.app import build_app

    def options(command: Any, name: str) -> Iterator[tuple[str, str]]:
        for each in getattr(command, "commands", {}).values():
            yield from options(each, f"{name} {each.name}")
        for parameter in command.params:
            yield from ((name, option) for option in parameter.opts)

    found = list(options(typer.main.get_command(build_app()), "warmxfer"))
    assert ("warmxfer sandbox", "--port") in found
    assert not [each for each in found if re.search("secret|password|token|credential", each[1])]


async def test_only_this_user_reads_the_logs(tmp_path: Path) -> None:
    directory = tmp_path / "stack"
    async with LocalStack(directory=directory) as stack:
        assert directory.stat().st_mode & 0o777 == 0o700
        files = [*directory.glob("*.log"), stack.env_file]
        assert len(files) == len(ROLES) + 2
        assert [path.name for path in files if path.stat().st_mode & 0o077] == []


@asynccontextmanager
async def open_store(directory: Path, key: str | None) -> AsyncIterator[Bus]:
    """Run a broker whose streams are in `directory`."""
    async with (
        EmbeddedServer(store_dir=directory, store_key=key) as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        yield bus


async def test_the_store_is_encrypted_with_a_key_and_not_without(tmp_path: Path) -> None:
    text, key = "canary-of-the-store", "a-key-of-the-store-for-this-test"
    for store_key in (None, key):
        directory = tmp_path / str(store_key)
        async with open_store(directory, store_key) as bus:
            await bus.publish(subjects.event("t", "gateway"), text.encode())
        assert bool(files_with(directory, [text])) is (store_key is None)
        assert len(readable_streams(directory)) == (0 if store_key else len(subjects.STREAMS))
    async with open_store(tmp_path / key, key) as bus:
        found = await bus.get_last(subjects.event("t", "gateway"))
        assert found is not None
        assert found.data == text.encode()


async def test_a_store_that_gets_a_key_encrypts_what_it_writes_from_then_on(tmp_path: Path) -> None:
    key = "a-key-of-the-store-for-this-test"
    for store_key, text in ((None, "canary-before"), (key, "canary-after")):
        async with open_store(tmp_path, store_key) as bus:
            await bus.publish(subjects.event("t", "gateway"), text.encode())
            assert len(await bus.history(subjects.event("t", "gateway"), 10)) == 1 + bool(store_key)
    assert files_with(tmp_path, ["canary-after"]) == {}
    is_left = bool(files_with(tmp_path, ["canary-before"]))
    assert ("$G/WARMXFER_EVENTS" in readable_streams(tmp_path)) is is_left, "doctor says what is left"


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="WARMXFER_STORE_KEY, has 4 characters; give 16 or more"):
        EmbeddedServer(store_dir=tmp_path, store_key="abcd")


async def test_a_stack_with_a_short_key_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(InvalidRequest, match="give 16 or more"):
        await LocalStack(store_key="abcd").__aenter__()
    assert os.listdir(tmp_path) == []
