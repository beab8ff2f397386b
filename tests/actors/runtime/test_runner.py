"""An actor as a process: it reports when it serves, and stops in order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.testkit.processes import alive, handle_sigint
from tests.testkit.provider_sandbox import Cloud
from tests.testkit.sent_log import log_awaits_summary
from warmxfer.bus import Bus, EmbeddedServer, LiveMessage, subjects
from warmxfer.cli.local_stack.managed_process import ManagedProcess, last_log_line
from warmxfer.schemas import (
    History,
    HistoryQuery,
    InvalidRequest,
    RetryableError,
    RoomTokenQuery,
    decode_as,
    encode,
)

RUN = [sys.executable, "-m", "warmxfer.actors"]


def env(nats_url: str, **more: str) -> dict[str, str]:
    return {**os.environ, "NATS_URL": nats_url, "WARMXFER_LOG": "json", **more}


async def test_an_actor_serves_when_ready_and_drains_on_stop(bus: Bus, nats_url: str, tmp_path: Path) -> None:
    probe = {"WARMXFER_HEALTH_PORT": "0", "WARMXFER_HEALTH_HOST": "127.0.0.1"}
    log_path = tmp_path / "log"
    child = await ManagedProcess.spawn("coordinator", [*RUN, "coordinator"], env(nats_url, **probe), log_path)
    assert child.ready == "ready"
    lines = [json.loads(line) for line in log_path.read_text().splitlines()]
    number = next(line["port"] for line in lines if line["event"] == "probe_listens")
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"http://127.0.0.1:{number}/readyz")).status_code == 200
    reply = await bus.request("$SRV.PING.warmxfer-coordinator", b"", 5.0)
    assert b'"warmxfer-coordinator"' in reply
    await child.stop()
    assert await child.wait() == 0
    assert '"actor_stopped"' in last_log_line(log_path)


async def test_a_caller_can_be_held_as_soon_as_the_primary_is_ready(
    bus: Bus, nats_url: str, cloud: Cloud, tmp_path: Path
) -> None:
    """The primary used to report ready before it had joined the room: a hold sent then got a late reply or
    none.
    """
    caller = (await cloud.http.post("/sandbox/calls", json={"from": "+14155550201"})).json()["roomId"]

    async def token(message: LiveMessage) -> bytes:
        query = decode_as(RoomTokenQuery, message.data)
        return encode(await cloud.ticket(query.room_id, query.participant_id)())

    rooms = env(nats_url, WARMXFER_ROOM_ID=f"no-such-room,{caller}")
    await log_awaits_summary(bus, f"t-{caller}", caller)
    async with bus.serve(subjects.ANY_SESSION_TOKEN, token):
        child = await ManagedProcess.spawn("primary", [*RUN, "primary"], rooms, tmp_path / "log")
        try:
            assert decode_as(
                History,
                await bus.request(subjects.ask_history(caller), encode(HistoryQuery(f"t-{caller}")), 2.0),
            )
            assert [each["participantId"] for each in await cloud.ledger(caller, "joined")][1:] == [
                f"agent-{caller}"
            ]
        finally:
            await child.stop()


async def test_an_actor_stops_while_it_waits_for_a_broker() -> None:
    process = await asyncio.create_subprocess_exec(
        *RUN, "coordinator", env=env("nats://127.0.0.1:1"), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    assert b'"actor_connects"' in await asyncio.wait_for(process.stderr.readline(), 30)
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


async def test_a_wrong_port_of_the_probe_is_named_before_a_broker_answers(tmp_path: Path) -> None:
    wrong = env("nats://127.0.0.1:1", WARMXFER_HEALTH_PORT="abc")
    with pytest.raises(InvalidRequest, match="WARMXFER_HEALTH_PORT is 'abc'"):
        await ManagedProcess.spawn("coordinator", [*RUN, "coordinator"], wrong, tmp_path / "log")


async def test_a_failed_start_is_reported_with_the_last_log_line(tmp_path: Path, nats_url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^primary did not start: warmxfer: WARMXFER_ROOM_ID is ''"):
        await ManagedProcess.spawn("primary", [*RUN, "primary"], env(nats_url), tmp_path / "log")
    with pytest.raises(RetryableError, match=r"^sleeper did not start: its log is empty$"):
        await ManagedProcess.spawn(
            "sleeper", [sys.executable, "-c", "exit(1)"], env(nats_url), tmp_path / "other"
        )


STOPPED_AGAIN = """
import asyncio, os, signal
from warmxfer.actors.runtime.runner import on_stop, run_async

class AtTheEnd:
    kill, pid, number = staticmethod(os.kill), os.getpid(), int(NUMBER)
    def __del__(self):
        self.kill(self.pid, self.number)

async def main():
    stop = asyncio.Event()
    on_stop(stop)
    os.kill(os.getpid(), NUMBER)
    await stop.wait()

at_the_end = AtTheEnd()
run_async(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_while_python_exits_changes_nothing(number: signal.Signals) -> None:
    """The process stopped within 0.5 s. Python has reset its handlers when the signal comes again."""
    script = STOPPED_AGAIN.replace("NUMBER", str(int(number)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script), stderr=asyncio.subprocess.PIPE, preexec_fn=handle_sigint
    )
    async with asyncio.timeout(30):
        _, stderr = await process.communicate()
    assert (process.returncode, stderr) == (0, b"")


SLEEPER = (
    "import os, time; os.write(int(os.environ['WARMXFER_READY_FD']), b'up' + bytes([10])); time.sleep(60)"
)
PARENT = """
import asyncio, os, pathlib, sys
from warmxfer.cli.local_stack.managed_process import ManagedProcess

async def main():
    command = [sys.executable, "-c", sys.argv[1]]
    child = await ManagedProcess.spawn("sleeper", command, dict(os.environ), pathlib.Path(sys.argv[2]))
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_child_process_dies_with_its_parent(tmp_path: Path) -> None:
    """The parent is killed without a signal to the child; the child ends too."""
    command = [sys.executable, "-c", PARENT, SLEEPER, str(tmp_path / "log")]
    parent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 30))
    assert alive(child)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while alive(child):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("outage_s", [0.0, 0.6])
async def test_an_actor_stops_in_order_while_the_broker_is_down(
    number: signal.Signals, outage_s: float, tmp_path: Path
) -> None:
    """nats-py wrote to the closed transport of uvloop: 40 lines of traceback and exit code 1."""
    log_path = tmp_path / "log"
    async with EmbeddedServer() as server:
        command = [*RUN, "coordinator"]
        with log_path.open("wb") as log_file:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=env(server.url),
                stderr=log_file,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        try:
            async with asyncio.timeout(40):
                while "actor_started" not in log_path.read_text():
                    await asyncio.sleep(0.05)
                await server.stop(kill=True)
                await asyncio.sleep(outage_s)
                process.send_signal(number)
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    lines = log_path.read_text().splitlines()
    assert [line for line in lines if not line.startswith("{")] == []
    assert "actor_stopped" in log_path.read_text()
