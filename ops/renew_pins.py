"""Pin the version of every package, in pyproject.toml and in requirements.lock.

    uv run --no-project ops/renew_pins.py            # after a change of dependencies; keeps what still fits
    uv run --no-project ops/renew_pins.py --upgrade  # the newest version of everything
    uv run --no-project ops/renew_pins.py --check    # changes nothing; exits with 1 if a pin is out of date

`constraint-dependencies` in pyproject.toml pins what the package, the groups and the extra `videosdk`
resolve to together; `uv run` obeys it. `requirements.lock` holds the same versions of the package's own
dependencies, with hashes; the image installs them. Neither file names the address of a package index.
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"
LOCK = ROOT / "requirements.lock"
EVERYTHING = ("--group", "dev", "--group", "manifests", "--extra", "videosdk")
_CONSTRAINTS = re.compile(r"(?<=^constraint-dependencies = \[\n).*?(?=^\]$)", re.M | re.S)


def constraints_in(project: str) -> list[str]:
    """Return the pins in the text of pyproject.toml."""
    return re.findall(r'^    "(.+)",$', _block(project)[0], re.M)


def with_constraints(project: str, pins: list[str]) -> str:
    """Return the text of pyproject.toml with these pins in place of its own."""
    before, after = project[: _block(project).start()], project[_block(project).end() :]
    return before + "".join(f'    "{pin}",\n' for pin in pins) + after


def simplest(pins: list[str]) -> list[str]:
    """Drop the marker of a package that has one version. A package with several versions keeps them."""
    names = [pin.partition("==")[0] for pin in pins]
    return [
        pin if names.count(name) > 1 else pin.partition(" ; ")[0]
        for name, pin in zip(names, pins, strict=True)
    ]


def resolve(project: str, known: str, *options: str) -> str:
    """Return what uv resolves `project` to. A version or hash in `known` stays if it is allowed.

    Raises SystemExit with uv's own message if there is no solution.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(project, encoding="utf-8")
        (Path(folder) / "resolved.txt").write_text(known, encoding="utf-8")
        command = ["uv", "pip", "compile", "pyproject.toml", "--output-file", "resolved.txt", "--quiet"]
        command += ["--universal", "--python-version", "3.11", "--no-header", "--no-annotate", *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip() or f"uv pip compile exited with {done.returncode}")
        return (Path(folder) / "resolved.txt").read_text(encoding="utf-8")


def renewed(project: str, lock: str, *, upgrade: bool) -> tuple[str, str]:
    """Return pyproject.toml and requirements.lock with new pins."""
    free = with_constraints(project, [])
    known = "" if upgrade else "\n".join(constraints_in(project))
    pinned = with_constraints(project, simplest(resolve(free, known, *EVERYTHING).splitlines()))
    return pinned, resolve(pinned, lock, "--generate-hashes")


def main() -> None:
    """Write both files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--upgrade", action="store_true", help="take the newest version of every package")
    mode.add_argument("--check", action="store_true", help="compare only")
    args = parser.parse_args()

    stale = False
    contents = [path.read_text(encoding="utf-8") for path in (PROJECT, LOCK)]
    wanted = renewed(*contents, upgrade=args.upgrade)
    for path, old, new in zip((PROJECT, LOCK), contents, wanted, strict=True):
        name = path.name
        if args.check:
            difference = difflib.unified_diff(
                old.splitlines(), new.splitlines(), name, f"{name}, renewed", n=0, lineterm=""
            )
            stale |= old != new
            print(*difference, sep="\n", end="\n" if old != new else "")
        elif old != new:
            path.write_text(new, encoding="utf-8")
            print(f"{name} written")
    if stale:
        sys.exit("pins are out of date; run: uv run --no-project ops/renew_pins.py")


def _block(project: str) -> re.Match[str]:
    found = _CONSTRAINTS.search(project)
    if found is None:
        raise SystemExit("pyproject.toml has no list `constraint-dependencies = [` in [tool.uv]; add it")
    return found


if __name__ == "__main__":
    main()
