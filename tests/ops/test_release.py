"""The release command refuses a tree that is not the release. `.ci/run` lets it build and try the wheel."""

from __future__ import annotations

import importlib.util
import tomllib
from types import ModuleType

import pytest

from tests.docs.pages import ROOT


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "ops" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RELEASE = _loaded()
VERSION = "0.2.0"
CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n- more\n"
OVERLAY = "  - name: nats\n    newTag: 2.14\n  - name: warmxfer # yours\n    newName: x\n    newTag: 0.2.0\n"


def test_a_tree_that_is_the_release_has_no_fault() -> None:
    assert RELEASE.version_faults(VERSION, CHANGELOG, OVERLAY, "") == []


@pytest.mark.parametrize(
    ("changelog", "overlay", "changes", "sentence"),
    [
        (CHANGELOG, OVERLAY, " M bus/bus.py\n?? new.py", "the tree has changes: bus/bus.py, new.py"),
        (CHANGELOG.replace("0.2.0", "0.1.0"), OVERLAY, "", 'no heading "## 0.2.0 (YYYY-MM-DD)"'),
        (CHANGELOG.replace(" (2026-12-01)", ""), OVERLAY, "", 'no heading "## 0.2.0 (YYYY-MM-DD)"'),
        (CHANGELOG.replace("## 0.2.0", "- left\n\n## 0.2.0"), OVERLAY, "", 'entries under "Unreleased"'),
        (CHANGELOG, OVERLAY.replace("0.2.0", "0.1.0"), "", "the image's tag 0.1.0; write 0.2.0"),
        (CHANGELOG, "", "", "the image's tag none; write 0.2.0"),
    ],
)
def test_what_is_missing_for_a_release_is_named(
    changelog: str, overlay: str, changes: str, sentence: str
) -> None:
    (found,) = RELEASE.version_faults(VERSION, changelog, overlay, changes)
    assert sentence in found


def test_the_manifests_name_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert (
        RELEASE.tag_of((ROOT / RELEASE.PRODUCTION).read_text(encoding="utf-8"))
        == project["project"]["version"]
    )


def test_a_step_that_fails_ends_the_command_with_its_output() -> None:
    with pytest.raises(RELEASE.Failed, match="exit code 128\nfatal: "):
        RELEASE._run("git", "rev-parse", "--verify", "no-such-thing")
    with pytest.raises(RELEASE.Failed, match="no-such-program"):
        RELEASE._run("no-such-program")
