"""The recording of the demo at the top of README: how it is drawn, and that it is one of this version."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from warmxfer.schemas import WarmTransferPhase

from .cast_svg import Run, Screen, draw
from .demo_cast import MAX_PAUSE_S, PICTURE, Output, screens
from .pages import ROOT

SVG = "{http://www.w3.org/2000/svg}"
MAX_BYTES = 150_000


def film() -> ElementTree.Element:
    return ElementTree.fromstring(PICTURE.read_text(encoding="utf-8"))


def test_the_picture_shows_a_whole_transfer_of_this_version() -> None:
    lines = ["".join(line.itertext()) for line in film().iter(f"{SVG}text")]
    assert "all checks passed" in lines
    assert "$uv run warmxfer demo" in lines
    assert any(re.match(r"board http://127\.0\.0\.1:\d+/\?token=", line) for line in lines)
    ticked = {found[1] for line in lines if (found := re.match(r"✔(\w+?)(?=[ \d])", line))}
    assert ticked <= {each.value for each in WarmTransferPhase}
    assert {"started", "caller_on_hold", "supervisor_dialed", "transfer_complete"} <= ticked


def test_the_picture_needs_nothing_else_and_runs_no_script() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    assert len(text.encode()) < MAX_BYTES
    assert "<script" not in text
    assert set(re.findall(r"https?://[^\"' <]+", text)) <= {"http://www.w3.org/2000/svg", *_addresses(text)}
    assert all(each.get("href", "").startswith("#") for each in film().iter(f"{SVG}use"))


def _addresses(text: str) -> set[str]:
    """Return the addresses on this machine that the demo prints. The token of its board ended with it."""
    return set(re.findall(r"http://127\.0\.0\.1:\d+(?:/\?token=[\w-]+)?", text))


def test_readme_opens_with_the_picture() -> None:
    above = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    assert PICTURE.relative_to(ROOT).as_posix() in above


def test_a_line_is_a_screen_and_a_redrawn_block_is_one() -> None:
    seen = screens(
        [
            Output(1.0, b"one\r\ntwo\r\n"),
            Output(1.5, b"\x1b[2K\x1b[1A\x1b[2Kthree\r\nfour"),
            Output(9.0, b"\r\nfive"),
        ],
        columns=12,
        rows=4,
    )
    assert [[run.text for line in each.lines for run in line] for each in seen] == [
        ["one"],
        ["one", "two"],
        ["one", "three", "four"],
        ["one", "three", "four", "five"],
    ]
    assert seen[3].at_s - seen[2].at_s == pytest.approx(MAX_PAUSE_S)


def test_a_spinner_makes_no_screen() -> None:
    (seen,) = screens([Output(1.0, "⠋ on".encode()), Output(2.0, "\r⠙ on".encode())], columns=12, rows=2)
    assert seen.lines[0][0].text == "⠿ on"


def test_colours_and_blanks_stay_where_they_are() -> None:
    (seen,) = screens([Output(0.0, b"   a \x1b[1;32mb\x1b[0m  c")], columns=12, rows=1)
    assert seen.lines == ((Run(3, "a"), Run(5, "b", "#6fcf7f", True), Run(8, "c")),)


def test_the_film_moves_by_one_screen_at_each_moment_and_stands_still_if_asked_to() -> None:
    first, second = Screen(0.0, ((Run(0, "<a>"),),)), Screen(2.0, ((Run(0, "<a>"),), (Run(1, "b"),)))
    drawn = draw([first, second], columns=10, rows=2, title="t")
    root = ElementTree.fromstring(drawn)
    assert ["".join(each.itertext()) for each in root.iter(f"{SVG}text")] == ["<a>", "b"]
    assert "0.000%{transform:translateX(0px)}20.000%{transform:translateX(-108px)}" in drawn
    assert "prefers-reduced-motion:reduce){.film{animation:none;transform:translateX(-108px)" in drawn
