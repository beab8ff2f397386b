"""The house: everything up, one thing down and up again, nothing left behind, nobody real dialled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from warmxfer.cli.local_stack.stack import ROLES, LocalStack
from warmxfer.schemas import InvalidRequest

READY = "+14155550101"


async def test_a_house_lives_loses_an_actor_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEOSDK_SECRET", "the real one")
    monkeypatch.setenv("NATS_CREDS", "/real/creds")
    async with LocalStack(time_scale=0.05) as house:
        children = [child for role in ROLES for child in house.running(role)]
        assert len(children) == len(ROLES)
        caller = await house.call()
        primary = await house.start("primary", rooms=[caller.room_id])

        gateway, summarizer = house.actor_env("gateway"), house.actor_env("summarizer")
        assert gateway["VIDEOSDK_SECRET"] != "the real one"
        assert gateway["VIDEOSDK_BASE_URL"] == house.sandbox_url
        assert "VIDEOSDK_SECRET" not in summarizer
        assert "NATS_CREDS" not in gateway

        await house.kill("gateway")
        assert house.running("gateway") == []
        await house.start("gateway")

        destination = {"routing_rule_id": "r", "sip_call_to": READY, "sip_call_from": "+14155550100"}
        async with house.client() as client:
            transfer = await client.request(
                {"room_id": caller.room_id, "config": {"destination": destination}}
            )
            assert (await transfer.result(60.0)).success
        verdict = await house.report(caller, transfer.id)
        assert (verdict["dials"], verdict["switches"]["forward"]) == ({f"{transfer.id}-1": 1}, 1)
        assert await primary.wait() == 0, "its call is over"
        directory = house.directory
        assert {path.name.split("-")[0] for path in directory.glob("*.log")} == {*ROLES, "primary", "sandbox"}
        pids = [child.pid for child in children]
    assert not directory.exists()
    assert not set(map(str, pids)) & set(os.listdir("/proc"))


async def test_a_directory_that_was_given_is_kept(tmp_path: Path) -> None:
    async with LocalStack(counts=dict.fromkeys(ROLES, 0), directory=tmp_path / "house") as house:
        assert house.nats.running
    assert (tmp_path / "house" / "stream").is_dir()


async def test_a_house_that_cannot_start_takes_down_what_did(tmp_path: Path) -> None:
    one = {role: int(role == "coordinator") for role in ROLES}
    before = set(os.listdir("/proc"))
    with pytest.raises(InvalidRequest, match="did not start: warmxfer: WARMXFER_COORDINATOR_JOBS is 'x'"):
        async with LocalStack(counts=one, directory=tmp_path, env={"WARMXFER_COORDINATOR_JOBS": "x"}):
            raise AssertionError("started")
    ours = [pid for pid in set(os.listdir("/proc")) - before if _mentions(pid, str(tmp_path))]
    assert ours == []


def _mentions(pid: str, text: str) -> bool:
    try:
        return text in Path(f"/proc/{pid}/cmdline").read_text()
    except (OSError, UnicodeDecodeError):
        return False
