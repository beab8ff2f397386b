"""Build a release and try it: the wheel, one transfer from the wheel, the image, one transfer in the image.

    uv run --no-project ops/release.py --out dist           # a release; docs/release.md has the whole list
    uv run --no-project ops/release.py --out dist --trial   # any tree; without a container engine, no image

Each step is printed before it runs. The first one that fails ends the command with exit code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = Path("ops/k8s/overlays/production/kustomization.yaml")
SUMS = "SHA256SUMS"
BUILD_S = 600
DEMO_S = 120
ANSWER_S = 20


def version_faults(version: str, changelog: str, overlay: str, changes: str) -> list[str]:
    """Return why a tree is not the release `version`.

    `overlay` is the text of the production overlay, and `changes` is what `git status --porcelain` prints.
    """
    found: list[str] = []
    if changes:
        found.append(f"the tree has changes: {', '.join(changes.split()[1::2])}; commit them")
    if not re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", changelog, re.M):
        found.append(
            f'CHANGELOG.md has no heading "## {version} (YYYY-MM-DD)"; write it over what is released'
        )
    unreleased = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    if unreleased and unreleased[1].strip():
        found.append('CHANGELOG.md has entries under "Unreleased"; move them under the version')
    if tag_of(overlay) != version:
        found.append(f"{PRODUCTION} has the image's tag {tag_of(overlay)}; write {version}")
    return found


def tag_of(overlay: str) -> str:
    """Return the tag of our image in the text of an overlay."""
    found = re.search(r"^  - name: warmxfer\b.*?newTag: (\S+)$", overlay, re.M | re.S)
    return found[1] if found else "none"


def release(out: Path, environment: Path, *, trial: bool) -> None:
    """Carry out all steps. Raises Failed."""
    version = tomllib.loads(_text("pyproject.toml"))["project"]["version"]
    if not trial:
        _say(f"this tree is version {version}")
        changes = _run("git", "status", "--porcelain").strip()
        faults = version_faults(version, _text("CHANGELOG.md"), _text(str(PRODUCTION)), changes)
        if faults:
            raise Failed("\n".join(faults))
    _say("wheel")
    _run("uv", "build", "--quiet", "--wheel", "--out-dir", str(out), timeout_s=BUILD_S)
    (wheel,) = out.glob(f"warmxfer-{version}-*.whl")
    _say("an environment with the pinned packages and the wheel")
    _run("uv", "venv", "--quiet", "--clear", "--python", "3.11", str(environment), timeout_s=BUILD_S)
    install = ("uv", "pip", "install", "--quiet", "--python", str(environment / "bin" / "python"))
    _run(*install, "--require-hashes", "-r", "requirements.lock", timeout_s=BUILD_S)
    _run(*install, "--no-deps", str(wheel))
    with tempfile.TemporaryDirectory() as elsewhere:  # Nothing of the tree may be imported.
        program = str(environment / "bin" / "warmxfer")
        _check_version(_run(program, "--version", cwd=elsewhere), version)
        _say("one transfer from the wheel")
        _run(program, "demo", cwd=elsewhere, timeout_s=DEMO_S)
    _image(version, trial=trial)
    (out / SUMS).write_text(f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}\n")
    _say(f"done: {wheel.name} and {SUMS} are in {out}")


class Failed(Exception):
    """A step failed; the message says why."""


def _image(version: str, *, trial: bool) -> None:
    _say("image")
    try:
        _run("docker", "version", timeout_s=ANSWER_S)
    except Failed:
        if not trial:
            raise Failed("no container engine answers, so there is no image; start one") from None
        _say("not built: no container engine answers")
        return
    image = f"warmxfer:{version}"
    _run("docker", "build", "--tag", image, ".", timeout_s=BUILD_S)
    _check_version(_run("docker", "run", "--rm", image, "--version", timeout_s=ANSWER_S), version)
    _say("one transfer in the image, with the rights that it has in a cluster")
    confined = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", "10001:10001")
    _run("docker", "run", "--rm", *confined, image, "demo", timeout_s=DEMO_S)


def _check_version(printed: str, version: str) -> None:
    if printed.strip() != f"warmxfer {version}":
        raise Failed(f"--version prints {printed.strip()!r}; it is version {version}")


def _run(*command: str, cwd: str | Path = ROOT, timeout_s: float = 60) -> str:
    """Run a command and return its stdout. Raises Failed with the end of its output."""
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}\n{last}")
    return done.stdout


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _say(step: str) -> None:
    print(f"== {step}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 if a step failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the wheel and SHA256SUMS")
    parser.add_argument(
        "--environment", type=Path, help="folder for the environment; default: a temporary one"
    )
    parser.add_argument(
        "--trial",
        action="store_true",
        help="do not check the version; the image may be missing",
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        try:
            release(given.out, given.environment or Path(folder) / "environment", trial=given.trial)
        except Failed as error:
            print(f"release: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
