"""Fixtures that run the command line and return its output and exit code."""

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
class Output:
    """Exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str

    @property
    def values(self) -> list[Any]:
        """The JSON lines of stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


Warmxfer = Callable[..., Awaitable[Output]]
InProcess = Callable[..., Output]


@pytest.fixture
def warmxfer(nats_url: str) -> Warmxfer:
    """Return a function that runs `warmxfer` as a process, with the shared broker."""

    async def run(*arguments: str, stdin: str = "", **env: str) -> Output:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOSDK_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "warmxfer.cli",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**inherited, "NATS_URL": nats_url, **env},
        )
        async with asyncio.timeout(COMMAND_S):
            out, err = await process.communicate(stdin.encode())
        return Output(process.returncode or 0, out.decode(), err.decode())

    return run


@pytest.fixture
def in_process(
    nats_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[InProcess]:
    """Return a function that runs `warmxfer` in this process, which is a second faster."""
    for name in [name for name in os.environ if name.startswith("VIDEOSDK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NATS_URL", nats_url)

    def run(*arguments: str, stdin: str = "") -> Output:
        monkeypatch.setattr(sys, "argv", ["warmxfer", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as exited:
            main()
        captured = capsys.readouterr()
        return Output(int(exited.value.code or 0), captured.out, captured.err)

    yield run
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
