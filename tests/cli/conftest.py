"""The command line as people have it: a process, its output, its exit code."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from warmxfer.cli import main

COMMAND_S = 150.0


@dataclass
class Said:
    """What a command printed, and how it exited."""

    code: int
    out: str
    err: str

    @property
    def values(self) -> list[Any]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Warmxfer = Callable[..., Awaitable[Said]]
InProcess = Callable[..., Said]


@pytest.fixture
def warmxfer(nats_url: str) -> Warmxfer:
    """Run `warmxfer` with arguments, `stdin` and variables, beside the shared broker."""

    async def run(*arguments: str, stdin: str = "", **env: str) -> Said:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOSDK_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "warmxfer.cli",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**ours, "NATS_URL": nats_url, **env},
        )
        async with asyncio.timeout(COMMAND_S):
            out, err = await process.communicate(stdin.encode())
        return Said(process.returncode or 0, out.decode(), err.decode())

    return run


@pytest.fixture
def in_process(
    nats_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[InProcess]:
    """As `warmxfer`, without the second that a process takes; for what fails before it begins."""
    for name in [name for name in os.environ if name.startswith("VIDEOSDK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NATS_URL", nats_url)

    def run(*arguments: str, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["warmxfer", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as exited:
            main()
        said = capsys.readouterr()
        return Said(int(exited.value.code or 0), said.out, said.err)

    yield run
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
