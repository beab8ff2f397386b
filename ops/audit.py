"""Compare every locked package with a snapshot of known advisories. Needs no network.

    uv run --group dev python ops/audit.py                       # exits with 1 if an advisory names a version
    uv run --group dev python ops/audit.py --max-age-days 90     # and if the snapshot is older than that
    uv run --group dev python ops/audit.py --renew CLONE         # from a git clone of pypa/advisory-database

What it can do: find each locked version that an advisory of the snapshot names. `ops/advisories.json` has its
date and the commit that it was taken from. What it cannot do: find what was published after that date. So a
release also runs `pip-audit`, which asks for today's advisories and needs a network (docs/release.md).

An advisory that does not concern this product is listed in `ops/accepted_advisories.toml` with the reason.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import Version

OPS = Path(__file__).resolve().parent
SNAPSHOT, ACCEPTED = OPS / "advisories.json", OPS / "accepted_advisories.toml"
SOURCE = "https://github.com/pypa/advisory-database"
LICENCE = "CC-BY-4.0, Python Packaging Authority and contributors"
MAX_SUMMARY_CHARS = 160


def locked(root: Path) -> set[tuple[str, str]]:
    """Return name and version of every package in a lock."""
    lines = [
        line for path in root.glob("requirements*.lock") for line in path.read_text("utf-8").splitlines()
    ]
    found = (re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line) for line in lines)
    return {(canonicalize_name(each[1]), each[2]) for each in found if each}


def affects(advisory: Mapping[str, Any], version: str) -> bool:
    """Return whether `version` is in a range of the advisory, or one of its versions."""
    if version in advisory["versions"]:
        return True
    ours = Version(version)
    return any(_within(ours, each) for each in advisory["ranges"])


def findings(snapshot: Mapping[str, Any], packages: Iterable[tuple[str, str]]) -> list[str]:
    """Return one sentence for each advisory that affects a package."""
    return [
        f"{name} {version} is affected by {each['id']} ({', '.join(each['aliases'])}): {each['summary']}; "
        f"{'take ' + ' or '.join(each['fixed']) if each['fixed'] else 'no version mends it'}"
        for name, version in sorted(packages)
        for each in snapshot["advisories"]
        if each["package"] == name and affects(each, version)
    ]


def accepted(text: str) -> dict[str, str]:
    """Return the reason of each accepted advisory. Raises SystemExit for one without a reason."""
    found: dict[str, str] = tomllib.loads(text).get("accepted", {})
    for id, reason in found.items():
        if not reason.strip():
            raise SystemExit(
                f"ops/accepted_advisories.toml: {id} has no reason; write why it does no harm here"
            )
    return found


def extracted(clone: Path, packages: set[str]) -> dict[str, Any]:
    """Return a snapshot of the newest commit of a git clone, for these packages."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(clone), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    commit, moment = git("log", "-1", "--format=%H %cI").split()
    paths = [
        each for each in git("ls-tree", "-r", "--name-only", "HEAD", "vulns").splitlines() if "/" in each
    ]
    wanted = [each for each in paths if canonicalize_name(each.split("/")[1]) in packages]
    advisories = [_reduced(yaml.safe_load(git("show", f"HEAD:{path}")), packages) for path in wanted]
    return {
        "source": SOURCE,
        "licence": LICENCE,
        "commit": commit,
        "date": datetime.fromisoformat(moment).astimezone(UTC).date().isoformat(),
        "packages": sorted(packages),
        "advisories": sorted((each for found in advisories for each in found), key=lambda each: each["id"]),
    }


def main() -> None:
    """Audit, or renew the snapshot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--renew", type=Path, metavar="CLONE", help="take a new snapshot from this git clone")
    parser.add_argument("--max-age-days", type=int, help="fail if the snapshot is older")
    args = parser.parse_args()
    packages = locked(OPS.parent)
    if args.renew:
        snapshot = extracted(args.renew, {name for name, _ in packages})
        SNAPSHOT.write_text(json.dumps(snapshot, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{SNAPSHOT.name} written: {len(snapshot['advisories'])} advisories of {snapshot['date']}")
        return
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    allowed = accepted(ACCEPTED.read_text(encoding="utf-8"))
    wrong = [each for each in findings(snapshot, packages) if not any(f" {id} " in each for id in allowed)]
    missing = sorted({name for name, _ in packages} - set(snapshot["packages"]))
    if missing:
        wrong.append(f"{SNAPSHOT.name} was not taken for {', '.join(missing)}; renew it with --renew CLONE")
    age_days = (datetime.now(UTC).date() - date.fromisoformat(snapshot["date"])).days
    if args.max_age_days is not None and age_days > args.max_age_days:
        wrong.append(f"{SNAPSHOT.name} is {age_days} days old; renew it with --renew CLONE")
    print(
        f"{len(packages)} locked packages, {len(snapshot['advisories'])} advisories known on "
        f"{snapshot['date']}, {age_days} days ago. Later ones are not known here: "
        "run pip-audit where there is a network."
    )
    if wrong:
        sys.exit("\n".join(wrong))


def _within(version: Version, events: Iterable[Mapping[str, str]]) -> bool:
    """Return whether `version` is in a range, given as OSV has it: introduced, fixed, last_affected."""
    inside = False
    pairs = (pair for each in events for pair in each.items())
    for kind, text in sorted(pairs, key=lambda each: Version(each[1])):
        if kind == "introduced":
            inside = inside or version >= Version(text)
        elif kind == "fixed":
            inside = inside and version < Version(text)
        elif kind == "last_affected":
            inside = inside and version <= Version(text)
    return inside


def _reduced(advisory: Mapping[str, Any], packages: set[str]) -> list[dict[str, Any]]:
    """Return what the audit needs of an advisory, for each package that it names. None of a withdrawn one."""
    if advisory.get("withdrawn"):
        return []
    text = advisory.get("summary") or advisory.get("details") or ""
    summary = " ".join(text.split())[:MAX_SUMMARY_CHARS]
    found = list[dict[str, Any]]()
    for each in advisory["affected"]:
        name = canonicalize_name(each["package"]["name"])
        ranges = [one["events"] for one in each.get("ranges", []) if one["type"] == "ECOSYSTEM"]
        if name in packages:
            found.append(
                {
                    "id": advisory["id"],
                    "package": name,
                    "aliases": advisory.get("aliases", []),
                    "published": str(advisory.get("published") or advisory["modified"])[:10],
                    "summary": summary,
                    "ranges": ranges,
                    # A range says more than a list that ends with what was published on that day.
                    "versions": [] if ranges else each.get("versions", []),
                    "fixed": sorted({one["fixed"] for events in ranges for one in events if "fixed" in one}),
                }
            )
    return found


if __name__ == "__main__":
    main()
