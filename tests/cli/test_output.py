"""Output of a command holds no character that a terminal acts on, or that a reader does not see."""

from __future__ import annotations

import json

import pytest

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
