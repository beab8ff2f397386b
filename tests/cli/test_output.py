"""Output of a command holds no character that a terminal acts on, or that a reader does not see."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from warmxfer.actors.runtime import exit_codes
from warmxfer.actors.runtime.log_setup import redact
from warmxfer.cli import output
from warmxfer.cli.output import plain, print_json

TEXTS = [
    "R\x1b]0;pwned\x1b[2J",
    "C1 \x85\x9b31m",
    "right to left \u202egnihtyna\u202c \u2066x\u2069",
    "zero\u200bwidth \ufeff\u00ad\u2060",
    "tag \U000e0041",
    "line\u2028paragraph\u2029",
]


@pytest.mark.parametrize("text", TEXTS)
def test_json_escapes_it_and_is_read_back_unchanged(
    text: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    print_json({"text": text, "name": "Søren ナオミ 👍"})
    line = capfdbinary.readouterr().out
    assert line.endswith(b"\n")
    assert line[:-1].decode().isprintable()
    assert json.loads(line) == {"text": text, "name": "Søren ナオミ 👍"}


@pytest.mark.parametrize("text", TEXTS)
def test_text_leaves_it_out(text: str) -> None:
    assert plain(text).isprintable()


@pytest.mark.parametrize("text", TEXTS)
def test_an_error_leaves_it_out_or_escapes_it(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_codes.report(f"id is {text}", exit_codes.INVALID, as_json=False)
    assert capsys.readouterr().err.strip().isprintable()
    exit_codes.report(f"id is {text}", exit_codes.INVALID, as_json=True, field=text)
    line = capsys.readouterr().err.strip()
    assert line.isprintable()
    assert json.loads(line)["field"] == text


@pytest.mark.parametrize("text", TEXTS)
def test_a_log_line_escapes_it(text: str) -> None:
    event = redact(None, "info", {"event": "webhook_unreadable", "detail": text, "error": ValueError(text)})
    assert str(event["detail"]).isprintable()
    assert str(event["error"]).isprintable()
    assert redact(None, "info", {"event": "x", "exception": "one\n\ttwo"})["exception"] == "one\n\ttwo"


def test_commands_print_only_by_the_functions_that_check_the_text() -> None:
    """`print` is left to `app.py`, which prints warnings by `plain` and `escaped`."""
    printing = {
        path.name
        for path in Path(output.__file__).parent.glob("*.py")
        for each in ast.walk(ast.parse(path.read_text()))
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "print"
    }
    assert printing == {"app.py"}
