"""Pin the version of every package, in pyproject.toml and in the locks.

    uv run --no-project ops/renew_pins.py            # after a change of dependencies; keeps what still fits
    uv run --no-project ops/renew_pins.py --upgrade  # the newest version of everything
    uv run --no-project ops/renew_pins.py --check    # changes nothing; exits with 1 if a pin is out of date

`constraint-dependencies` in pyproject.toml pins what the package, the groups and the extras resolve to
together; `uv run` obeys it. Four files hold the same versions with hashes, for the image:

- `requirements.lock`: what the package depends on;
- `requirements-otel.lock`: that, and what the extra `otel` adds;
- `requirements-videosdk.lock`: that, and what the extra `videosdk` adds;
- `requirements-build.lock`: what builds the wheel.

No file names the address of a package index.
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"
LOCK, OTEL_LOCK, VIDEOSDK_LOCK, BUILD_LOCK = (
    ROOT / f"requirements{which}.lock" for which in ("", "-otel", "-videosdk", "-build")
)
EXTRAS = {LOCK: (), OTEL_LOCK: ("otel",), VIDEOSDK_LOCK: ("videosdk", "otel")}
"""What each lock holds beside the dependencies of the package."""
EVERYTHING = ("--group", "dev", "--group", "manifests", "--extra", "videosdk", "--extra", "otel")
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


def build_tools(project: str) -> str:
    """Return the requirements of [build-system], one a line."""
    return "\n".join(tomllib.loads(project)["build-system"]["requires"])


def resolve(source: str, known: str, *options: str, name: str = "pyproject.toml") -> str:
    """Return what uv resolves `source` to, a file called `name`. A version or hash in `known` may stay.

    Raises SystemExit with uv's own message if there is no solution.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_text(source, encoding="utf-8")
        (Path(folder) / "resolved.txt").write_text(known, encoding="utf-8")
        command = ["uv", "pip", "compile", name, "--output-file", "resolved.txt", "--quiet"]
        command += ["--universal", "--python-version", "3.11", "--no-header", "--no-annotate", *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip() or f"uv pip compile exited with {done.returncode}")
        return (Path(folder) / "resolved.txt").read_text(encoding="utf-8")


def renewed(files: dict[Path, str], *, upgrade: bool) -> dict[Path, str]:
    """Return the files with new pins."""
    project = files[PROJECT]
    known = "" if upgrade else "\n".join(constraints_in(project))
    pins = resolve(with_constraints(project, []), known, *EVERYTHING).splitlines()
    pinned = with_constraints(project, simplest(pins))
    known_tools = "" if upgrade else files[BUILD_LOCK]
    hashes = "--generate-hashes"
    return {
        PROJECT: pinned,
        **{
            lock: resolve(pinned, files[lock], hashes, *(f"--extra={each}" for each in extras))
            for lock, extras in EXTRAS.items()
        },
        BUILD_LOCK: resolve(build_tools(pinned), known_tools, hashes, name="build.in"),
    }


def main() -> None:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--upgrade", action="store_true", help="take the newest version of every package")
    mode.add_argument("--check", action="store_true", help="compare only")
    args = parser.parse_args()

    stale = False
    paths = (PROJECT, *EXTRAS, BUILD_LOCK)
    files = {path: path.read_text(encoding="utf-8") if path.exists() else "" for path in paths}
    for path, new in renewed(files, upgrade=args.upgrade).items():
        name, old = path.name, files[path]
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
