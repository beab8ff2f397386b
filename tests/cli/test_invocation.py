"""What we print for another terminal is found there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from warmxfer.cli.invocation import command_line


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A console script somewhere."""
    path = tmp_path / "bin" / "warmxfer"
    path.parent.mkdir()
    path.touch(0o755)
    return path


@pytest.mark.parametrize(
    ("argv", "env", "typed"),
    [
        ("{bin}/warmxfer", {"PATH": "{bin}", "UV": "/bin/uv"}, "uv run warmxfer"),
        ("{bin}/warmxfer", {"PATH": "/nowhere:{bin}"}, "warmxfer"),
        ("{bin}/warmxfer", {"PATH": "/nowhere"}, "{bin}/warmxfer"),
        ("/another/warmxfer", {"PATH": "{bin}"}, "/another/warmxfer"),
        ("/lib/warmxfer/actors/cli/__main__.py", {"PATH": "{bin}"}, "warmxfer"),
        (
            "/lib/warmxfer/actors/cli/__main__.py",
            {"PATH": "/nowhere"},
            f"{sys.executable} -m warmxfer.cli",
        ),
    ],
)
def test_a_command_is_called_as_it_was_where_its_name_alone_is_not_found(
    script: Path, monkeypatch: pytest.MonkeyPatch, argv: str, env: dict[str, str], typed: str
) -> None:
    where = str(script.parent)
    monkeypatch.setattr(sys, "argv", [argv.format(bin=where)])
    assert command_line({name: value.format(bin=where) for name, value in env.items()}) == typed.format(
        bin=where
    )
