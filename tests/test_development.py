"""The demo installs no development tool, and a command that needs one says `--group dev`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
RUN_TESTS = "uv run --group dev pytest"

FOLDERS = [path for path in ROOT.glob("[!.]*/") if path.name not in ("build", "dist")]
FILES = [
    ROOT / ".ci" / "run",
    *ROOT.glob("*.md"),
    *(path for folder in FOLDERS for path in folder.rglob("*.md")),
    *(path for folder in FOLDERS for path in folder.rglob("*.py") if path != Path(__file__)),
]
_UV_RUN = re.compile(r"uv run ([^`\n|;]*)")
_NEEDS_TOOLS = re.compile(r"\b(pytest|ruff|pyright)\b|-m tests\.|\btests/")


def commands_without_their_tools(text: str) -> list[str]:
    """Return every `uv run` in the text that needs the group `dev` and does not ask for it."""
    return [
        options
        for options in _UV_RUN.findall(text)
        if _NEEDS_TOOLS.search(options) and "--group dev" not in options
    ]


def test_the_demo_installs_no_development_tool() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tools = {Requirement(each).name for each in project["dependency-groups"]["dev"]}
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.M)
    assert project["tool"]["uv"]["default-groups"] == []
    assert {"pytest", "ruff", "pyright", "testcontainers"} <= tools
    assert not tools & set(locked)


def test_every_uv_run_asks_for_the_tools_it_needs() -> None:
    found = {path: commands_without_their_tools(path.read_text(encoding="utf-8")) for path in FILES}
    assert {str(path.relative_to(ROOT)): each for path, each in found.items() if each} == {}


@pytest.mark.parametrize(
    ("command", "complete"),
    [
        ("uv run --quiet pytest", False),
        ("`uv run pytest -k h7_`", False),
        ("uv run python -m tests.model_check.check", False),
        ("uv run --group dev pytest", True),
        ("uv run --extra videosdk --group dev pytest tests/videosdk", True),
        ("`uv run warmxfer demo`, then `pytest`", True),
    ],
)
def test_a_command_without_its_tools_is_detected(command: str, complete: bool) -> None:
    assert (commands_without_their_tools(command) == []) is complete


def test_readme_and_ci_run_the_tests_with_the_same_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"```sh\npip install uv && {RUN_TESTS}\n```" in readme
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^pip install --quiet .*uv && uv run --quiet --group dev pytest$", ci, re.M)


@pytest.fixture(scope="module")
def foreign_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment that holds pytest without any plugin, and nothing of ours."""
    packages = tmp_path_factory.mktemp("foreign")
    for name in ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments"):
        spec = find_spec(name)
        assert spec is not None
        source = Path((spec.submodule_search_locations or [spec.origin or ""])[0])
        (packages / source.name).symlink_to(source)
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return {**ours, "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.parametrize(
    ("folder", "arguments"),
    [
        (".", ""),
        (".", "-n 0 tests/docs"),
        (".", "-q -k h7_"),
        ("tests/docs", ""),
        ("tests/docs", "test_links.py"),
    ],
)
def test_a_foreign_pytest_names_the_right_command(
    foreign_environment: dict[str, str], folder: str, arguments: str
) -> None:
    """`-S` hides the packages of this environment."""
    command = [sys.executable, "-S", "-m", "pytest", *arguments.split()]
    done = subprocess.run(
        command, cwd=ROOT / folder, env=foreign_environment, capture_output=True, text=True, timeout=60
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line]
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert len(lines) == 1, lines
    assert lines[0].startswith("ERROR: this pytest runs without hypothesis, ")
    assert lines[0].endswith(f"; run: {RUN_TESTS}")
