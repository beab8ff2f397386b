"""A private copy of the tree, one change in it, and the tests that run against the change."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .operators import Change
from .targets import ROOT, Stage, stages

SLOWER = 3.0
"""Factor on the time that a stage takes without a change. A change that waits without end is caught by it."""
SPARE_S = 20.0
MAX_STAGE_S = 600.0
"""Time for a stage without a change."""
KILL_S = 10.0

Verdict = Literal["caught", "timed out", "survived"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change, in which stage, and how long it took."""

    change: Change
    verdict: Verdict
    stage: str
    took_s: float


class StageFailed(Exception):
    """A stage fails without any change, so it says nothing about changes."""


class Times:
    """How long each stage takes without a change. Measured once, in `unchanged`, when it is first needed."""

    def __init__(self, unchanged: Copy, limit_s: float | None = None) -> None:
        self._unchanged = unchanged
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._took_s: dict[str, float] = {}

    def limit_s(self, stage: Stage) -> float:
        """Return the time limit of `stage`. Raises `StageFailed` if it fails without a change."""
        with self._lock:
            if stage.name not in self._took_s:
                began = time.monotonic()
                passed, output = self._unchanged.run(stage, MAX_STAGE_S)
                if passed is not True:
                    raise StageFailed(f"{stage.name} fails without a change:\n{output[-2_000:]}")
                self._took_s[stage.name] = time.monotonic() - began
        return self._limit_s or SLOWER * self._took_s[stage.name] + SPARE_S


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
        (namespace / "tests").unlink(missing_ok=True)

    def try_out(self, change: Change, times: Times) -> Outcome:
        """Make the change, run its stages until one fails, and undo it."""
        path = self.root / change.file
        source = path.read_text(encoding="utf-8")
        verdict: Verdict = "survived"
        last, took_s = "", 0.0
        self._write(path, change.applied(source))
        try:
            for stage in stages(change.file, self.root):
                limit_s, last = times.limit_s(stage), stage.name
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
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NATS_"))
        }
        process = subprocess.Popen(
            [sys.executable, *stage.arguments],
            cwd=self.root,
            env={**kept, "PYTHONPATH": str(self._packages), "WARMXFER_TEST_NATS": "embedded"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            _end_group(process)
        return process.returncode == 0, output

    def _write(self, path: Path, source: str) -> None:
        path.write_text(source, encoding="utf-8")
        # Compiled code counts as new if time and size of the source are equal, and here they may be.
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()


def _end_group(process: subprocess.Popen[str]) -> None:
    """End what is left of a stage: the broker and the processes that its tests started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.communicate(timeout=KILL_S)


def _files_of_the_tree() -> list[str]:
    """Return every file that git tracks or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
