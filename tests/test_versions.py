"""`uv run` and the image run the same version of every package."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.testkit.broker import CONTAINER_IMAGE
from warmxfer.bus.connection import MIN_SERVER_VERSION

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS: list[str] = PROJECT["tool"]["uv"]["constraint-dependencies"]
LOCKS = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("requirements*.lock")}
LOCK = LOCKS["requirements.lock"]
WITH_EXTRAS = {"videosdk": LOCKS["requirements-videosdk.lock"], "otel": LOCKS["requirements-otel.lock"]}
"""The image with the framework has OpenTelemetry's SDK too."""
BUILD_LOCK = LOCKS["requirements-build.lock"]

DEPLOYMENTS = [
    "compose.yaml",
    *(f"ops/k8s/overlays/{each}/kustomization.yaml" for each in ("demo", "production")),
]

RENEW = "run: uv run --no-project ops/renew_pins.py"
SYNC = "run: uv sync --group dev"

ASKED_FOR: dict[str, list[str]] = {
    "the package": PROJECT["project"]["dependencies"],
    "dev": PROJECT["dependency-groups"]["dev"],
    "videosdk": PROJECT["project"]["optional-dependencies"]["videosdk"],
    "otel": PROJECT["project"]["optional-dependencies"]["otel"],
}


def applies(requirement: Requirement, extras: Collection[str] = ()) -> bool:
    """Return whether the requirement counts on this machine."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def pins(lines: list[str]) -> dict[str, str]:
    """Return the pinned version of each package on this machine."""
    read = [each for each in map(Requirement, lines) if applies(each)]
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in read}


def locked(lock: str = LOCK) -> list[str]:
    """Return the requirements in a lock without their hashes."""
    return [line.rstrip("\\ ") for line in lock.splitlines() if re.match(r"\w", line)]


def installed(asked_for: list[str]) -> dict[str, str]:
    """Return the installed version of these requirements and of all that they require in turn."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    to_visit = [each for each in map(Requirement, asked_for) if applies(each)]
    while to_visit:
        requirement = to_visit.pop()
        name = canonicalize_name(requirement.name)
        key = f"{name}{sorted(requirement.extras)}"
        if key not in seen:
            seen.add(key)
            found[name] = version(name)
            dependencies = map(Requirement, requires(name) or [])
            to_visit += [each for each in dependencies if applies(each, requirement.extras)]
    return found


def test_each_constraint_pins_one_version() -> None:
    loose = [
        each for each in CONSTRAINTS if not re.fullmatch(r"==[\w.!+]+", str(Requirement(each).specifier))
    ]
    assert loose == [], RENEW


def test_a_package_has_one_pinned_version_on_one_machine() -> None:
    counted = [canonicalize_name(each.name) for each in map(Requirement, CONSTRAINTS) if applies(each)]
    assert sorted(counted) == sorted(set(counted))
    assert len(counted) > 100


def test_the_image_installs_the_pinned_versions() -> None:
    ours = pins(CONSTRAINTS)
    assert pins(locked()) == {name: ours.get(name) for name in pins(locked())}, RENEW


def test_the_image_installs_what_the_package_requires_and_nothing_else() -> None:
    assert pins(locked()) == installed(ASKED_FOR["the package"]), f"{RENEW}, then {SYNC}"


@pytest.mark.parametrize("extra", WITH_EXTRAS)
def test_the_image_with_an_extra_installs_the_pinned_versions(extra: str) -> None:
    ours, found = pins(CONSTRAINTS), pins(locked(WITH_EXTRAS[extra]))
    assert found == {name: ours.get(name) for name in found}, RENEW
    assert found.items() >= pins(locked()).items(), RENEW
    assert {canonicalize_name(Requirement(each).name) for each in ASKED_FOR[extra]} <= found.keys()


def test_what_builds_the_wheel_is_locked() -> None:
    asked = {canonicalize_name(Requirement(each).name) for each in PROJECT["build-system"]["requires"]}
    assert asked <= pins(locked(BUILD_LOCK)).keys(), RENEW


@pytest.mark.parametrize("name", LOCKS)
def test_each_locked_package_has_a_hash(name: str) -> None:
    blocks = re.split(r"^(?=\w)", LOCKS[name], flags=re.M)[1:]
    assert len(blocks) == len(locked(LOCKS[name])) > 0
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("part", ASKED_FOR)
def test_this_environment_holds_the_pinned_versions(part: str) -> None:
    try:
        versions = installed(ASKED_FOR[part])
    except PackageNotFoundError as missing:
        if part != "videosdk":
            raise
        pytest.skip(f"{missing.name} is not installed; run: uv sync --group dev --extra videosdk")
    ours = pins(CONSTRAINTS)
    assert versions == {name: ours.get(name, "has no pin") for name in versions}, f"{RENEW}, then {SYNC}"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_image_of_the_broker_is_one_that_is_accepted(name: str) -> None:
    """A tag without a last number may be an older image that a machine has kept."""
    text = (ROOT / name).read_text(encoding="utf-8")
    (tag,) = re.findall(r"nats(?::|\n +newTag: )([\d.]+)-alpine", text)
    assert tuple(map(int, tag.split("."))) >= MIN_SERVER_VERSION
    assert f"nats:{tag}-alpine" == CONTAINER_IMAGE


def test_no_file_in_git_names_the_address_of_a_package_index() -> None:
    assert "/uv.lock" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for lock in LOCKS.values():
        assert "://" not in lock
        assert "index-url" not in lock
    assert PROJECT["tool"]["uv"].keys() == {"default-groups", "constraint-dependencies"}
