"""LocalStack starts everything, replaces an actor, leaves nothing behind and passes on no credentials."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.testkit.denied_lines import denied_lines
from warmxfer.actors.common.capacity import RoleCapacity
from warmxfer.bus import Bus, subjects
from warmxfer.bus.subject_table import COORDINATOR, LOCAL
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


async def test_a_given_directory_is_kept(tmp_path: Path) -> None:
    async with LocalStack(counts=dict.fromkeys(ROLES, 0), directory=tmp_path / "stack") as stack:
        assert stack.nats.running
    assert (tmp_path / "stack" / "stream").is_dir()


async def test_a_stack_that_cannot_start_stops_the_processes_that_did(tmp_path: Path) -> None:
    coordinator_only = {role: int(role == "coordinator") for role in ROLES}
    before = set(os.listdir("/proc"))
    with pytest.raises(InvalidRequest, match="did not start: warmxfer: WARMXFER_COORDINATOR_JOBS is 'x'"):
        async with LocalStack(
            counts=coordinator_only, directory=tmp_path, env={"WARMXFER_COORDINATOR_JOBS": "x"}
        ):
            raise AssertionError("started")
    ours = [pid for pid in set(os.listdir("/proc")) - before if _mentions(pid, str(tmp_path))]
    assert ours == []


def _mentions(pid: str, text: str) -> bool:
    try:
        return text in Path(f"/proc/{pid}/cmdline").read_text()
    except (OSError, UnicodeDecodeError):
        return False
