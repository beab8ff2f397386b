"""The measurement of the first transfer runs what README says, and knows what the demo prints."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from warmxfer.cli.scenarios import BY_NAME

from .first_transfer import ROOT, STARTED, clean_environment, first_command


def test_the_first_command_of_readme_is_measured() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert first_command(readme) == "pip install uv && uv run warmxfer demo"
    with pytest.raises(RuntimeError, match="README has no block"):
        first_command("# nothing")


def test_the_start_of_the_demo_is_recognised() -> None:
    ready = BY_NAME["ready"]
    assert f"{ready.name}: {ready.shows}".startswith(STARTED)


def test_no_cache_and_no_environment_of_this_machine_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/venv")
    env = clean_environment(tmp_path)
    assert "VIRTUAL_ENV" not in env
    assert env["UV_CACHE_DIR"].startswith(str(tmp_path))
    assert env["PATH"] == f"{tmp_path}/pip/bin:{os.environ['PATH']}"
