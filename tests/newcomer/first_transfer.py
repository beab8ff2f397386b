"""Measures how long the first command of README takes, from the clone to a finished transfer.

    uv run --group dev python -m tests.newcomer.first_transfer

Everything is new: a clone, a virtual environment for pip, and empty caches of pip and uv. All packages are
downloaded once. Exit code 1: the transfer did not end as README says, or it took longer than `--limit`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 180.0
STARTED, FINISHED, CHECKED = "ready: the supervisor", "outcome: complete", "all checks passed"
"""What the demo prints at its start, at the end of the transfer, and at its end."""


class Times(NamedTuple):
    """Seconds since the clone began."""

    cloned_s: float
    started_s: float
    finished_s: float

    def __str__(self) -> str:
        return (
            f"cloned after {self.cloned_s:.1f} s, the demo ran after {self.started_s:.1f} s, "
            f"the transfer was finished after {self.finished_s:.1f} s"
        )


def first_command(readme: str) -> str:
    """Return the first command that README gives."""
    found = re.search(r"^```sh\n(.+?)\n```$", readme, re.M | re.S)
    if found is None:
        raise RuntimeError("README has no block of the language sh")
    return found[1]


def clean_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a newcomer: this one without its caches and its virtual environment."""
    ours = (
        "VIRTUAL_ENV",
        "PYTHONPATH",
        "PYTHONHOME",
        "UV",
        "UV_RUN_RECURSION_DEPTH",
        "UV_PROJECT_ENVIRONMENT",
    )
    env = {name: value for name, value in os.environ.items() if name not in ours}
    return env | {
        "PATH": f"{folder / 'pip' / 'bin'}:{os.environ['PATH']}",
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "PIP_NO_CACHE_DIR": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def measure(folder: Path, limit_s: float) -> Times:
    """Clone into `folder` and run the command. Raises RuntimeError if the transfer does not end well."""
    env = clean_environment(folder)
    subprocess.run([sys.executable, "-m", "venv", folder / "pip"], check=True, env=env)
    began = time.monotonic()
    clone = folder / "warmxfer"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", clone], check=True, env=env)
    cloned_s = time.monotonic() - began
    command = first_command((clone / "README.md").read_text(encoding="utf-8"))
    print(f"$ {command}", flush=True)
    seen: dict[str, float] = {}
    lines: list[str] = []
    process = subprocess.Popen(
        ["timeout", f"{limit_s:g}", "sh", "-c", command],
        cwd=clone,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            for mark in (STARTED, FINISHED, CHECKED):
                if mark in line:
                    seen.setdefault(mark, time.monotonic() - began)
    if process.returncode != 0 or set(seen) != {STARTED, FINISHED, CHECKED}:
        raise RuntimeError(f"the command exited with {process.returncode}:\n{''.join(lines[-40:])}")
    return Times(cloned_s, seen[STARTED], seen[FINISHED])


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="most seconds for the command")
    limit_s = parser.parse_args().limit
    with tempfile.TemporaryDirectory() as folder:
        try:
            times = measure(Path(folder), limit_s)
        except RuntimeError as error:
            raise SystemExit(str(error)) from error
    print(times)
    if times.finished_s > limit_s:
        raise SystemExit(f"slower than {limit_s:g} s")


if __name__ == "__main__":
    main()
