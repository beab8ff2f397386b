"""The first Python block of the README, saved and run as the README says, beside a running call."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, read_page

from .stack_fixture import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUN_S = 70.0


async def test_the_readmes_script_requests_a_transfer_and_follows_it(stage: Stage, tmp_path: Path) -> None:
    (caller,) = await stage.callers(1)
    section = read_page(ROOT / "README.md").find("Request a transfer, from any language")
    script = tmp_path / "ask.py"
    script.write_text(next(block.text for block in section.blocks if block.language == "python"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), caller.room_id),
        env={**os.environ, "NATS_URL": stage.house.nats_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), RUN_S)
    assert (process.returncode, stderr) == (0, b"")
    first, *_, last, result = stdout.decode().splitlines()
    assert first.startswith("1 started ")
    assert last.startswith("11 transfer_complete ")
    assert "success=True" in result
