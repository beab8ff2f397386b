"""Finding 13, replayed with pip as the image runs it: a package that is not the one of the lock."""

from __future__ import annotations

import base64
import csv
import ensurepip
import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

LOCK = "requirements-build.lock"
FIRST_STEP = re.compile(rf"pip (install --require-hashes -r {re.escape(LOCK)})$", re.MULTILINE)
PIP_S = 60.0


def fake_wheel(directory: Path, name: str, version: str) -> Path:
    """Write a wheel that installs a module of an attacker under the name of a build tool."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": "OWNER = 'attacker'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.writerow((path, f"sha256={digest}", len(text)))
    rows.writerow((f"{info}/RECORD", "", ""))
    made = directory / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record.getvalue()}.items():
            wheel.writestr(path, text)
    return made


def pip(arguments: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the pip that comes with Python, without a network, into `directory`."""
    (bundled,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    index = ["--no-index", "--find-links", str(directory), "--target", str(directory / "installed")]
    return subprocess.run(
        [sys.executable, "-m", "pip", *arguments, *index, "--no-cache-dir", "--disable-pip-version-check"],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(bundled), "HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=PIP_S,
        check=False,
    )


def locked_tool() -> tuple[str, str]:
    """Return name and version of the first build tool of the lock."""
    found = re.match(r"([\w-]+)==([\w.]+)", (ROOT / LOCK).read_text(encoding="utf-8"))
    assert found is not None
    return found[1], found[2]


@pytest.mark.parametrize("attack", ["another file", "no hash"])
def test_the_first_step_of_the_image_refuses_a_package_that_the_lock_does_not_name(
    tmp_path: Path, attack: str
) -> None:
    """Finding 13: the image fetched setuptools without a hash, so an index could give any file."""
    step = FIRST_STEP.search((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert step is not None, "the image's first step is not this one any more"
    name, version = locked_tool()
    fake_wheel(tmp_path, name, version)
    text = (ROOT / LOCK).read_text(encoding="utf-8")
    (tmp_path / LOCK).write_text(
        text if attack == "another file" else f"{name}=={version}\n", encoding="utf-8"
    )
    done = pip(step[1].split(), tmp_path)
    assert done.returncode != 0
    said = (
        "DO NOT MATCH THE HASHES"
        if attack == "another file"
        else "Hashes are required in --require-hashes mode"
    )
    assert said in done.stdout + done.stderr
    assert not (tmp_path / "installed").exists()


def test_without_the_hashes_the_attack_succeeds(tmp_path: Path) -> None:
    """The package of the attacker is a good one: only its hash is wrong."""
    name, version = locked_tool()
    fake_wheel(tmp_path, name, version)
    done = pip(["install", f"{name}=={version}"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "attacker" in (tmp_path / "installed" / name / "__init__.py").read_text()
