"""The embedded server has its own port and store, and ends with its parent, however the parent ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.testkit.nats_server import ConfiguredServer, restart
from tests.testkit.processes import alive, command_line
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, InvalidRequest, run_with_parent, subjects

SERVER_SCRIPT = """
import asyncio, signal
from warmxfer.bus import EmbeddedServer
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores SIGINT
async def main():
    server = await EmbeddedServer().start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""

PARENT_SCRIPT = f"""
import subprocess, sys
script = '''
import runpy, sys
sys.platform = "other"
sys.argv = ["run_with_parent.py", sys.argv[1], sys.executable, "-c",
            "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
runpy.run_path({str(run_with_parent.__file__)!r}, run_name="__main__")
'''
import os
subprocess.run([sys.executable, "-c", script, str(os.getpid())])
"""


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


async def test_it_starts_on_a_free_port_and_leaves_nothing_behind() -> None:
    async with EmbeddedServer() as server, EmbeddedServer() as other:
        assert server.url != other.url
        pid, work_dir = server.pid, server._work_dir
        assert work_dir is not None
        assert work_dir.is_dir()
        assert (work_dir / "nats.conf").stat().st_mode & 0o077 == 0
    assert not alive(pid)
    assert not work_dir.exists()
    assert not server.running


@pytest.mark.parametrize("monitored", [False, True])
async def test_a_monitored_server_has_an_address_for_its_statistics(monitored: bool) -> None:
    async with EmbeddedServer(monitored=monitored) as server, httpx.AsyncClient() as client:
        assert (server.monitor_url is not None) is monitored
        if server.monitor_url is not None:
            assert server.monitor_url.startswith("http://127.0.0.1:")
            assert (await client.get(f"{server.monitor_url}/varz")).json()["in_msgs"] == 0


async def test_no_secret_is_on_the_command_line() -> None:
    async with ConfiguredServer(extra="authorization { user: me, password: hunter2 }") as server:
        assert "nats.conf" in command_line(server.pid)
        assert "hunter2" not in command_line(server.pid)


async def test_a_given_store_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        async with (
            EmbeddedServer(store_dir=tmp_path / "store") as server,
            await Bus.connect(BusSettings(url=server.url), name="test") as bus,
        ):
            await bus.ensure()
            await bus.publish(subjects.log("a"), b"")
    async with (
        EmbeddedServer(store_dir=tmp_path / "store") as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        assert len(await bus.history(subjects.log("a"), 10)) == 2


async def test_a_store_has_one_server_at_a_time(tmp_path: Path) -> None:
    """Two servers on one store would overwrite each other's streams."""
    sentence = (
        r"^The directory '.*' is the store of a nats-server that runs; give another directory, or stop "
    )
    async with EmbeddedServer(store_dir=tmp_path) as first:
        for _ in range(2):
            with pytest.raises(InvalidRequest, match=sentence):
                await EmbeddedServer(store_dir=tmp_path).__aenter__()
            await restart(first, kill=True)
        assert first.running
    async with EmbeddedServer(store_dir=tmp_path) as second:
        assert second.running


async def test_a_restart_keeps_port_and_store_and_changes_the_process() -> None:
    async with (
        EmbeddedServer() as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        await bus.publish(subjects.log("a"), b"kept")
        before = (server.url, server.pid)
        await restart(server, kill=True)
        assert server.url == before[0]
        assert server.pid != before[1]
        stored = await bus.get_last(subjects.log("a"), deadline_s=10)
        assert stored is not None
        assert stored.data == b"kept"


async def test_a_bad_configuration_raises_with_the_last_log_line() -> None:
    with pytest.raises(InvalidRequest, match=r"^nats-server does not start: .*nats.conf:[0-9]+:1: "):
        await ConfiguredServer(extra="max_payload: many").__aenter__()


async def test_a_port_in_use_is_named(fresh_server: EmbeddedServer) -> None:
    port = int(fresh_server.url.rpartition(":")[2])
    with pytest.raises(InvalidRequest, match=r"^nats-server does not start: Error .*address already in use"):
        await EmbeddedServer(port=port).__aenter__()


async def test_ctrl_c_does_not_reach_the_server(fresh_server: EmbeddedServer) -> None:
    assert os.getpgid(fresh_server.pid) == fresh_server.pid
    assert os.getpgid(fresh_server.pid) != os.getpgrp()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_without_pdeathsig_a_process_ends_the_command(how: signal.Signals) -> None:
    """`run_with_parent.py` as on other systems: it stays, watches its parent, and ends the command."""
    with subprocess.Popen([sys.executable, "-c", PARENT_SCRIPT], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            command_pid = int(parent.stdout.readline())
            assert alive(command_pid)
            os.kill(parent.pid, how)
            parent.wait(10)
            assert gone_within(command_pid, 5)
        finally:
            parent.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG exists on Linux only")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_however_its_parent_ends(how: signal.Signals, tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}  # a killed parent cannot clean up
    command = [sys.executable, "-c", SERVER_SCRIPT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as parent:
        try:
            assert parent.stdout is not None
            server_pid = int(next(line for line in parent.stdout if line.strip().isdigit()))
            assert alive(server_pid)
            os.kill(parent.pid, how)
            parent.wait(10)
            assert gone_within(server_pid, 5)
        finally:
            parent.kill()
