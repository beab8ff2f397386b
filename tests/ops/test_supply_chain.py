"""The list of what the image holds, and the audit against known advisories. Neither needs a network."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.docs.pages import ROOT

OPS = ROOT / "ops"
DIGEST = "0" * 64
"""Of no image: the test only shows where a digest goes."""


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, OPS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


AUDIT, SBOM = loaded("audit"), loaded("sbom")
SNAPSHOT: dict[str, Any] = json.loads((OPS / "advisories.json").read_text("utf-8"))


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(OPS / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# ── the list ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "lock",
    [f"requirements{which}.lock" for which in ("", "-otel", "-videosdk", "-build")],
)
def test_the_list_names_every_package_of_a_lock_and_its_hashes(lock: str, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "list.json"
    done = run("sbom.py", "--lock", lock, "--date", "2026-12-01", "--out", str(out))
    assert done.returncode == 0, done.stderr  # the command has validated it by the schema of CycloneDX
    bill = json.loads(out.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "warmxfer"
    text = (ROOT / lock).read_text("utf-8")
    listed = {(each["name"], each["version"]) for each in bill["components"]}
    assert len(bill["components"]) == len(listed)
    assert listed == {pair for pair in AUDIT.locked(ROOT) if f"{pair[0]}==" in text and pair in listed}
    assert len(listed) == sum(line[0].isalnum() for line in text.splitlines())
    assert sum(len(each["hashes"]) for each in bill["components"]) == text.count("--hash=sha256:")
    assert {each["purl"] for each in bill["components"]} == {
        f"pkg:pypi/{name}@{version}" for name, version in listed
    }


def test_the_same_lock_gives_the_same_bytes() -> None:
    one, two = (run("sbom.py", "--date", "2026-12-01").stdout for _ in range(2))
    assert one == two != ""
    assert json.loads(one)["metadata"]["timestamp"].startswith("2026-12-01")


def test_a_base_image_is_listed_by_its_digest_and_not_by_a_tag() -> None:
    named = json.loads(run("sbom.py", "--image", f"python:3.11-slim@sha256:{DIGEST}").stdout)
    (image,) = [each for each in named["components"] if each["type"] == "container"]
    assert (image["name"], image["version"]) == ("python:3.11-slim", f"sha256:{DIGEST}")
    refused = run("sbom.py", "--image", "python:3.11-slim")
    assert refused.returncode == 1
    assert "--image is 'python:3.11-slim'; give name@sha256:digest" in refused.stderr


# ── the audit ────────────────────────────────────────────────────────────────────────────────────


def test_no_locked_package_is_affected_by_a_known_advisory() -> None:
    done = run("audit.py")
    assert done.returncode == 0, done.stderr
    assert f"advisories known on {SNAPSHOT['date']}" in done.stdout
    assert "Later ones are not known here" in done.stdout


def test_the_snapshot_says_where_and_when_it_was_taken() -> None:
    assert SNAPSHOT["source"] == "https://github.com/pypa/advisory-database"
    assert len(SNAPSHOT["commit"]) == 40
    assert date.fromisoformat(SNAPSHOT["date"]) <= datetime.now(UTC).date()
    newest = max(each["published"] for each in SNAPSHOT["advisories"])
    assert newest <= SNAPSHOT["date"]
    assert {name for name, _ in AUDIT.locked(ROOT)} <= set(SNAPSHOT["packages"]), "renew it (ops/audit.py)"


@pytest.mark.parametrize(
    ("package", "version", "id"),
    [
        ("aiohttp", "3.8.4", "PYSEC-2023-120"),
        ("aiohttp", "3.8.5", None),
        ("urllib3", "2.0.5", "PYSEC-2023-192"),
        ("pyjwt", "2.3.0", "PYSEC-2022-202"),
    ],
)
def test_a_version_with_an_advisory_is_found(package: str, version: str, id: str | None) -> None:
    found = AUDIT.findings(SNAPSHOT, [(package, version)])
    if id is None:
        assert not any("PYSEC-2023-120" in each for each in found)
    else:
        (sentence,) = [each for each in found if id in each]
        assert sentence.startswith(f"{package} {version} is affected by {id} (")
        assert "; take " in sentence


@pytest.mark.parametrize(
    ("version", "affected"),
    [("0.9", True), ("1.0", False), ("1.5", False), ("2.0", True), ("2.4", True), ("2.5", False)],
)
def test_ranges_are_read_in_any_order(version: str, affected: bool) -> None:
    events = [{"introduced": "2.0"}, {"fixed": "1.0"}, {"introduced": "0"}, {"last_affected": "2.4"}]
    assert AUDIT.affects({"versions": [], "ranges": [events]}, version) is affected


def test_an_old_snapshot_fails_where_its_age_counts() -> None:
    age_days = (datetime.now(UTC).date() - date.fromisoformat(SNAPSHOT["date"])).days
    assert run("audit.py", "--max-age-days", str(age_days + 1)).returncode == 0
    old = run("audit.py", "--max-age-days", str(age_days - 1))
    assert old.returncode == 1
    assert f"advisories.json is {age_days} days old; renew it" in old.stderr


def test_an_accepted_advisory_needs_a_reason() -> None:
    with pytest.raises(SystemExit, match="PYSEC-1 has no reason"):
        AUDIT.accepted('[accepted]\n"PYSEC-1" = " "')
    assert AUDIT.accepted('[accepted]\n"PYSEC-1" = "not called"') == {"PYSEC-1": "not called"}


def test_a_snapshot_is_taken_from_a_clone(tmp_path: Path) -> None:
    """Withdrawn advisories, and those of other packages, are left out."""
    (tmp_path / "vulns" / "Py_JWT").mkdir(parents=True)
    (tmp_path / "vulns" / "other").mkdir()
    entry = """
id: PYSEC-TEST-1
published: 2026-01-02T00:00:00Z
details: "A fault of the test,\\n not of a package."
affected:
- package: {name: Py_JWT, ecosystem: PyPI}
  ranges: [{type: ECOSYSTEM, events: [{introduced: "0"}, {fixed: "9.9"}]}]
"""
    (tmp_path / "vulns/Py_JWT/a.yaml").write_text(entry)
    (tmp_path / "vulns/Py_JWT/b.yaml").write_text(entry + "withdrawn: 2026-01-03T00:00:00Z\n")
    (tmp_path / "vulns/other/c.yaml").write_text(entry)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x", "--date", "2026-01-04T00:00:00Z"], check=True)
    taken = AUDIT.extracted(tmp_path, {"py-jwt"})
    (advisory,) = taken["advisories"]
    assert (advisory["id"], advisory["package"], advisory["fixed"]) == ("PYSEC-TEST-1", "py-jwt", ["9.9"])
    assert advisory["summary"] == "A fault of the test, not of a package."
    assert AUDIT.findings(taken, [("py-jwt", "9.8")])
    assert AUDIT.findings(taken, [("py-jwt", "9.9")]) == []
