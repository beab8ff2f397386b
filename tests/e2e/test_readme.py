"""The README's first Python script, saved and run as it says, with a caller on the phone."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, read_page

from .stack_fixture import TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUN_S = 70.0


async def test_the_readme_script_requests_and_follows_a_transfer(
    driver: TransferDriver, tmp_path: Path
) -> None:
    (caller,) = await driver.callers(1)
    section = read_page(ROOT / "README.md").find("Request a transfer, from any language")
    script = tmp_path / "ask.py"
    script.write_text(next(block.text for block in section.blocks if block.language == "python"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), caller.room_id),
        env={**os.environ, **driver.stack.bus_env("client")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, wrong = await asyncio.wait_for(process.communicate(), RUN_S)
    assert (process.returncode, wrong) == (0, b"")
    first, *_, last, result = output.decode().splitlines()
    assert first.startswith("1 started ")
    assert last.startswith("11 transfer_complete ")
    assert "success=True" in result
