"""`warmxfer up` as a user runs it: start, a crashed actor, a transfer, the next caller, Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from tests.testkit.processes import command_line

from .conftest import Warmxfer

UP = ("up", "--port", "0", "--sandbox-port", "0", "--board-port", "0", "--pace", "0.05", "--json")
START_S = 60.0


def process_of(parent: int, role: str) -> int:
    """Return the child of `parent` whose command line names `role`."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    command = f"warmxfer.actors\0{role}\0"
    return next(int(pid) for pid in children if command_line(pid).endswith(command))


def variables_in(env_file: str) -> dict[str, str]:
    """Return the variables that a terminal gets from the file."""
    lines = Path(env_file).read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


async def test_the_printed_command_runs_in_another_terminal(tmp_path: Path) -> None:
    """Only a terminal with the activated environment finds `warmxfer`; another needs the full path."""
    console_script = Path(sys.executable).with_name("warmxfer")
    bare = {name: value for name, value in os.environ.items() if name not in ("UV", "VIRTUAL_ENV")}
    bare["PATH"] = "/usr/bin:/bin"
    up = await asyncio.create_subprocess_exec(
        *(console_script, *UP[:-1]),
        stdout=asyncio.subprocess.PIPE,
        env={**bare, "TMPDIR": str(tmp_path)},
        cwd=console_script.parent,
    )
    assert up.stdout is not None
    try:
        request, exports, logs = "", "", ""
        async with asyncio.timeout(START_S):
            while " request --room " not in request:
                request = (await up.stdout.readline()).decode()
                exports += request if request.startswith("  . ") else ""
                logs = request.split()[1] if request.startswith("logs ") else logs
        terminal = await asyncio.create_subprocess_shell(
            f"{exports}\n{request}", stdout=asyncio.subprocess.PIPE, env=bare, cwd=tmp_path
        )
        stdout, _ = await asyncio.wait_for(terminal.communicate(), START_S)
        assert (terminal.returncode, b"transfer_complete" in stdout) == (0, True), stdout.decode()
        assert "request '{" in (await up.stdout.readuntil(b"'\n")).decode()
    finally:
        up.send_signal(signal.SIGINT)
        rest = (await up.stdout.read()).decode()
        await asyncio.wait_for(up.wait(), 30.0)
    assert rest.endswith(f"logs are kept in {logs}\n")
    assert list(Path(logs).glob("coordinator-*.log"))  # noqa: ASYNC240


async def test_a_caller_is_transferred_and_the_next_call_is_placed(
    warmxfer: Warmxfer, tmp_path: Path
) -> None:
    up = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmxfer.cli", *UP),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert up.stdout is not None
    try:
        first = json.loads(await asyncio.wait_for(up.stdout.readline(), START_S))
        os.kill(process_of(up.pid, "briefing"), signal.SIGKILL)
        restarted = json.loads(await asyncio.wait_for(up.stdout.readline(), START_S))
        assert restarted == {"started_again": "briefing", "exit_code": -signal.SIGKILL}
        flags = ("--to", "+14155550101", "--from", "+14155550100", "--rule", "demo", "--wait", "--json")
        env = variables_in(first["env_file"])
        result = await warmxfer("request", "--room", first["room_id"], *flags, **env)
        assert (result.code, result.values[-1]["outcome"]) == (0, "complete")
        doctor = await warmxfer("doctor", "--json", **env)
        assert [each["about"] for each in doctor.values if each["state"] == "wrong"] == []
        following = json.loads(await asyncio.wait_for(up.stdout.readline(), START_S))
        assert following["nats"] == first["nats"]
        assert following["room_id"] != first["room_id"]
        up.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(up.wait(), 30.0) == 0
        logs = {path.name.split("-")[0] for path in Path(first["directory"]).iterdir()}  # noqa: ASYNC240
        assert {"coordinator", "gateway", "summarizer", "briefing", "primary", "sandbox"} <= logs, (
            "the logs that it announced are kept"
        )
    finally:
        if up.returncode is None:
            up.kill()
            await up.wait()
