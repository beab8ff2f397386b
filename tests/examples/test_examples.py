"""The programs of `examples/` run against a real local stack, and do what their docstrings say."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.stack_fixture import TransferDriver, running_stack

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.py"))
JAVASCRIPT = sorted(EXAMPLES.glob("*.mjs"))
NATS_FOR_NODE = "@nats-io/transport-node"
FETCH = "npm ci --prefix examples"
TIME_SCALE = 0.1
TIMEOUT_S = 90.0
MAX_LINES = 90


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver() -> AsyncIterator[TransferDriver]:
    async with running_stack(time_scale=TIME_SCALE) as driver:
        yield driver


def interpreter_of(name: str) -> str:
    """Return the program that runs an example. Skips the test if there is none, or not its NATS client."""
    if name.endswith(".py"):
        return sys.executable
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (EXAMPLES / "node_modules" / NATS_FOR_NODE).is_dir():
        pytest.skip(f"{NATS_FOR_NODE} is not there; fetch it with `{FETCH}`")
    return node


async def run_example(
    driver: TransferDriver, name: str, user: str = "client"
) -> tuple[int | None, list[str]]:
    """Run the program as `user`, with the room of a caller who talks with an AI.

    Returns exit code and output lines.
    """
    (caller,) = await driver.callers(1)
    await driver.conversation(caller)
    process = await asyncio.create_subprocess_exec(
        interpreter_of(name),
        str(EXAMPLES / name),
        caller.room_id,
        env={**os.environ, **driver.stack.bus_env(user)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode().splitlines()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["publish_and_follow.py", "publish_and_follow.mjs", "with_client.py"])
async def test_an_example_completes_a_transfer_and_prints_its_phases(
    driver: TransferDriver, name: str
) -> None:
    exit_code, lines = await run_example(driver, name)
    *phases, outcome, summary = lines
    assert exit_code == 0
    assert [phase.split()[0] for phase in phases] == [str(seq) for seq in range(1, len(phases) + 1)]
    assert phases[0] == "1 started"
    assert phases[-1].endswith(" transfer_complete")
    assert outcome == "outcome: complete"
    assert summary.startswith("summary: ")
    assert "4417" in summary, "the order number that the caller names"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("user", ["agent", "local"])
async def test_a_hold_and_a_release_reach_the_attached_agent(driver: TransferDriver, user: str) -> None:
    exit_code, lines = await run_example(driver, "attach_your_agent.py", user)
    assert exit_code == 0
    mute, stay, hold_line, end, unmute, apology = [line for line in lines if line.startswith("call: ")]
    assert (mute, stay) == ("call: stop listening", "call: stay when alone")
    assert hold_line == "call: say Please hold while I connect you with a supervisor."
    assert (end, unmute) == ("call: end when alone", "call: listen")
    assert apology.startswith("call: say ")
    assert "phase: caller_on_hold" in lines
    assert "outcome: declined" in lines


def imported_packages(program: Path) -> set[str]:
    """The top-level packages that `program` imports, imports inside functions included."""
    nodes = list(ast.walk(ast.parse(program.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


def test_the_plain_nats_example_imports_nothing_of_ours() -> None:
    packages = imported_packages(EXAMPLES / "publish_and_follow.py")
    assert packages - sys.stdlib_module_names == {"nats"}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_an_example_is_short_and_says_how_to_run_it(program: Path) -> None:
    text = program.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring is not None
    assert "uv run warmxfer up" in docstring
    assert f"uv run python examples/{program.name} ROOM_ID" in docstring
    assert len(text.splitlines()) < MAX_LINES


@pytest.mark.parametrize("program", JAVASCRIPT, ids=lambda program: program.name)
def test_an_example_in_javascript_is_short_and_says_how_to_run_it(program: Path) -> None:
    text = program.read_text(encoding="utf-8")
    comment = text.partition("*/")[0]
    for command in (FETCH, "uv run warmxfer up", f"node examples/{program.name} ROOM_ID"):
        assert command in comment
    assert len(text.splitlines()) < MAX_LINES
    packages = {each for each in re.findall(r'from "(.*?)"', text) if not each.startswith("node:")}
    assert packages == {NATS_FOR_NODE}


def test_the_package_for_node_is_pinned_and_never_committed() -> None:
    wanted = json.loads((EXAMPLES / "package.json").read_text(encoding="utf-8"))["dependencies"]
    locked = json.loads((EXAMPLES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert list(wanted) == [NATS_FOR_NODE]
    assert locked[f"node_modules/{NATS_FOR_NODE}"]["version"] == wanted[NATS_FOR_NODE]
    assert all(each["integrity"].startswith("sha512-") for name, each in locked.items() if name)
    assert "node_modules/" in (EXAMPLES.parent / ".gitignore").read_text(encoding="utf-8").splitlines()
