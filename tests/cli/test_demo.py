"""`warmxfer demo` as a user runs it: its checks, its trace, the board beside it, the timeline at its end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import webbrowser
from pathlib import Path

import httpx
import pytest

from tests.testkit.trace_file import misplaced, of_transfer, read_spans
from tests.testkit.waiting import until
from warmxfer.cli import demo
from warmxfer.cli.output import console
from warmxfer.cli.scenarios import BY_NAME
from warmxfer.schemas import WarmTransferPhase
from warmxfer.tracing import Attribute

from .conftest import Warmxfer

PACE = ("--pace", "0.05")
ROLES = {"coordinator", "gateway", "summarizer", "briefing", "primary"}
START_S = 60.0
LINK = re.compile(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{40,}")


@pytest.mark.timeout(180)
async def test_every_scenario_passes_its_checks(warmxfer: Warmxfer) -> None:
    result = await warmxfer("demo", "--all", "--json")
    played = {each["scenario"]: each for each in result.values}
    assert {name: each["faults"] for name, each in played.items()} == {name: [] for name in BY_NAME}
    assert result.code == 0, result.err
    assert played["ready"]["caller"] == "with the supervisor"
    assert played["busy"]["caller"] == "with the AI"


async def test_the_trace_of_a_demo_has_every_actor_and_the_right_parents(
    warmxfer: Warmxfer, tmp_path: Path
) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("what an earlier demo left\n", encoding="utf-8")
    result = await warmxfer("demo", *PACE, "--json", "--trace", str(path))
    assert result.code == 0, result.err
    (played,) = result.values
    spans = read_spans(path)
    trace = of_transfer(spans, played["id"])
    assert trace == spans, "there is one transfer, so there is one trace"
    assert {each.role for each in trace} == ROLES
    assert {each.role for each in trace if each.name.startswith("process ")} == ROLES - {"coordinator"}
    assert misplaced(trace) == []
    (root,) = [each for each in trace if not each.parent]
    assert (root.name, root.role) == ("transfer", "coordinator")
    assert root.attributes[Attribute.OUTCOME] == played["outcome"] == "complete"
    phases = [each.attributes[Attribute.PHASE] for each in trace if each.name.startswith("phase ")]
    assert sorted(map(str, phases)) == sorted(each["phase"] for each in played["phases"])


async def test_the_demo_says_where_the_board_is_and_ends_with_the_timeline(warmxfer: Warmxfer) -> None:
    result = await warmxfer("demo", *PACE)
    assert result.code == 0, result.err
    assert len(re.findall(rf"^board {LINK.pattern}$", result.out, re.M)) == 1
    checklist, _, end = result.out.partition("transfer_complete")
    assert "board http" in checklist, "the address comes while the transfer can still be watched"
    timeline = re.findall(r"^ *[\d,]+ +(\w+) +(\w+)", end.partition("event ")[2], re.M)
    assert timeline[0] == ("transfer_requested", "preparing")
    assert {event for event, _ in timeline} >= {"caller_held", "supervisor_dialed", "supervisor_ready"}
    assert WarmTransferPhase.TRANSFER_COMPLETE in end
    assert result.out.rstrip().endswith("all checks passed")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_open_opens_the_board_and_keeps_it_until_it_is_stopped(
    tmp_path: Path, stop: signal.Signals
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmxfer.cli", "demo", *PACE, "--open"),
        env={**os.environ, "BROWSER": str(browser)},
        stdout=asyncio.subprocess.PIPE,
        # A background job of a shell ignores SIGINT, and so would its child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout is not None
    try:
        printed = (await asyncio.wait_for(running.stdout.readuntil(b"until Ctrl-C"), START_S)).decode()
        await until(opened.exists)
        link = opened.read_text(encoding="utf-8")
        assert LINK.findall(printed) == [link]
        address, _, token = link.partition("/?token=")
        async with httpx.AsyncClient(base_url=address, headers={"authorization": f"Bearer {token}"}) as http:
            (shown,) = (await http.get("/api/transfers")).json()["transfers"]
        assert shown["outcome"] == "complete"
        running.send_signal(stop)
        assert await asyncio.wait_for(running.wait(), START_S) == 0
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def test_without_a_browser_the_address_is_left_to_the_user(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    output = demo._Output(keep=None, trace=None, open_browser=True, json=False)
    await demo._show_board(console(), "http://127.0.0.1:1/?token=t", output)
    printed = capsys.readouterr().out
    assert printed.startswith("board http://127.0.0.1:1/?token=t\n")
    assert "no browser could be opened" in printed


def test_the_board_is_imported_only_to_serve_it() -> None:
    """Its web server takes longer to import than all else of a command."""
    program = "import sys, warmxfer.cli.demo, warmxfer.cli.scenario_runner; print('starlette' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
