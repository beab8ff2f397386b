"""Completion in the shell: roles, scenarios and actions, as typer's own script asks for them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from warmxfer.actors.runtime.roles import Role
from warmxfer.cli.scenarios import BY_NAME

SCRIPT = Path(sys.executable).with_name("warmxfer")
"""A shell completes the console script, by its name."""


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("warmxfer run ", {*Role}),
        ("warmxfer config g", {"gateway"}),
        ("warmxfer demo --scenario ", {*BY_NAME}),
        ("warmxfer demo -s no_", {each for each in BY_NAME if each.startswith("no_")}),
        ("warmxfer dead-letters ", {"list", "show", "replay"}),
    ],
)
async def test_a_shell_gets_the_words(line: str, completed: set[str]) -> None:
    asked = {"_WARMXFER_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    process = await asyncio.create_subprocess_exec(
        SCRIPT, env={**os.environ, **asked}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert (process.returncode, set(out.decode().split())) == (0, completed)
    assert completed
