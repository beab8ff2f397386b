"""Fixtures: both overlays, rendered once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .rendering import INSTALL, OVERLAYS, Manifest, copied, kubectl, rendered


@pytest.fixture(scope="session")
def kubectl_path() -> str:
    """The path of kubectl. Skips the test where it is not installed."""
    program = kubectl()
    if program is None:
        pytest.skip(f"kubectl is not installed; {INSTALL}")
    return program


@pytest.fixture(scope="session")
def all_overlays(kubectl_path: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Manifest]]:
    """The objects of each overlay."""
    folder: Path = copied(tmp_path_factory.mktemp("manifests"))
    return {name: rendered(folder / name, kubectl_path) for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest, all_overlays: dict[str, list[Manifest]]) -> list[Manifest]:
    """The objects of one overlay."""
    return all_overlays[request.param]


@pytest.fixture
def production(all_overlays: dict[str, list[Manifest]]) -> list[Manifest]:
    """The objects of the production overlay."""
    return all_overlays["production"]


@pytest.fixture
def demo(all_overlays: dict[str, list[Manifest]]) -> list[Manifest]:
    """The objects of the demo overlay."""
    return all_overlays["demo"]
