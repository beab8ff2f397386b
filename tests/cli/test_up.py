"""`warmxfer up` as anybody runs it: a house, an actor that dies, a caller to hand over, the next, Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from .conftest import Warmxfer

UP = ("up", "--port", "0", "--sandbox-port", "0", "--pace", "0.05", "--json")
START_S = 60.0


def process_of(parent: int, role: str) -> int:
    """The process of `role` that `parent` has started, by what it was started with."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    command = f"warmxfer.actors\0{role}\0"
    return next(int(pid) for pid in children if Path(f"/proc/{pid}/cmdline").read_text().endswith(command))


async def test_the_command_it_prints_runs_in_another_terminal(tmp_path: Path) -> None:
    """`warmxfer request ...` was printed, and not found: only an active terminal has it."""
    console_script = Path(sys.executable).with_name("warmxfer")
    bare = {name: value for name, value in os.environ.items() if name not in ("UV", "VIRTUAL_ENV")}
    bare["PATH"] = "/usr/bin:/bin"
    up = await asyncio.create_subprocess_exec(
        *(console_script, *UP[:-1]), stdout=asyncio.subprocess.PIPE, env=bare, cwd=console_script.parent
    )
    assert up.stdout is not None
    try:
        asked, exports = "", ""
        async with asyncio.timeout(START_S):
            while " request --room " not in asked:
                asked = (await up.stdout.readline()).decode()
                exports += asked if asked.startswith("  export ") else ""
        terminal = await asyncio.create_subprocess_shell(
            f"{exports}\n{asked}", stdout=asyncio.subprocess.PIPE, env=bare, cwd=tmp_path
        )
        said, _ = await asyncio.wait_for(terminal.communicate(), START_S)
        assert (terminal.returncode, b"transfer_complete" in said) == (0, True), said.decode()
    finally:
        up.send_signal(signal.SIGINT)
        await asyncio.wait_for(up.wait(), 30.0)


async def test_a_caller_is_handed_over_and_the_next_one_comes(warmxfer: Warmxfer) -> None:
    up = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "warmxfer.cli", *UP, stdout=asyncio.subprocess.PIPE
    )
    assert up.stdout is not None
    try:
        first = json.loads(await asyncio.wait_for(up.stdout.readline(), START_S))
        os.kill(process_of(up.pid, "briefing"), signal.SIGKILL)
        again = json.loads(await asyncio.wait_for(up.stdout.readline(), START_S))
        assert again == {"started_again": "briefing", "exit_code": -signal.SIGKILL}
        flags = ("--to", "+14155550101", "--from", "+14155550100", "--rule", "demo", "--wait", "--json")
        said = await warmxfer("request", "--room", first["room_id"], *flags, NATS_URL=first["nats"])
        assert (said.code, said.values[-1]["outcome"]) == (0, "complete")
        doctor = await warmxfer("doctor", "--json", NATS_URL=first["nats"])
        assert [each["about"] for each in doctor.values if each["state"] == "wrong"] == []
        following = json.loads(await asyncio.wait_for(up.stdout.readline(), START_S))
        assert following["nats"] == first["nats"]
        assert following["room_id"] != first["room_id"]
        up.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(up.wait(), 30.0) == 0
        assert not os.path.exists(first["directory"])  # noqa: ASYNC240
    finally:
        if up.returncode is None:
            up.kill()
            await up.wait()
