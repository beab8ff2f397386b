"""A printed command runs in another terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from warmxfer.cli.invocation import command_line


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A console script in a directory of its own."""
    path = tmp_path / "bin" / "warmxfer"
    path.parent.mkdir()
    path.touch(0o755)
    return path


@pytest.mark.parametrize(
    ("argv", "env", "printed"),
    [
        ("{bin}/warmxfer", {"PATH": "{bin}", "UV": "/bin/uv"}, "uv run warmxfer"),
        ("{bin}/warmxfer", {"PATH": "/nowhere:{bin}"}, "warmxfer"),
        ("{bin}/warmxfer", {"PATH": "/nowhere"}, "{bin}/warmxfer"),
        ("/another/warmxfer", {"PATH": "{bin}"}, "/another/warmxfer"),
        ("/lib/warmxfer/cli/__main__.py", {"PATH": "{bin}"}, "warmxfer"),
        (
            "/lib/warmxfer/cli/__main__.py",
            {"PATH": "/nowhere"},
            f"{sys.executable} -m warmxfer.cli",
        ),
    ],
)
def test_the_printed_command_is_the_name_if_a_shell_finds_it_otherwise_a_path(
    script: Path, monkeypatch: pytest.MonkeyPatch, argv: str, env: dict[str, str], printed: str
) -> None:
    folder = str(script.parent)
    monkeypatch.setattr(sys, "argv", [argv.format(bin=folder)])
    assert command_line({name: value.format(bin=folder) for name, value in env.items()}) == printed.format(
        bin=folder
    )
