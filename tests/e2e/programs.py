"""Runs a program of the product beside a stack, and returns what it printed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

EXIT_S = 60.0


async def output_of(env: Mapping[str, str], *command: str) -> tuple[int | None, str]:
    """Run `python -m` with `command` until it ends. Returns its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        env=dict(env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), EXIT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode()
