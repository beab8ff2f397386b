"""A private copy of the tree, one change in it, and the tests that run against the change."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .operators import Change
from .targets import ROOT, Stage

SLOWER = 3.0
"""Factor on the time that a stage takes without a change. A change that waits without end is caught by it."""
SPARE_S = 20.0
MAX_STAGE_S = 1_200.0
"""Time for a stage without a change."""
START_S = 300.0
"""Time to import the packages, or to fork, on a busy machine."""
KILL_S = 10.0
CORES = threading.BoundedSemaphore(os.cpu_count() or 1)
"""Held by each stage that computes, while its time counts."""
TRIES = 3
"""Attempts of a stage without a change. A test that needs a quiet machine may fail on a busy one."""

Verdict = Literal["caught", "timed out", "survived", "not tested"]
"""Not tested: no stage caught it, and one of them fails without any change."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change, in which stage, and how long it took."""

    change: Change
    verdict: Verdict
    stage: str
    took_s: float


class ProcessEnded(Exception):
    """The process that runs the stages has ended before its stage."""


class Times:
    """How long each stage takes without a change. Measured once, when it is first needed.

    Different stages are measured at the same time, each in one of `copies`.
    """

    def __init__(self, copies: Copies, limit_s: float | None = None) -> None:
        self._copies = copies
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._stage_locks: dict[str, threading.Lock] = {}
        self._took_s: dict[str, float | None] = {}
        self.failed: dict[str, str] = {}
        """The stages that fail without a change, and what they print. They say nothing about changes."""

    def limit_s(self, stage: Stage) -> float | None:
        """Return the time limit of `stage`, or None if it fails without a change."""
        with self._lock:
            stage_lock = self._stage_locks.setdefault(stage.name, threading.Lock())
        with stage_lock:
            if stage.name not in self._took_s:
                self._took_s[stage.name] = self._measured(stage)
            took_s = self._took_s[stage.name]
        return None if took_s is None else self._limit_s or SLOWER * took_s + SPARE_S

    def _measured(self, stage: Stage) -> float | None:
        """Return the seconds that `stage` takes without a change, or None if it fails."""
        output = ""
        with self._copies.one() as copy:
            for _ in range(TRIES):
                began = time.monotonic()
                passed, output = copy.run(stage, MAX_STAGE_S)
                if passed:
                    return time.monotonic() - began
        self.failed[stage.name] = output
        return None


class Copies:
    """Copies of the tree below `folder`: made when none is free, and used again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._made: list[Copy] = []
        self._free: list[Copy] = []
        self._killed = False

    @contextlib.contextmanager
    def one(self) -> Iterator[Copy]:
        """Yield a copy that no other block has. Raises ProcessEnded after `kill`."""
        with self._lock:
            if self._killed:
                raise ProcessEnded("The processes that run the stages were killed")
            if not self._free:
                self._made.append(Copy(self._folder / str(len(self._made))))
                self._free.append(self._made[-1])
            copy = self._free.pop()
        try:
            yield copy
        finally:
            with self._lock:
                self._free.append(copy)

    def kill(self) -> None:
        """Kill the processes that run the stages, as `Copy.kill`."""
        with self._lock:
            self._killed = True
            for copy in self._made:
                copy.kill()

    def close(self) -> None:
        """End the processes that run the stages."""
        for copy in self._made:
            copy.close()


class Copy:
    """A copy of the tree below `folder`, whose packages are imported instead of the installed ones."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self._packages = folder / "packages"
        for name in _files_of_the_tree():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.root / name, follow_symlinks=False)
        # A directory without __init__.py is a namespace package, and PYTHONPATH comes before the packages
        # that are installed in editable mode.
        namespace = self._packages / "warmxfer"
        namespace.mkdir(parents=True)
        for package in sorted(path for path in self.root.iterdir() if (path / "__init__.py").exists()):
            (namespace / package.name).symlink_to(package)
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._printed = b""
        """What the process has printed and was not read yet."""

    def try_out(self, change: Change, times: Times, stages: Sequence[Stage]) -> Outcome:
        """Make the change, run `stages` until one fails, and undo it."""
        path = self.root / change.file
        source = path.read_text(encoding="utf-8")
        verdict: Verdict = "survived"
        last, took_s = "", 0.0
        self._write(path, change.applied(source))
        try:
            for stage in stages:
                limit_s, last = times.limit_s(stage), stage.name
                if limit_s is None:
                    verdict = "not tested"
                    continue
                began = time.monotonic()
                passed, _ = self.run(stage, limit_s)
                took_s += time.monotonic() - began
                if passed is not True:
                    verdict = "timed out" if passed is None else "caught"
                    break
        finally:
            self._write(path, source)
        return Outcome(change, verdict, last, took_s)

    def run(self, stage: Stage, limit_s: float) -> tuple[bool | None, str]:
        """Run a stage. Returns whether it passed, or None if it took too long, and what it printed."""
        with CORES if stage.computes else contextlib.nullcontext():
            return self._run(stage, limit_s)

    def _run(self, stage: Stage, limit_s: float) -> tuple[bool | None, str]:
        preloaded = self._preloaded()
        assert preloaded.stdin is not None
        self._output.write_bytes(b"")
        preloaded.stdin.write(json.dumps([str(self._output), *stage.arguments]).encode() + b"\n")
        preloaded.stdin.flush()
        group = int(self._next_line(START_S))
        status: str | None = None
        try:
            status = self._next_line(limit_s)
        except TimeoutError:
            pass
        finally:
            # The stage may still run. The broker and the processes that the tests started may be left.
            _end_group(group)
        if status is None:
            self._next_line(KILL_S)
            return None, ""
        return status == "0", self._output.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """Kill the process that runs the stages. A `run` of another thread ends its stage and raises."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process that runs the stages."""
        if self._process is not None:
            assert self._process.stdin is not None
            # A process that was killed may have left a stage unread.
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait(KILL_S)
            self._process = None

    def _preloaded(self) -> subprocess.Popen[bytes]:
        if self._killed:
            raise ProcessEnded("The process that runs the stages was killed")
        if self._process is None:
            foreign = ("PYTEST_", "NATS_", "WARMXFER_")
            kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.mutants.preloaded"],
                cwd=self.root,
                env={**kept, "PYTHONPATH": str(self._packages), "WARMXFER_TEST_NATS": "embedded"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._process

    def _next_line(self, timeout_s: float) -> str:
        """Return what the process prints next. Raises TimeoutError."""
        assert self._process is not None
        assert self._process.stdout is not None
        source = self._process.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._printed:
            if not select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            read = os.read(source, 4_096)
            if not read:
                raise ProcessEnded("The process that runs the stages has ended; see its output above")
            self._printed += read
        line, _, self._printed = self._printed.partition(b"\n")
        return line.decode()

    def _write(self, path: Path, source: str) -> None:
        path.write_text(source, encoding="utf-8")
        # Compiled code counts as new if time and size of the source are equal, and here they may be.
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()


def _end_group(group: int) -> None:
    """End every process of a group that a stage led."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _files_of_the_tree() -> list[str]:
    """Return every file that git tracks or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
