"""Each picture of the pages is made by a command, and each picture that is made is on a page."""

from __future__ import annotations

import re
import struct

import pytest

from .demo_cast import PICTURE
from .pages import DOCS, ROOT

PAGES = {page: page.read_text(encoding="utf-8") for page in (ROOT / "README.md", *DOCS.glob("*.md"))}
FOLDER = DOCS / "pictures"
COMMAND = (ROOT / "ops" / "board_pictures.py").read_text(encoding="utf-8")
MADE = re.findall(r'"(board-\w+\.png)"', COMMAND)
WIDTHS = re.search(r"^WIDE, NARROW = \((\d+), \d+\), \((\d+), \d+\)$", COMMAND, re.M)


def shown() -> set[str]:
    """Return the names of the pictures that a page shows from the folder of pictures."""
    found = (re.findall(r"!\[[^\]]+\]\((?:docs/)?pictures/([\w.-]+)\)", text) for text in PAGES.values())
    return {name for names in found for name in names}


def test_the_pages_show_what_the_commands_make() -> None:
    made = {*MADE, PICTURE.name}
    assert {"board-light.png", "board-dark.png", "board-narrow.png", "board-transfer.png"} <= made
    assert shown() == made == {path.name for path in FOLDER.iterdir()}


@pytest.mark.parametrize("name", sorted(set(MADE)))
def test_a_picture_has_the_width_that_it_stands_for(name: str) -> None:
    header = (FOLDER / name).read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert WIDTHS is not None
    (width,) = struct.unpack(">I", header[16:20])
    assert width == int(WIDTHS[2] if "narrow" in name else WIDTHS[1])
    assert WIDTHS[2] == "360"


def test_the_page_of_the_board_names_the_command() -> None:
    assert "python -m ops.board_pictures" in PAGES[DOCS / "board.md"]
